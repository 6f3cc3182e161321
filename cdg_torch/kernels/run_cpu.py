"""A list of tensors on the CPU: its plan, kept from step to step, and one call per thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from cdg_torch.kernels.cpu import BLOCK
from cdg_torch.kernels.drive import drive, tile_count
from cdg_torch.kernels.jobs import Jobs, Task, make_jobs
from cdg_torch.kernels.lanes import LANES
from cdg_torch.kernels.threads import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["run"]

# What tells the kernels the storage type; the 16-bit ones travel as integers.
_TAGS = {
    torch.float64: np.empty(0, np.float64),
    torch.float32: np.empty(0, np.float32),
    torch.float16: np.empty(0, np.int16),
    torch.bfloat16: np.empty(0, np.uint16),
}
# Fewer numbers than this are done before another thread has woken up.
_WORTH_A_THREAD = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """The jobs, the index of each one's first tile (and the end), and each thread's tiles."""

    jobs: Jobs
    tiles: NDArray[np.int64]
    ranges: tuple[tuple[int, int], ...]
    rows: int


def _ranges(
    rows: NDArray[np.int64], counts: NDArray[np.int64], threads: int
) -> tuple[tuple[int, int], ...]:
    """Cut the tiles into shares of equal work: a tile's work is its number of rows."""
    work = np.concatenate([[0], np.cumsum(rows * counts)])
    shares = max(1, min(threads, int(work[-1]) * LANES // _WORTH_A_THREAD))
    goals = work[-1] * np.arange(1, shares) // shares
    cuts = np.interp(goals, work, np.concatenate([[0], np.cumsum(counts)])).astype(int)
    ends = [0, *cuts.tolist(), int(counts.sum())]
    return tuple(pair for pair in pairwise(ends) if pair[0] < pair[1])


@lru_cache(maxsize=64)
def _plan(tasks: tuple[Task, ...], dtype: torch.dtype, threads: int) -> _Plan:
    jobs = make_jobs(tasks, dtype.itemsize, double=dtype == torch.float64)
    names = ("outer", "inner", "inner_stride")
    counts = [tile_count(*job) for job in zip(*(jobs.column(name) for name in names), strict=True)]
    tiles = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    rows = jobs.column("rows")
    return _Plan(jobs, tiles, _ranges(rows, np.diff(tiles), threads), int(rows.max(initial=0)))


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
    jobs = plan.jobs

    def addresses(tensors: Sequence[Tensor]) -> NDArray[np.int64]:
        first = np.array([tensor.data_ptr() for tensor in tensors], np.int64)
        return first[jobs.tensor] + jobs.offset

    src, dst = addresses(grads), addresses(outs)

    def work(begin: int, end: int) -> None:
        _scratch.reserve(plan.rows)
        scratch = (array.ctypes.data for array in (_scratch.states, _scratch.block, _scratch.tile))
        drive(
            _TAGS[dtype],
            jobs.table,
            jobs.coefficients,
            src,
            dst,
            plan.tiles,
            begin,
            end,
            *scratch,
            _scratch.places,
        )

    share(work, plan.ranges)
