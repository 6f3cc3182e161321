"""A strided tensor as rows along the output channel and independent columns beside it.

The kernels walk rows; every other axis only tells columns apart. So whatever its shape and
strides, a tensor is a few axes of columns, and most often two of them suffice once neighbours in
memory are merged: ``outer`` blocks of ``inner`` columns. A contiguous or channels_last weight with
its output channel in front is one block; groups are blocks; a transposed convolution, whose output
channel is its second axis, has one block per input channel.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cdg_torch.solve.coefficients import coefficients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cdg_theory import Metric


@dataclass(frozen=True, slots=True)
class Block:
    """Columns that two strides reach; all counted in elements.

    ================  ====================================================================
    field             meaning
    ================  ====================================================================
    ``offset``        of the first element from the tensor's first
    ``rows``          n, the output channels of one group
    ``row_stride``    from one row to the next
    ``outer``         number of runs of columns
    ``outer_stride``  from one run to the next
    ``inner``         number of columns in a run
    ``inner_stride``  from one column to the next; 1 where a run is contiguous
    ================  ====================================================================
    """

    offset: int
    rows: int
    row_stride: int
    outer: int
    outer_stride: int
    inner: int
    inner_stride: int


@lru_cache(maxsize=4096)
def blocks(
    shape: tuple[int, ...], strides: tuple[int, ...], dim: int, groups: int
) -> tuple[Block, ...]:
    """Return the tensor's columns as blocks: one, unless its strides are unusual.

    Examples
    --------
    A convolution's weight with 64 output channels, then its transposed sister:

    >>> blocks((64, 3, 7, 7), (147, 49, 7, 1), 0, 1)
    (Block(offset=0, rows=64, row_stride=147, outer=1, outer_stride=0, inner=147, inner_stride=1),)
    >>> blocks((3, 64, 7, 7), (3136, 49, 7, 1), 1, 1)
    (Block(offset=0, rows=64, row_stride=49, outer=3, outer_stride=3136, inner=49, inner_stride=1),)
    """
    if 0 in shape:
        return ()
    rows = shape[dim] // groups
    axes = [(groups, rows * strides[dim])]
    axes += [(shape[axis], strides[axis]) for axis in range(len(shape)) if axis != dim]
    merged: list[tuple[int, int]] = []
    for size, stride in sorted((axis for axis in axes if axis[0] > 1), key=lambda axis: axis[1]):
        if merged and merged[-1][0] * merged[-1][1] == stride:
            merged[-1] = (merged[-1][0] * size, merged[-1][1])
        else:
            merged.append((size, stride))
    merged += [(1, 1), (1, 0)][len(merged) :] if len(merged) < 2 else []
    (inner, inner_stride), (outer, outer_stride), *others = merged
    return tuple(
        Block(
            sum(index * stride for index, (_, stride) in zip(place, others, strict=True)),
            rows,
            strides[dim],
            outer,
            outer_stride,
            inner,
            inner_stride,
        )
        for place in product(*(range(size) for size, _ in others))
    )


@lru_cache(maxsize=4096)
def is_injective(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Return whether no two elements can share memory: axes nest, from the smallest stride up.

    Examples
    --------
    >>> is_injective((2, 3), (3, 1)), is_injective((2, 3), (0, 1)), is_injective((1, 3), (0, 1))
    (True, False, True)
    """
    span = 1
    axes = (axis for axis in zip(strides, shape, strict=True) if axis[1] > 1)
    for stride, size in sorted(axes):
        if stride < span:
            return False
        span = stride * size
    return True


def _places(shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[np.int64]:
    axes = (np.arange(size) * stride for size, stride in zip(shape, strides, strict=True))
    return functools.reduce(np.add.outer, axes)


def check_no_overlap(shape: tuple[int, ...], strides: tuple[int, ...], name: str) -> None:
    """Refuse to write where two entries of a tensor are one number in memory.

    Raises
    ------
    TypeError
        If it is expanded, or a view whose rows overlap.
    """
    if is_injective(shape, strides):
        return
    count = math.prod(shape)
    span = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # Axes that do not nest may still miss each other: strides (2, 3) of shape (3, 2).
    if span < count or len(np.unique(_places(shape, strides))) < count:
        msg = (
            f"{name} overlaps itself, with shape {tuple(shape)} and strides {strides}: several of "
            "its entries are one number in memory, so it cannot be written; call .contiguous() "
            "first"
        )
        raise TypeError(msg)


class Part(NamedTuple):
    """One tensor of a list, without its address."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    metric: Metric
    dim: int
    groups: int


# The columns of a block table: the kernel that serves, where its coefficients begin, and the block.
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
class BlockTable:
    """A list of tensors as blocks of columns: what does not change from step to step.

    ================  =====================================================================
    field             shape and meaning
    ================  =====================================================================
    ``table``         (blocks, 8) the ``COLUMNS``
    ``tensor``        (blocks,) the index of the block's tensor in the list
    ``offset``        (blocks,) bytes from the tensor's first element to the block's
    ``coefficients``  those of all metrics and row counts, one after the other
    ``owners``        of each of them: the metric, the row count, which kernel, how many numbers
    ``double``        whether the tensors are float64
    ================  =====================================================================
    """

    table: NDArray[np.int64]
    tensor: NDArray[np.int64]
    offset: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    owners: tuple[tuple[Metric, int, int, int], ...]
    double: bool

    def addresses(self, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where each block begins, from where each tensor does (the last axis)."""
        return first[..., self.tensor] + self.offset

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one column of the table."""
        return self.table[:, COLUMNS.index(name)]

    def revalued(self, follows: Mapping[Metric, Metric]) -> BlockTable | None:
        """Return the same blocks, each metric replaced; None if another kernel is to serve."""
        values, owners = [np.empty(0)], []
        for metric, rows, kind, length in self.owners:
            own = coefficients(follows[metric], rows, double=self.double)
            if own.kind != kind or len(own.values) != length:
                return None
            values.append(own.values)
            owners.append((follows[metric], rows, kind, length))
        return replace(self, coefficients=np.concatenate(values), owners=tuple(owners))


def block_table(parts: Sequence[Part], itemsize: int, *, double: bool) -> BlockTable:
    """Return the blocks of a list of tensors of equal storage type.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> part = Part((8, 4, 3, 3), (36, 9, 3, 1), Metric.l2(), dim=0, groups=2)
    >>> block_table([part], 4, double=False).table
    array([[ 0,  0,  4, 36,  2, 144, 36,  1]])
    """
    rows, tensor, offset = [], [], []
    begins: dict[tuple[Metric, int], int] = {}
    owners = []
    values: list[NDArray[np.float64]] = [np.empty(0)]
    length = 0
    for index, (shape, strides, metric, dim, groups) in enumerate(parts):
        for block in blocks(shape, strides, dim, groups):
            own = coefficients(metric, block.rows, double=double)
            key = metric, block.rows
            if key not in begins:
                begins[key] = length
                values.append(own.values)
                owners.append((metric, block.rows, own.kind, len(own.values)))
                length += len(own.values)
            along = (block.rows, block.row_stride)
            across = (block.outer, block.outer_stride, block.inner, block.inner_stride)
            rows.append((own.kind, begins[key], *along, *across))
            tensor.append(index)
            offset.append(block.offset * itemsize)
    return BlockTable(
        table=np.array(rows, np.int64).reshape(-1, len(COLUMNS)),
        tensor=np.array(tensor, np.int64),
        offset=np.array(offset, np.int64),
        coefficients=np.concatenate(values),
        owners=tuple(owners),
        double=double,
    )
