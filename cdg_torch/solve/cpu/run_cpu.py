"""A list of tensors on the CPU: cut into parts of equal work, with one call per thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cdg_torch.solve.columns import BlockTable, Part, block_table
from cdg_torch.solve.cpu.single import BLOCK
from cdg_torch.solve.cpu.threads import share
from cdg_torch.solve.cpu.tiles import CALL, entry_for, tile_count
from cdg_torch.solve.cpu.vectors import LANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True, eq=False)
class TilePlan:
    """The blocks, the index of each one's first tile (and the end), the first tile of each part.

    ``rows`` is the largest number of rows, which scratch memory must hold.
    """

    dtype: torch.dtype
    blocks: BlockTable
    tiles: NDArray[np.int64]
    edges: NDArray[np.int64]
    threads: int
    rows: int

    def run(self, results: NDArray[np.int64], gradients: NDArray[np.int64]) -> None:
        """Write M⁻¹g of every tensor, given where they begin: each result in place or apart."""
        blocks = self.blocks
        sources = blocks.addresses(gradients)
        targets = sources if results is gradients else blocks.addresses(results)
        memory = _scratch.reserve(self.rows, self.threads)
        row = memory.strides[1]
        call = np.zeros((), CALL)
        call["parts"] = len(self.edges) - 1
        call["edges"] = self.edges.ctypes.data
        call["blocks"] = len(blocks.table)
        call["table"] = blocks.table.ctypes.data
        call["coefficients"] = blocks.coefficients.ctypes.data
        call["length"] = len(blocks.coefficients)
        call["sources"] = sources.ctypes.data
        call["targets"] = targets.ctypes.data
        call["tiles"] = self.tiles.ctypes.data
        call["states"] = memory.ctypes.data
        call["rows"] = call["states"] + -(-self.rows // BLOCK) * row
        call["tile"] = call["rows"] + BLOCK * row
        call["places"] = call["tile"] + self.rows * row
        call["scratch"] = memory.strides[0]
        share(_entry(self.dtype), call.ctypes.data, self.threads)


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
    return TilePlan(dtype, blocks, tiles, edges, threads, int(rows.max(initial=0)))
