"""One call for a whole list of tensors: every tile of one thread's share.

A *tile* is ``LANES`` columns with all their rows. Tiles whose columns lie side by side are worked
on where they are. The columns left over, and columns that are not neighbours in memory, are
gathered into a tile of scratch memory and scattered back.
"""

from __future__ import annotations

from typing import Any

from cdg_torch.kernels import cpu, double
from cdg_torch.kernels.compiled import compiled
from cdg_torch.kernels.lanes import LANES, move
from cdg_torch.kernels.tables import DOUBLE_PULL, DOUBLE_SWEEPS, PULL, SCALE, SUMS

__all__ = ["COLUMNS", "drive", "tile_count"]

# The job table has one row per block of columns; ``src`` and ``dst`` are addresses, strides count
# elements, ``coefficients`` is where those of the metric and of n begin.
COLUMNS = (
    "kind",
    "coefficients",
    "src",
    "dst",
    "rows",
    "row_stride",
    "outer",
    "outer_stride",
    "inner",
    "inner_stride",
    "first_tile",
    "tiles",
)


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


@compiled
def _solve(
    kind: int,
    tag: Any,
    src: int,
    dst: int,
    n: int,
    stride: int,
    c: Any,
    following: int,
    states: int,
    rows: int,
) -> None:
    if kind == SCALE:
        cpu.scale(tag, src, dst, n, stride, c, following)
    elif kind == PULL:
        cpu.pull(tag, src, dst, n, stride, c, following)
    elif kind == SUMS:
        cpu.sums(tag, src, dst, n, stride, c, following)
    elif kind == DOUBLE_PULL:
        double.pull(tag, src, dst, n, stride, c, following)
    elif kind == DOUBLE_SWEEPS:
        double.sweeps(tag, src, dst, n, stride, c, following)
    else:
        cpu.sweeps(tag, src, dst, n, stride, c, following, states, rows)


@compiled
def drive(
    tag: Any,
    jobs: Any,
    coefficients: Any,
    begin: int,
    end: int,
    states: int,
    rows: int,
    tile: int,
    places: Any,
) -> None:
    """Work on the tiles ``begin`` to ``end`` of the list, counted over all jobs.

    ``states``, ``rows`` and ``tile`` are addresses of scratch memory, ``places`` is scratch for
    the index of each gathered column.
    """
    size = tag.itemsize
    for job in range(len(jobs)):
        kind, at, src, dst, n, stride, outer, outer_stride, inner, inner_stride, first, tiles = (
            jobs[job, 0],
            jobs[job, 1],
            jobs[job, 2],
            jobs[job, 3],
            jobs[job, 4],
            jobs[job, 5],
            jobs[job, 6],
            jobs[job, 7],
            jobs[job, 8],
            jobs[job, 9],
            jobs[job, 10],
            jobs[job, 11],
        )
        c = coefficients[at:]
        in_place = inner // LANES if inner_stride == 1 else 0
        tail = inner - in_place * LANES
        for index in range(max(begin - first, 0), min(end - first, tiles)):
            if index < outer * in_place:
                shift = (index // in_place * outer_stride + index % in_place * LANES) * size
                _solve(kind, tag, src + shift, dst + shift, n, stride, c, LANES, states, rows)
                continue
            start = (index - outer * in_place) * LANES
            count = min(outer * tail - start, LANES)
            for j in range(LANES):
                # The tile's empty lanes repeat its last column.
                column = start + min(j, count - 1)
                run, within = column // tail, in_place * LANES + column % tail
                places[j] = run * outer_stride + within * inner_stride
            for i in range(n):
                for j in range(LANES):
                    move(tag, src, places[j] + i * stride, tile, i * LANES + j)
            _solve(kind, tag, tile, tile, n, LANES, c, 0, states, rows)
            for i in range(n):
                for j in range(count):
                    move(tag, tile, i * LANES + j, dst, places[j] + i * stride)
