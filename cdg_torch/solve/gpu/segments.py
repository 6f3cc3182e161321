r"""The kernel for β, γ > 0 when a column fits the registers: read once, written once.

A column is cut into segments of ``ROWS`` rows, and a thread keeps one of them. With p the factor
that a sweep carries from row to row, and :math:`w_i=p_iy_i` in place of the forward sweep's y,
:mod:`cdg_torch.solve.coefficients`' two sweeps become, since :math:`1/(c+E_i)=p_i/c`,

.. math:: w_i = p_i\,(w_{i-1} + r_i), \qquad x_i = p_i\,x_{i+1} + w_i, \qquad
    k_i = \bar g/\alpha + x_i/c,

with one factor in each row for both. The last row is known, :math:`x_{n-1}=c\langle w,g\rangle`
with ``end`` w: there and below it p = 0 on the way down, and on the way back p = 1, so that it is
handed up to the first row that adds something.

**Exact in two levels.** A segment that is entered from above with :math:`w` is left with
:math:`Pw+W`: P is the product of its p, and W what it makes of 0. Entered from below with x it is
left with :math:`Px+X`. So each thread sweeps its rows from 0, one scan over the *segments* tells
what each is entered with, and each thread sweeps its rows again. The rows never leave the thread.
A scan gives what a segment is *left* with; to know what it is entered with, the maps carry along
what their last segment is entered with, :math:`P'w+W'` for the segments before it.

A product P may leave the normal numbers, as may w where γ is tiny beside β. Weights lie between
1e-150 and 1e150, so what is lost then is less than 1e-100: nothing in float32.

The tables have a number for each of the ``ROWS`` · ``SEGMENTS`` rows, those beyond the last one
included, so that no load of theirs needs a condition.

==================  ===========================================================================
table               numbers, in the order of :func:`by_segments`
==================  ===========================================================================
(fixed)             ``FIXED``: α, c, whether the columns close to a cycle, 0
``end``             rows: weights of the last value; 0 beyond the last row
``down``            rows: p on the way down; 0 from the last row on
``up``              rows: p on the way back; 1 from the last row on
``start``           rows: weights of :math:`w_{-1}`; 0 beyond the last row, and on the path
``across``          segments: P, with 1 for the p from the last row on
``response``        segments: what enters them when all r are 1 and :math:`w_{-1}=0`
``homogeneous``     segments: what enters them when all r are 0 and :math:`w_{-1}=1`
==================  ===========================================================================
"""

# Triton compiles the source, and takes annotations for code.
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call, assignment"
# Its tuples grow by addition alone.
# ruff: noqa: RUF005

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cdg_torch.extras import optional
from cdg_torch.solve.coefficients import FIXED
from cdg_torch.solve.gpu.programs import as_double, as_stored, program_tile

with optional():
    import triton
    import triton.language as tl

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A thread keeps the rows of one segment: twice as many take sixty seconds to compile.
SEGMENT_ROWS = 16
THREADS = 256
# A kernel for each number of segments. The longest columns are taken eight at a time: their
# neighbours in memory fill a sector of 32 bytes.
SEGMENT_COUNTS = (4, 8, 16, 32)
# Without this limit of registers, one program would fill a multiprocessor.
REGISTERS = 128

_FIXED = tl.constexpr(FIXED)


def segment_count(n: int) -> int | None:
    """Return how many segments columns of ``n`` rows are cut into; None if they are too long."""
    return next((s for s in SEGMENT_COUNTS if s * SEGMENT_ROWS >= n), None)


def by_segments(
    rows: NDArray[np.float64], segments: int, *, beyond: float = 0.0
) -> NDArray[np.float64]:
    """Return numbers of rows as (``SEGMENT_ROWS``, segments), filled up.

    Threads that read at once, one for each segment, so read what lies side by side.
    """
    missing = segments * SEGMENT_ROWS - len(rows)
    filled = np.pad(rows, (0, missing), constant_values=beyond)
    return filled.reshape(segments, SEGMENT_ROWS).T


def segment_tables(values: NDArray[np.float64], n: int, segments: int) -> NDArray[np.float64]:
    """Return the tables of one metric and n, one after the other."""
    end, start, before, after, _, response, homogeneous = values[FIXED:].reshape(7, n)
    down, up = by_segments(after[:-1], segments), by_segments(after[:-1], segments, beyond=1.0)
    rows = (by_segments(end, segments), down, up, by_segments(start, segments))
    into = (by_segments(before * array, segments)[0] for array in (response, homogeneous))
    return np.concatenate([values[:FIXED], *map(np.ravel, rows), up.prod(axis=0), *into])


@triton.jit
def _enter(p, w, before, entered, q, v, between, into):  # noqa: ARG001 - of what is no longer last
    """Compose what two runs of segments do, and what they do before their last segment."""
    return p * q, q * w + v, p * between, between * w + into


@triton.jit(do_not_specialize=["block_count"])
def segments(
    tag,
    blocks,
    coefficients,
    addresses,
    programs,
    block_count,
    FIELDS: tl.constexpr,
    FLAT: tl.constexpr,
    ROWS: tl.constexpr,
    SEGMENTS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Write the gradients for β, γ > 0 of columns of at most ``ROWS`` · ``SEGMENTS`` rows."""
    program = programs + 3 * tl.program_id(0)
    src, dst, c, n, stride, places, inside = program_tile(
        tag, blocks, coefficients, addresses, program, block_count, FIELDS, FLAT, COLS
    )
    HEIGHT: tl.constexpr = ROWS * SEGMENTS
    alpha, second, cyclic = tl.load(c), tl.load(c + 1), tl.load(c + 2)
    lanes = tl.arange(0, SEGMENTS)
    tops = lanes * ROWS
    end = c + _FIXED + lanes
    down, up, start = end + HEIGHT, end + 2 * HEIGHT, end + 3 * HEIGHT
    across = end + 4 * HEIGHT
    response, homogeneous = across + SEGMENTS, across + 2 * SEGMENTS

    # Of 32 bits: half of the instructions. A column that is not there has no rows.
    left = tl.where(inside[None, :], (n - tops).to(tl.int32)[:, None], 0)
    own = places[None, :] + tops[:, None] * stride
    source = src + own
    rows = ()
    for i in tl.static_range(ROWS):
        rows = rows + (as_double(tl.load(source + i * stride, mask=left > i, other=0.0)),)
    total = tl.zeros([SEGMENTS, COLS], tl.float64)
    x_end = tl.zeros([SEGMENTS, COLS], tl.float64)
    w_start = tl.zeros([SEGMENTS, COLS], tl.float64)
    for i in tl.static_range(ROWS):
        total += rows[i]
        x_end += tl.load(end + i * SEGMENTS)[:, None] * rows[i]
    if cyclic != 0.0:
        for i in tl.static_range(ROWS):
            w_start += tl.load(start + i * SEGMENTS)[:, None] * rows[i]
    count = n.to(tl.float64)
    sum_ = tl.sum(total, 0)
    mean = sum_ / count
    rest = (sum_ - count * mean) / count

    product = tl.broadcast_to(tl.load(across)[:, None], [SEGMENTS, COLS])
    none = tl.full([SEGMENTS, COLS], 1.0, tl.float64)
    zero = tl.zeros([SEGMENTS, COLS], tl.float64)
    w = zero
    fluctuation = ()
    for i in tl.static_range(ROWS):
        fluctuation = fluctuation + (rows[i] - mean[None, :],)
        w = tl.load(down + i * SEGMENTS)[:, None] * (w + fluctuation[i])
    _, _, _, w = tl.associative_scan((product, w, none, zero), 0, _enter)
    w += tl.load(homogeneous)[:, None] * tl.sum(w_start, 0)[None, :]
    # Within a segment, what the mean's rounding lost may stay: it is next to nothing there.
    w -= tl.load(response)[:, None] * rest[None, :]
    swept = ()
    for i in tl.static_range(ROWS):
        w = tl.load(down + i * SEGMENTS)[:, None] * (w + fluctuation[i])
        swept = swept + (w,)

    x = zero
    for i in tl.static_range(ROWS - 1, -1, -1):
        x = tl.load(up + i * SEGMENTS)[:, None] * x + swept[i]
    _, _, between, x = tl.associative_scan((product, x, none, zero), 0, _enter, reverse=True)
    x += between * (second * tl.sum(x_end, 0))[None, :]
    level, rate = mean / alpha, 1.0 / second
    for i in tl.static_range(ROWS - 1, -1, -1):
        x = tl.load(up + i * SEGMENTS)[:, None] * x + swept[i]
        k = as_stored(x * rate + level[None, :], dst.dtype.element_ty)
        tl.store(dst + own + i * stride, k, mask=left > i)
