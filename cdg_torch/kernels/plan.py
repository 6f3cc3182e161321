"""A list of tensors as one table of jobs, made once for its shapes and kept from step to step."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from cdg_torch.kernels.cpu import BLOCK
from cdg_torch.kernels.drive import COLUMNS, drive, tile_count
from cdg_torch.kernels.lanes import LANES
from cdg_torch.kernels.layout import blocks
from cdg_torch.kernels.tables import table
from cdg_torch.kernels.threads import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cdg_theory import Metric

__all__ = ["Task", "run"]

# What tells the kernels the storage type; the 16-bit ones travel as integers.
_TAGS = {
    torch.float64: np.empty(0, np.float64),
    torch.float32: np.empty(0, np.float32),
    torch.float16: np.empty(0, np.int16),
    torch.bfloat16: np.empty(0, np.uint16),
}
_SRC, _DST = COLUMNS.index("src"), COLUMNS.index("dst")
# Fewer numbers than this are done before another thread has woken up.
_WORTH_A_THREAD = 1 << 15

# Shape, strides, metric, axis, groups of one tensor of the list.
Task = tuple[tuple[int, ...], tuple[int, ...], "Metric", int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Everything of a list of equal storage type that does not change from step to step."""

    jobs: NDArray[np.int64]
    tensor_of: NDArray[np.int64]
    offsets: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    ranges: tuple[tuple[int, int], ...]
    rows: int


def _ranges(jobs: NDArray[np.int64], threads: int) -> tuple[tuple[int, int], ...]:
    """Cut the tiles into shares of equal work: a tile's work is its number of rows."""
    rows, tiles = jobs[:, COLUMNS.index("rows")], jobs[:, COLUMNS.index("tiles")]
    work = np.concatenate([[0], np.cumsum(rows * tiles)])
    shares = max(1, min(threads, int(work[-1]) * LANES // _WORTH_A_THREAD))
    goals = work[-1] * np.arange(1, shares) // shares
    cuts = np.interp(goals, work, np.concatenate([[0], np.cumsum(tiles)])).astype(int)
    ends = [0, *cuts.tolist(), int(tiles.sum())]
    return tuple(pair for pair in pairwise(ends) if pair[0] < pair[1])


@lru_cache(maxsize=64)
def _plan(tasks: tuple[Task, ...], dtype: torch.dtype, threads: int) -> _Plan:
    double = dtype == torch.float64
    jobs, tensor_of, offsets = [], [], []
    coefficients: list[NDArray[np.float64]] = []
    begins: dict[tuple[Metric, int], int] = {}
    length = first_tile = 0
    for index, (shape, strides, metric, dim, groups) in enumerate(tasks):
        for block in blocks(shape, strides, dim, groups):
            numbers = table(metric, block.rows, double=double)
            key = metric, block.rows
            if key not in begins:
                begins[key] = length
                coefficients.append(numbers.values)
                length += len(numbers.values)
            tiles = tile_count(block.outer, block.inner, block.inner_stride)
            columns = (block.outer, block.outer_stride, block.inner, block.inner_stride)
            rows = (block.rows, block.row_stride)
            jobs.append((numbers.kind, begins[key], 0, 0, *rows, *columns, first_tile, tiles))
            tensor_of.append(index)
            offsets.append(block.offset * dtype.itemsize)
            first_tile += tiles
    table_ = np.array(jobs, np.int64).reshape(-1, len(COLUMNS))
    return _Plan(
        jobs=table_,
        tensor_of=np.array(tensor_of, np.int64),
        offsets=np.array(offsets, np.int64),
        coefficients=np.concatenate([*coefficients, [0.0]]),
        ranges=_ranges(table_, threads) if jobs else (),
        rows=max((job[4] for job in jobs), default=0),
    )


class _Scratch(threading.local):
    """One cache tile per thread, and the state of its sweeps; grows, and is then kept."""

    rows = 0

    def reserve(self, rows: int) -> None:
        if rows > self.rows:
            self.rows = rows
            self.states = np.empty((-(-rows // BLOCK), LANES))
            self.block = np.empty((BLOCK, LANES))
            self.tile = np.empty((rows, LANES))
            self.places = np.empty(LANES, np.int64)


_scratch = _Scratch()


def run(
    outs: Sequence[Tensor], grads: Sequence[Tensor], tasks: tuple[Task, ...], dtype: torch.dtype
) -> None:
    """Write M⁻¹g of every tensor of a list of equal dtype: CPU tensors, strides as in ``tasks``.

    ``outs[i]`` has the strides of ``grads[i]`` and is the same memory or none of it.
    """
    plan = _plan(tasks, dtype, torch.get_num_threads())
    if not plan.ranges:
        return
    # A copy: another Python thread may run the same plan on other tensors.
    jobs = plan.jobs.copy()
    for column, tensors in ((_SRC, grads), (_DST, outs)):
        addresses = np.array([tensor.data_ptr() for tensor in tensors], np.int64)
        jobs[:, column] = addresses[plan.tensor_of] + plan.offsets

    def work(begin: int, end: int) -> None:
        _scratch.reserve(plan.rows)
        drive(
            _TAGS[dtype],
            jobs,
            plan.coefficients,
            begin,
            end,
            _scratch.states.ctypes.data,
            _scratch.block.ctypes.data,
            _scratch.tile.ctypes.data,
            _scratch.places,
        )

    share(work, plan.ranges)
