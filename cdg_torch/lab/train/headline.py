"""One method, named before the runs, compared with each of the others.

Every p-value is corrected over the comparisons of its task (Holm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train.analysis import MethodScore
from cdg_torch.lab.train.statistics import Comparison, compare, holm

HEADLINE = "second order, full"
"""The metric with matched initial weights and plain weight decay: chosen before these runs."""

LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Duel:
    """The headline method against another: ``comparison`` is headline minus other."""

    other: MethodScore
    role: str
    comparison: Comparison
    corrected_p: float

    @property
    def outcome(self) -> str:
        """``"better"``, ``"worse"`` or ``"undecided"``, at level 0.01 after correction."""
        difference = self.comparison.difference
        if not difference.excludes_zero or self.corrected_p >= LEVEL:
            return "undecided"
        return "better" if difference.mean > 0 else "worse"


def role_of(row: MethodScore) -> str:
    """Return what a row of a comparison on ordered outputs is: base, metric, control or rival."""
    how = row.method.ordered
    return "base" if how is None else how.role


def duels(rows: Sequence[MethodScore]) -> list[Duel]:
    """Return the headline method against all without a metric; none if it is not among the rows."""
    own = next((row for row in rows if row.method.name == HEADLINE), None)
    others = [row for row in rows if role_of(row) != "metric"]
    if own is None or not others:
        return []
    comparisons = []
    for row in others:
        shared = own.scores.keys() & row.scores.keys()
        mine, base = ({s: r.scores[s] for s in shared} for r in (own, row))
        comparisons.append(compare(mine, base))
    adjusted = holm([comparison.p_value for comparison in comparisons])
    return [
        Duel(row, role_of(row), comparison, p)
        for row, comparison, p in zip(others, comparisons, adjusted, strict=True)
    ]


def duel_table(rows: Sequence[MethodScore]) -> ResultTable | None:
    """Return the headline method against each other one; None if there is no such method."""
    lines = []
    for duel in duels(rows):
        scale, interval = duel.other.scale, duel.comparison.difference
        difference = f"{scale * interval.mean:+.2f} ± {scale * interval.half_width:.2f}"
        lines.append(
            (duel.other.method.name, duel.role, difference, f"{duel.corrected_p:.4f}", duel.outcome)
        )
    if not lines:
        return None
    names = (f"{HEADLINE}, against", "role", "difference", "p (Holm)", "it is")
    return ResultTable(names, lines, left=(0, 1, 4))


def _against(rows: Sequence[MethodScore], role: str) -> tuple[str, str]:
    """Return the best row of a role by test score, and the headline method against it."""
    found = [duel for duel in duels(rows) if duel.role == role]
    if not found:
        return "–", "–"
    duel = max(found, key=lambda duel: duel.other.score.mean)
    scale, interval = duel.other.scale, duel.comparison.difference
    mark = {"better": "**", "worse": "*", "undecided": ""}[duel.outcome]
    difference = f"{mark}{scale * interval.mean:+.2f} ± {scale * interval.half_width:.2f}{mark}"
    return f"{duel.other.method.name} {scale * duel.other.score.mean:.2f}", difference


def overview(
    experiments: Sequence[tuple[str, Sequence[MethodScore]]], optimizer: str = "sgd"
) -> ResultTable | None:
    """Return one line for each titled experiment of a base that has the headline and controls."""
    lines = []
    for title, rows in experiments:
        scores = {row.method.name: f"{row.scale * row.score.mean:.2f}" for row in rows}
        roles = {role_of(row) for row in rows if row.method.optimizer == optimizer}
        if HEADLINE not in scores or "control" not in roles:
            continue
        control, over_control = _against(rows, "control")
        rival, over_rival = _against(rows, "rival")
        base = next(scores[row.method.name] for row in rows if row.method.is_baseline)
        alone = scores.get("second order", "–")
        lines.append(
            (title, base, alone, scores[HEADLINE], control, over_control, rival, over_rival)
        )
    if not lines:
        return None
    names = ("task", "base", "alone", "full", "best control", "full minus it")
    return ResultTable((*names, "best rival", "full minus it "), lines, left=(0, 4, 6))
