"""A list of tensors on the CPU: its plan, kept from step to step, and one call per thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cdg_torch.solve.cpu.single import BLOCK
from cdg_torch.solve.cpu.threads import share
from cdg_torch.solve.cpu.tiles import CALL, entry_for, tile_count
from cdg_torch.solve.cpu.vectors import LANES
from cdg_torch.solve.jobs import Jobs, Tasks, make_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

# The 16-bit types travel as integers.
_STORED = {
    torch.float64: np.float64,
    torch.float32: np.float32,
    torch.float16: np.int16,
    torch.bfloat16: np.uint16,
}
# Fewer numbers than this are done before another thread has begun.
_WORTH_A_THREAD = 1 << 15
# Parts for each thread: enough that one which is held up costs the others little.
_PARTS = 4


@cache
def _entry(dtype: torch.dtype) -> Any:
    return entry_for(_STORED[dtype])


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """The jobs, the index of each one's first tile (and the end), the first tile of each part."""

    jobs: Jobs
    tiles: NDArray[np.int64]
    edges: NDArray[np.int64]
    threads: int
    rows: int


def _edges(rows: NDArray[np.int64], counts: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Cut the tiles into parts of equal work: a tile's work is its number of rows."""
    work = np.concatenate([[0], np.cumsum(rows * counts)])
    goals = work[-1] * np.arange(parts + 1) // parts
    return np.interp(goals, work, np.concatenate([[0], np.cumsum(counts)])).astype(np.int64)


@lru_cache(maxsize=64)
def _plan(tasks: Tasks, dtype: torch.dtype, threads: int) -> _Plan:
    jobs = make_jobs(tasks, dtype.itemsize, double=dtype == torch.float64)
    names = ("outer", "inner", "inner_stride")
    columns = zip(*(jobs.column(name) for name in names), strict=True)
    counts = np.array([tile_count(*job) for job in columns], np.int64)
    tiles = np.concatenate([[0], np.cumsum(counts)])
    rows = jobs.column("rows")
    worth = int((rows * counts).sum()) * LANES // _WORTH_A_THREAD
    threads = max(1, min(threads, worth))
    parts = max(1, min(_PARTS * threads, worth))
    return _Plan(jobs, tiles, _edges(rows, counts, parts), threads, int(rows.max(initial=0)))


class _Scratch(threading.local):
    """For each caller: a tile and the state of its sweeps for every thread; grows, and is kept."""

    rows = threads = 0

    def reserve(self, rows: int, threads: int) -> NDArray[np.float64]:
        if rows > self.rows or threads > self.threads:
            self.rows, self.threads = max(rows, self.rows), max(threads, self.threads)
            length = -(-self.rows // BLOCK) + BLOCK + self.rows + 1
            self.memory = np.empty((self.threads, length, LANES))
        return self.memory


_scratch = _Scratch()


def run(outs: Sequence[Tensor], grads: Sequence[Tensor], tasks: Tasks, dtype: torch.dtype) -> None:
    """Write M⁻¹g of every tensor of a list of equal dtype: CPU tensors, strides as in ``tasks``.

    ``outs[i]`` has the strides of ``grads[i]`` and is the same memory or none of it.
    """
    plan = _plan(tasks, dtype, torch.get_num_threads())
    jobs = plan.jobs

    def addresses(tensors: Sequence[Tensor]) -> NDArray[np.int64]:
        first = np.array([tensor.data_ptr() for tensor in tensors], np.int64)
        return first[jobs.tensor] + jobs.offset

    sources = addresses(grads)
    targets = sources if outs is grads else addresses(outs)
    memory = _scratch.reserve(plan.rows, plan.threads)
    row = memory.strides[1]
    states = memory.ctypes.data
    block = states + -(-plan.rows // BLOCK) * row
    call = np.array(
        (
            0,
            0,
            len(plan.edges) - 1,
            plan.edges.ctypes.data,
            len(jobs.table),
            jobs.table.ctypes.data,
            jobs.coefficients.ctypes.data,
            len(jobs.coefficients),
            sources.ctypes.data,
            targets.ctypes.data,
            plan.tiles.ctypes.data,
            states,
            block,
            block + BLOCK * row,
            block + (BLOCK + plan.rows) * row,
            memory.strides[0],
        ),
        CALL,
    )
    share(_entry(dtype), call.ctypes.data, plan.threads)
