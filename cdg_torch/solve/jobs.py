"""A list of tensors as one table of jobs: what does not change from step to step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cdg_torch.solve.coefficients import table
from cdg_torch.solve.columns import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cdg_theory import Metric

# Shape, strides, metric, axis, groups of one tensor of the list.
Task = tuple[tuple[int, ...], tuple[int, ...], "Metric", int, int]


class Tasks:
    """The tasks of a list: they are looked up at every step, so their hash is taken once."""

    __slots__ = ("_hash", "each")

    def __init__(self, each: Iterable[Task]) -> None:
        self.each = tuple(each)
        self._hash = hash(self.each)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tasks) and self.each == other.each


# The columns of the table: the kernel that serves, where its coefficients begin, and a block of
# columns (:class:`cdg_torch.solve.columns.Block`).
COLUMNS = (
    "kind",
    "coefficients",
    "rows",
    "row_stride",
    "outer",
    "outer_stride",
    "inner",
    "inner_stride",
)


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """The jobs of a list: one for each block of columns.

    ================  =====================================================================
    field             shape and meaning
    ================  =====================================================================
    ``table``         (jobs, 8) the ``COLUMNS``
    ``tensor``        (jobs,) the index of the job's tensor in the list
    ``offset``        (jobs,) bytes from the tensor's first element to the block's
    ``coefficients``  the tables of all metrics and row counts, one after the other
    ================  =====================================================================
    """

    table: NDArray[np.int64]
    tensor: NDArray[np.int64]
    offset: NDArray[np.int64]
    coefficients: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one column of the table."""
        return self.table[:, COLUMNS.index(name)]


def make_jobs(tasks: Tasks, itemsize: int, *, double: bool) -> Jobs:
    """Return the jobs of a list of tensors of equal storage type.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> task = ((8, 4, 3, 3), (36, 9, 3, 1), Metric.l2(), 0, 2)
    >>> make_jobs(Tasks([task]), 4, double=False).table
    array([[ 0,  0,  4, 36,  2, 144, 36,  1]])
    """
    jobs, tensor, offset = [], [], []
    begins: dict[tuple[Metric, int], int] = {}
    coefficients: list[NDArray[np.float64]] = [np.empty(0)]
    length = 0
    for index, (shape, strides, metric, dim, groups) in enumerate(tasks.each):
        for block in blocks(shape, strides, dim, groups):
            numbers = table(metric, block.rows, double=double)
            key = metric, block.rows
            if key not in begins:
                begins[key] = length
                coefficients.append(numbers.values)
                length += len(numbers.values)
            rows = (block.rows, block.row_stride)
            columns = (block.outer, block.outer_stride, block.inner, block.inner_stride)
            jobs.append((numbers.kind, begins[key], *rows, *columns))
            tensor.append(index)
            offset.append(block.offset * itemsize)
    return Jobs(
        table=np.array(jobs, np.int64).reshape(-1, len(COLUMNS)),
        tensor=np.array(tensor, np.int64),
        offset=np.array(offset, np.int64),
        coefficients=np.concatenate(coefficients),
    )
