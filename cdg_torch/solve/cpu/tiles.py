"""One call for a whole list of tensors, which any number of threads may make at once.

A *tile* is ``LANES`` columns with all their rows. Tiles whose columns lie side by side are worked
on where they are. The columns left over, and columns that are not neighbours in memory, are
gathered into a tile of scratch memory and scattered back.

The tiles are cut into *parts* of equal work. Each thread takes the next part that nobody has taken,
until there is none: a thread that has lost its core to another program for a while takes fewer.
Whichever thread does a tile, its bits are the same.
"""

# mypy: disable-error-code="no-untyped-call, untyped-decorator, attr-defined"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types
from numba.extending import overload

from cdg_torch.solve.coefficients import (
    DOUBLE_PAIRS,
    DOUBLE_PULL,
    PAIRS,
    PULL,
    SCALE,
    SUMS,
)
from cdg_torch.solve.cpu import double, single
from cdg_torch.solve.cpu.compiled import OPTIONS, SOURCES, compiled, entry
from cdg_torch.solve.cpu.single import BLOCK
from cdg_torch.solve.cpu.vectors import LANES, move, next_number, pointer

# While a tile is written, the next one is called for: if there is room for both in half a
# megabyte, less than a core's second-level cache has. Else the rows to come of the tile itself.
HALF_A_CACHE = 1 << 18
PAGE, CROWD = 4096, 256

# What an entry is told, all of it whole numbers: one record, which lives as long as the call.
#   part, thread         the next of each, taken by atomic additions; 0 at first
#   parts, edges         number of parts; address of their first tiles, and of the end
#   blocks, table        number of blocks and address of their table (cdg_torch.solve.columns)
#   coefficients, length address of the coefficients, and how many there are
#   sources, targets     address of the addresses of each block's gradient and of its result
#   tiles                address of the index of each block's first tile, and of the end
#   states, rows, tile,  scratch memory of the first thread: states of the sweeps, rows of theirs,
#   places               a gathered tile, an index for each lane
#   scratch              bytes from one thread's scratch memory to that of the next
_FIELDS = (
    "part", "thread", "parts", "edges", "blocks", "table", "coefficients", "length", "sources",
    "targets", "tiles", "states", "rows", "tile", "places", "scratch",
)  # fmt: skip
CALL = np.dtype([(name, np.int64) for name in _FIELDS])
COUNTERS = ("part", "thread")  # the first fields, 0 before every call
_PART, _THREAD = (_FIELDS.index(name) * 8 for name in COUNTERS)


def tile_count(outer: int, inner: int, inner_stride: int) -> int:
    """Return the number of tiles of a block of columns: those in place, then the gathered ones.

    Examples
    --------
    >>> tile_count(outer=1, inner=4 * LANES, inner_stride=1)
    4
    >>> tile_count(outer=2, inner=1, inner_stride=1)
    1
    """
    in_place = inner // LANES if inner_stride == 1 else 0
    left_over = outer * (inner - in_place * LANES)
    return outer * in_place + -(-left_over // LANES)


def _single(
    kind: int,
    tag: Any,
    src: int,
    dst: int,
    n: int,
    stride: int,
    c: Any,
    ahead: int,
    states: int,
    rows: int,
) -> None:
    if kind == SCALE:
        single.scale(tag, src, dst, n, stride, c, ahead)
    elif kind == PULL:
        single.pull(tag, src, dst, n, stride, c, ahead)
    elif kind == SUMS:
        single.sums(tag, src, dst, n, stride, c, ahead)
    elif kind == PAIRS:
        single.pairs(tag, src, dst, n, stride, c, ahead, rows)
    else:
        single.sweeps(tag, src, dst, n, stride, c, ahead, states, rows)


def _double(
    kind: int,
    tag: Any,
    src: int,
    dst: int,
    n: int,
    stride: int,
    c: Any,
    ahead: int,
    states: int,  # noqa: ARG001
    rows: int,
) -> None:
    if kind == SCALE:
        single.scale(tag, src, dst, n, stride, c, ahead)
    elif kind == DOUBLE_PULL:
        double.pull(tag, src, dst, n, stride, c, ahead)
    elif kind == DOUBLE_PAIRS:
        double.pairs(tag, src, dst, n, stride, c, ahead, rows)
    else:
        double.sweeps(tag, src, dst, n, stride, c, ahead)


def _solve(*arguments: Any) -> None:
    """Serve a tile: compiled for what is stored as it is called, with the kernels of that alone."""


@overload(_solve, jit_options=OPTIONS, strict=False)
def _kernels(*arguments: Any) -> Any:
    return _double if arguments[1].dtype == types.float64 else _single


@compiled
def _tiles(
    tag: Any,
    blocks: Any,
    coefficients: Any,
    sources: Any,
    targets: Any,
    tiles: Any,
    begin: int,
    end: int,
    states: int,
    rows: int,
    tile: int,
    places: Any,
) -> None:
    """Work on the tiles ``begin`` to ``end`` of the list, counted over all blocks."""
    size = tag.itemsize
    for block in range(len(blocks)):
        kind, at, n, stride = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
        outer, outer_stride, inner = blocks[block, 4], blocks[block, 5], blocks[block, 6]
        inner_stride = blocks[block, 7]
        src, dst = sources[block], targets[block]
        first, last = max(begin, tiles[block]), min(end, tiles[block + 1])
        c = coefficients[at:]
        in_place = inner // LANES if inner_stride == 1 else 0
        tail = inner - in_place * LANES
        # Rows whole pages apart fall into few of the cache's sets, and crowd each other out.
        crowded = n > CROWD and stride * size % PAGE == 0
        next_fits = n * LANES * size <= HALF_A_CACHE and not crowded
        for index in range(first - tiles[block], last - tiles[block]):
            if index < outer * in_place:
                shift = (index // in_place * outer_stride + index % in_place * LANES) * size
                ahead = src + shift + (LANES if next_fits else -BLOCK * stride) * size
                _solve(kind, tag, src + shift, dst + shift, n, stride, c, ahead, states, rows)
                continue
            start = (index - outer * in_place) * LANES
            count = min(outer * tail - start, LANES)
            run, within = start // tail, start % tail
            first_place = run * outer_stride + (in_place * LANES + within) * inner_stride
            if inner_stride == 1 and within + count <= tail:
                # Neighbours: rows are copied as they lie, and the empty lanes repeat the first.
                for i in range(n):
                    for j in range(count):
                        move(tag, src, first_place + i * stride + j, tile, i * LANES + j)
                    for j in range(count, LANES):
                        move(tag, tile, i * LANES, tile, i * LANES + j)
                _solve(kind, tag, tile, tile, n, LANES, c, tile, states, rows)
                for i in range(n):
                    for j in range(count):
                        move(tag, tile, i * LANES + j, dst, first_place + i * stride + j)
                continue
            for j in range(LANES):
                # The tile's empty lanes repeat its last column.
                places[j] = run * outer_stride + (in_place * LANES + within) * inner_stride
                if j < count - 1:
                    within += 1
                    if within == tail:
                        run, within = run + 1, 0
            for i in range(n):
                for j in range(LANES):
                    move(tag, src, places[j] + i * stride, tile, i * LANES + j)
            _solve(kind, tag, tile, tile, n, LANES, c, tile, states, rows)
            for i in range(n):
                for j in range(count):
                    move(tag, tile, i * LANES + j, dst, places[j] + i * stride)


def entry_for(dtype: Any) -> Any:
    """Return the C function ``void(void *call)`` for a storage type, as ctypes calls it."""
    tag = np.empty(0, dtype)
    digest = SOURCES

    def run(address: Any) -> None:
        digest  # noqa: B018  part of what identifies the kept code
        call = carray(address, 1, CALL)[0]
        thread = next_number(address, _THREAD)
        scratch = thread * call.scratch
        blocks = carray(pointer(call.table), (call.blocks, 8), np.int64)
        coefficients = carray(pointer(call.coefficients), call.length, np.float64)
        sources = carray(pointer(call.sources), call.blocks, np.int64)
        targets = carray(pointer(call.targets), call.blocks, np.int64)
        tiles = carray(pointer(call.tiles), call.blocks + 1, np.int64)
        edges = carray(pointer(call.edges), call.parts + 1, np.int64)
        places = carray(pointer(call.places + scratch), LANES, np.int64)
        part = next_number(address, _PART)
        while part < call.parts:
            _tiles(
                tag,
                blocks,
                coefficients,
                sources,
                targets,
                tiles,
                edges[part],
                edges[part + 1],
                call.states + scratch,
                call.rows + scratch,
                call.tile + scratch,
                places,
            )
            part = next_number(address, _PART)

    run.__qualname__ = f"run_{tag.dtype.name}"  # each type has files of its own
    return entry(run).ctypes
