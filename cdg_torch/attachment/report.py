"""The report: what the metric acts on, and why the rest is left alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdg_torch.attachment.selection import parameters_of

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_theory import Metric
    from cdg_torch.attachment.selection import Selection


def _short(metric: Metric) -> str:
    weights = [metric.mean, metric.fluctuation, metric.derivative]
    if metric.curvature:
        weights.append(metric.curvature)
    cells = [f"{weight:g}" for weight in weights]
    if metric.derivative_order:
        cells += [metric.boundary, metric.spacing]
    return f"({', '.join(cells)})"


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor of a report, with its metric or the reason why it has none.

    ==========  =====================================================
    field       meaning
    ==========  =====================================================
    ``name``    dotted name in the model
    ``shape``   of the tensor
    ``dim``     the output-channel axis; None without a metric
    ``groups``  contiguous blocks along it; None without a metric
    ``metric``  the metric, or None where the tensor is left alone
    ``reason``  why it is left alone; empty with a metric
    ``also``    the other names of a tensor that several layers share
    ==========  =====================================================

    See Also
    --------
    cdg_torch.Report : A table of them.

    Examples
    --------
    >>> from cdg_torch.attachment.report import Row
    >>> Row("bias", (8,), None, None, None, "no rule selects the bias of a Conv2d").cells()
    ('bias', '8', '-', '-', 'no rule selects the bias of a Conv2d')
    """

    name: str
    shape: tuple[int, ...]
    dim: int | None
    groups: int | None
    metric: Metric | None
    reason: str
    also: tuple[str, ...] = ()

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return the row as text: tensor, shape, axis, groups, metric or reason."""
        tied = f" = {' = '.join(self.also)}" if self.also else ""
        what = self.reason if self.metric is None else _short(self.metric)
        axis, groups = ("-" if x is None else str(x) for x in (self.dim, self.groups))
        return self.name + tied, "×".join(map(str, self.shape)) or "scalar", axis, groups, what


@dataclass(frozen=True, slots=True)
class Report:
    """What an attached metric acts on; ``print`` it, or iterate over its rows.

    =========  ====================================================================
    field      meaning
    =========  ====================================================================
    ``rows``   one for each tensor: those of the optimizer, then the model's others
    ``steps``  the number of steps in which the metric has acted on something
    =========  ====================================================================

    See Also
    --------
    cdg_torch.Handle.report : Makes it.
    cdg_torch.attachment.report.Row : One line of it.

    Examples
    --------
    >>> from cdg_torch import Report
    >>> from cdg_torch.attachment.report import Row
    >>> report = Report((Row("weight", (8, 3), 0, 1, None, "frozen (requires_grad=False)"),))
    >>> len(report), report.summary
    (1, 'acts on 0 of 1 tensors, 0 of 24 numbers')
    """

    rows: tuple[Row, ...]
    steps: int = 0

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def included(self) -> tuple[Row, ...]:
        """The tensors that the metric acts on."""
        return tuple(row for row in self.rows if row.metric is not None)

    @property
    def summary(self) -> str:
        """One line: how many tensors, how many numbers."""

        def numbers(rows: tuple[Row, ...]) -> int:
            return sum(math.prod(row.shape) for row in rows)

        return (
            f"acts on {len(self.included)} of {len(self.rows)} tensors, "
            f"{numbers(self.included):,} of {numbers(self.rows):,} numbers"
        )

    def __str__(self) -> str:
        curved = any(row.metric is not None and row.metric.curvature for row in self.rows)
        weights = f"mean, fluctuation, derivative{', curvature' if curved else ''}"
        head = ("tensor", "shape", "axis", "groups", f"metric ({weights})")
        table = [head, *(row.cells() for row in self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(head) - 1)]
        lines = [
            "  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[-1]])
            for line in table
        ]
        lines.insert(1, "  ".join("-" * width for width in [*widths, len(head[-1])]))
        plural = "" if self.steps == 1 else "s"
        so_far = f"{self.steps:,} step{plural} transformed so far"
        return "\n".join([*lines, "", self.summary, so_far])


def make_report(optimizer: Optimizer, selection: Selection, steps: int) -> Report:
    """Return what a selection does now: the optimizer's tensors first, then the model's others."""
    held = parameters_of(optimizer)
    by_id = selection.read()
    rows: list[Row] = []
    absent: list[Row] = []
    for key, entry in by_id.items():
        lazy = entry.provisional
        shape = () if lazy else tuple(entry.parameter.shape)
        also = tuple(slot.name for slot in entry.slots[1:])
        metric = None if entry.rule is None else selection.rules[entry.rule].metric
        reason = entry.reason if entry.rule is None else "its rule has metric None"
        if not lazy and not entry.parameter.requires_grad:
            metric, reason = None, "frozen (requires_grad=False)"
        if key not in held:
            absent.append(Row(entry.name, shape, None, None, None, "not in the optimizer", also))
        elif metric is None:
            rows.append(Row(entry.name, shape, None, None, None, reason, also))
        else:
            rows.append(Row(entry.name, shape, entry.dim, entry.groups, metric, "", also))
    for index, group in enumerate(optimizer.param_groups):
        for place, p in enumerate(group["params"]):
            if id(p) not in by_id:
                name = f"<group {index}, parameter {place}>"
                former = selection.former_name(p)
                why = "not a parameter of this model"
                if former is not None:
                    why += f" any more, where it was {former}"
                rows.append(Row(name, tuple(p.shape), None, None, None, why))
    return Report((*rows, *absent), steps)
