"""A list of tensors on the CPU: cut into parts of equal work, with one call per thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cdg_torch.solve.columns import BlockTable, Part, block_table
from cdg_torch.solve.cpu.single import BLOCK
from cdg_torch.solve.cpu.threads import share
from cdg_torch.solve.cpu.tiles import CALL, COUNTERS, entry_for, tile_count
from cdg_torch.solve.cpu.vectors import LANES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cdg_theory import Metric

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


def _edges(rows: NDArray[np.int64], counts: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Cut the tiles into parts of equal work: a tile's work is its number of rows."""
    work = np.concatenate([[0], np.cumsum(rows * counts)])
    goals = work[-1] * np.arange(parts + 1) // parts
    return np.interp(goals, work, np.concatenate([[0], np.cumsum(counts)])).astype(np.int64)


def _regions(rows: int) -> tuple[int, int, int]:
    """Return how many rows of ``LANES`` there are for states, for what is swept, for a tile.

    With a curvature the sweeps keep a number of every row, the others a block of rows.
    """
    return -(-rows // BLOCK), max(BLOCK, rows), rows


class _Scratch(threading.local):
    """For each caller: a tile and the state of its sweeps for every thread; grows, and is kept."""

    rows = threads = 0
    last: _Call | None = None

    def reserve(self, rows: int, threads: int) -> NDArray[np.float64]:
        if rows > self.rows or threads > self.threads:
            self.rows, self.threads = max(rows, self.rows), max(threads, self.threads)
            length = sum(_regions(self.rows)) + 1
            self.memory = np.empty((self.threads, length, LANES))
        return self.memory


_scratch = _Scratch()


@dataclass(frozen=True, slots=True, eq=False)
class TilePlan:
    """A list of CPU tensors of equal dtype, in parts of equal work.

    ===========  ============================================================================
    field        meaning
    ===========  ============================================================================
    ``blocks``   the columns of the tensors, and their coefficients
    ``tiles``    (blocks + 1,) the index of each block's first tile, and the end
    ``edges``    (parts + 1,) the index of each part's first tile, and the end
    ``threads``  the number of threads that share the parts
    ``rows``     the largest number of rows, which scratch memory must hold
    ``record``   what an entry is told, but for what changes from call to call, and from metric
                 to metric
    ===========  ============================================================================
    """

    dtype: torch.dtype
    blocks: BlockTable
    tiles: NDArray[np.int64]
    edges: NDArray[np.int64]
    threads: int
    rows: int
    record: NDArray[Any]

    def revalued(self, follows: Mapping[Metric, Metric]) -> TilePlan | None:
        """Return the plan for the same tensors, each metric replaced, if it is much the same."""
        blocks = self.blocks.revalued(follows)
        return None if blocks is None else replace(self, blocks=blocks)

    def run(self, results: NDArray[np.int64], gradients: NDArray[np.int64]) -> None:
        """Write M⁻¹g of every tensor, given where they begin: each result in place or apart."""
        scratch = _scratch
        if scratch.last is None or scratch.last.record is not self.record:
            scratch.last = _Call(self, scratch.reserve(self.rows, self.threads))
        scratch.last.make(self.blocks, results, gradients)


class _Call:
    """What one thread tells the entry, kept for its next call of the same plan.

    The memory that it names stays where it is, but for the coefficients.
    """

    def __init__(self, plan: TilePlan, memory: NDArray[np.float64]) -> None:
        self.record, self.threads, self.memory = plan.record, plan.threads, memory
        self.sources, self.targets = np.empty((2, len(plan.blocks.table)), np.int64)
        row = memory.strides[1]
        record = plan.record.copy()
        record["sources"], record["targets"] = self.sources.ctypes.data, self.targets.ctypes.data
        record["scratch"], states = memory.strides[0], memory.ctypes.data
        places = states + row * np.cumsum(_regions(_scratch.rows))
        record["states"], record["rows"], record["tile"], record["places"] = states, *places
        self.told = record
        self.coefficients: NDArray[np.float64] | None = None
        self.counters = record.reshape(1).view(np.int64)[: len(COUNTERS)]
        self.entry, self.address = _entry(plan.dtype), record.ctypes.data

    def make(
        self, blocks: BlockTable, results: NDArray[np.int64], gradients: NDArray[np.int64]
    ) -> None:
        """Call the entry."""
        if self.coefficients is not blocks.coefficients:
            self.coefficients = blocks.coefficients
            self.told["coefficients"] = blocks.coefficients.ctypes.data
            self.told["length"] = len(blocks.coefficients)
        np.add(gradients[blocks.tensor], blocks.offset, out=self.sources)
        np.add(results[blocks.tensor], blocks.offset, out=self.targets)
        self.counters[:] = 0
        share(self.entry, self.address, self.threads)


def _record(blocks: BlockTable, tiles: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[Any]:
    record = np.zeros((), CALL)
    record["parts"], record["edges"] = len(edges) - 1, edges.ctypes.data
    record["blocks"], record["table"] = len(blocks.table), blocks.table.ctypes.data
    record["tiles"] = tiles.ctypes.data
    return record


def tile_plan(
    parts: Sequence[Part], dtype: torch.dtype, device: torch.device, threads: int
) -> TilePlan:
    """Return the plan of a list of CPU tensors of equal dtype, for up to ``threads`` threads."""
    assert device.type == "cpu"
    blocks = block_table(parts, dtype.itemsize, double=dtype == torch.float64)
    columns = (blocks.column(name) for name in ("outer", "inner", "inner_stride"))
    counts = np.array([tile_count(*block) for block in zip(*columns, strict=True)], np.int64)
    tiles = np.concatenate([[0], np.cumsum(counts)])
    rows = blocks.column("rows")
    worth = int((rows * counts).sum()) * LANES // _WORTH_A_THREAD
    threads = max(1, min(threads, worth))
    edges = _edges(rows, counts, max(1, min(_PARTS * threads, worth)))
    record = _record(blocks, tiles, edges)
    return TilePlan(dtype, blocks, tiles, edges, threads, int(rows.max(initial=0)), record)
