"""Statistics of the records: per method a mean, its interval, the paired difference, the cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.protocol import choose_candidates
from cdg_torch.lab.train.statistics import (
    Comparison,
    Interval,
    compare,
    corrected,
    mean_interval,
)

if TYPE_CHECKING:
    from cdg_torch.lab.train.runs import Record

HEADER = ("method", "rate", "test", "difference", "p", "effect", "ms/step")

LEGEND = (
    "rate: learning rate chosen on validation images; test: accuracy or mean intersection over "
    "union in percent, minus the Fréchet distance, or minus the error of ordered outputs, "
    "mean ± 95 % interval over seeds; "
    "difference: to the baseline, in points, paired by seed, ± 95 % interval; p: sign flips, "
    "corrected over the table; effect: mean difference over its standard deviation; ms/step: "
    "median, with other trainings running beside it"
)
"""What the columns mean."""


SCALES = {
    "shoe-angles": 1.0,
    "digit-angles": 1.0,
    "note-pitches": 1.0,
    "grey-levels": 100.0,
    "row-profiles": 1000.0,
    "noisy-spectra": 1000.0,
    "sparse-curves": 1000.0,
}
"""Of ordered outputs: degrees, cents, hundredths of a nat, thousandths of a squared error."""


@dataclass(frozen=True, slots=True)
class MethodScore:
    """One method at one batch size.

    ``comparison`` and ``corrected_p`` are None for the baseline itself.
    """

    data: str
    model: str
    batch: int
    method: Method
    lr: float
    scores: dict[int, float]
    score: Interval
    seconds_per_step: float
    diverged: int
    comparison: Comparison | None = None
    corrected_p: float | None = None

    @property
    def scale(self) -> float:
        """What scores are multiplied by in tables: 100 for shares, 1 for minus a distance."""
        return 1.0 if self.model == "dcgan" else SCALES.get(self.data, 100.0)


def _bare(records: Sequence[Record]) -> MethodScore:
    run = records[0]["run"]
    scores = {record["run"]["seed"]: record["results"]["test"] for record in records}
    return MethodScore(
        data=run["data"],
        model=run["model"],
        batch=run["batch"],
        method=Method.parse(run["method"]),
        lr=run["lr"],
        scores=scores,
        score=mean_interval(list(scores.values())),
        seconds_per_step=median(record["timing"]["seconds_per_step"] for record in records),
        diverged=sum(record["results"]["diverged"] for record in records),
    )


def summarise(records: Iterable[Record]) -> list[MethodScore]:
    """Return one row per method and batch size from the final runs, compared with the baselines.

    A method's baseline is the first one of the same optimizer, data, network and batch that has
    no metric; compared are the seeds that both have, so that an experiment can be looked at while
    it runs. p-values are corrected over all comparisons of the table. Final runs with settings or a
    rate that are no longer the chosen ones (more seeds may have changed the choice) do not count.
    """
    records = list(records)
    chosen = choose_candidates(records)
    cells: dict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in records:
        run = record["run"]
        own = Method.parse(run["method"]), run["lr"]
        candidate = chosen.get((run["method"]["name"], run["batch"]), own)
        if run["stage"] == "final" and own == candidate:
            place = (run["data"], run["model"], run["batch"], run["method"]["name"], run["lr"])
            cells[place].append(record)
    rows = [_bare(members) for members in cells.values() if len(members) > 1]
    comparisons: dict[int, Comparison] = {}
    for index, row in enumerate(rows):
        baseline = _baseline(row, rows)
        if baseline is None or baseline is row:
            continue
        shared = row.scores.keys() & baseline.scores.keys()
        if len(shared) > 1:
            mine, base = ({s: r.scores[s] for s in shared} for r in (row, baseline))
            comparisons[index] = compare(mine, base)
    adjusted = corrected([comparison.p_value for comparison in comparisons.values()])
    for (index, comparison), p_value in zip(comparisons.items(), adjusted, strict=True):
        rows[index] = replace(rows[index], comparison=comparison, corrected_p=p_value)
    return rows


def _baseline(row: MethodScore, rows: Sequence[MethodScore]) -> MethodScore | None:
    """Return the first row of the same task, batch and optimizer whose gradients are raw."""
    place = (row.data, row.model, row.batch, row.method.optimizer)
    return next(
        (
            other
            for other in rows
            if other.method.is_baseline
            and (other.data, other.model, other.batch, other.method.optimizer) == place
        ),
        None,
    )


def finding(row: MethodScore) -> str:
    """Return the result of the comparison in one sentence, claiming no more than was tested.

    Called different are only methods whose interval excludes 0 *and* whose corrected p-value is
    at most 0.05.
    """
    comparison = row.comparison
    if comparison is None or row.corrected_p is None:
        what = "is the baseline" if row.method.is_baseline else "has no baseline yet"
        return f"{row.method.name} {what}."
    difference = comparison.difference
    points = (
        f"{row.scale * difference.mean:+.2f} points "
        f"({row.scale * difference.low:+.2f} to {row.scale * difference.high:+.2f})"
    )
    if not difference.excludes_zero:
        return (
            f"{row.method.name}: {points} against the baseline; over {comparison.pairs} seeds "
            "this cannot be told from noise."
        )
    if row.corrected_p > 0.05:
        return (
            f"{row.method.name}: {points} against the baseline; the interval excludes 0, but the "
            f"sign-flip test over {comparison.pairs} seeds does not confirm it after correction "
            f"(p = {row.corrected_p:.3f}): undecided, more seeds would tell."
        )
    verdict = "better" if difference.mean > 0 else "worse"
    return (
        f"{row.method.name}: {points}, {verdict} than the baseline "
        f"(corrected p = {row.corrected_p:.3f}, {comparison.pairs} seeds)."
    )


def cells(row: MethodScore) -> tuple[str, ...]:
    """Return the row as text: means with 95 % intervals."""
    scale = row.scale
    score = f"{scale * row.score.mean:.2f} ± {scale * row.score.half_width:.2f}"
    if row.diverged:
        score += f" ({row.diverged} diverged)"
    difference, p_value, effect = "–", "–", "–"
    if row.comparison is not None:
        interval = row.comparison.difference
        difference = f"{scale * interval.mean:+.2f} ± {scale * interval.half_width:.2f}"
        p_value = f"{row.corrected_p:.3f}"
        effect = f"{row.comparison.effect:+.2f}"
    cost = f"{1000 * row.seconds_per_step:.2f}"
    return row.method.name, f"{row.lr:g}", score, difference, p_value, effect, cost


def score_table(rows: Sequence[MethodScore], title: str = "") -> ResultTable:
    """Return the table of a comparison."""
    return ResultTable(HEADER, [cells(row) for row in rows], title)
