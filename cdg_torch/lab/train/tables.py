"""Rows of a comparison as text: on the terminal, and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdg_torch.lab.output import ResultTable

if TYPE_CHECKING:
    from cdg_torch.lab.train.analysis import MethodScore

HEADER = ("method", "rate", "test", "difference", "p", "effect", "ms/step")

LEGEND = (
    "rate: learning rate chosen on validation images; test: accuracy or mean intersection over "
    "union in percent, or minus the Fréchet distance, mean ± 95 % interval over seeds; "
    "difference: to the baseline, in points, paired by seed, ± 95 % interval; p: sign flips, "
    "corrected over the table; effect: mean difference over its standard deviation; ms/step: "
    "median, with other trainings running beside it"
)
"""What the columns mean."""


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
