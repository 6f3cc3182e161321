r"""The kernel for δ > 0 when a column fits the registers: read once, written once.

The sweeps are those in differences (:mod:`cdg_theory.discrete.cholesky`), which hand one number on
from row to row downwards and back: z takes the place of r in the registers. As in
:mod:`cdg_torch.solve.gpu.segments`, each thread keeps a segment of rows. With
:math:`Y=\tilde y_{i-1}` and :math:`Z=p_{i-1}z_{i-1}`, a row does

.. math::

    \begin{pmatrix}Y\\Z\end{pmatrix} \mapsto
    A_i\begin{pmatrix}Y\\Z\end{pmatrix} + \begin{pmatrix}1-s_i\\p_i\end{pmatrix} r_i, \qquad
    A_i = \begin{pmatrix}1-s_i & -s_i\\ p_i & p_i\end{pmatrix},

and on the way back, levels and differences in units of 1/d,

.. math::

    \begin{pmatrix}x\\v\end{pmatrix} \mapsto
    A_i^T\begin{pmatrix}x\\v\end{pmatrix} + \begin{pmatrix}1\\1\end{pmatrix} p_iz_i .

So what a segment does to what enters it from above is the product P of its A, and to what enters
from below the transpose of P.

**The ends.** From the last row on p = s = 0: there :math:`v=0` and x is handed up as it is, so the
last level enters from below. What the forward sweep starts from is the first segment's. On the
cycle :math:`v_{n-1}=d\varphi_x` enters row n−2, as :math:`v_{n-1}+z_{n-2}`: added to that row's r
it does the same, since there the forward sweep ends.

Numbers count from the column's first one, as on the CPU (:mod:`cdg_torch.solve.cpu.single`).

==================  ===========================================================================
table               numbers, in the order of :func:`cdg_torch.solve.gpu.segments.by_segments`
==================  ===========================================================================
(fixed)             ``FIXED``: α, c, whether the columns close to a cycle, d
``end``             rows: weights of the last level; 0 beyond the last row
``level``           rows: weights of the flux over the seam, of its level; 0 beyond the last row
``moment``          rows: the same of its moment
``carry``           rows: p; 0 from the last row on
``pull``            rows: s; 0 from the last row on
``across``          four times segments: P, row by row of its matrix
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
from cdg_torch.solve.gpu.segments import by_segments

with optional():
    import triton
    import triton.language as tl

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIXED = tl.constexpr(FIXED)


def pair_segment_tables(values: NDArray[np.float64], n: int, segments: int) -> NDArray[np.float64]:
    """Return the tables of one metric and n, one after the other."""
    arrays = values[FIXED:].reshape(-1, n)
    # Of the pair at the last row the level, then both of the flux, then p and s, whose last are 0.
    tables = [by_segments(row, segments) for row in arrays[[4, 6, 7, 8, 9]]]
    across = np.tile(np.eye(2), (segments, 1, 1))
    for p, s in zip(*tables[3:], strict=True):
        across = np.moveaxis(np.array([[1 - s, -s], [p, p]]), 2, 0) @ across
    tables.append(np.moveaxis(across, 0, 2))
    return np.concatenate([values[:FIXED], *map(np.ravel, tables)])


@triton.jit
def _apply(p11, p12, p21, p22, first, second):
    return p11 * first + p12 * second, p21 * first + p22 * second


@triton.jit
def _enter_pair(
    p11, p12, p21, p22, y, z, b11, b12, b21, b22, y_in, z_in,  # noqa: ARG001 - of what is no longer last
    q11, q12, q21, q22, u, w, c11, c12, c21, c22, u_in, w_in,
):  # fmt: skip
    """Compose what two runs of segments do, and what they do before their last segment."""
    a11, a21 = _apply(q11, q12, q21, q22, p11, p21)
    a12, a22 = _apply(q11, q12, q21, q22, p12, p22)
    d11, d21 = _apply(c11, c12, c21, c22, p11, p21)
    d12, d22 = _apply(c11, c12, c21, c22, p12, p22)
    y_out, z_out = _apply(q11, q12, q21, q22, y, z)
    y_before, z_before = _apply(c11, c12, c21, c22, y, z)
    return (
        a11, a12, a21, a22, y_out + u, z_out + w,
        d11, d12, d21, d22, y_before + u_in, z_before + w_in,
    )  # fmt: skip


@triton.jit(do_not_specialize=["block_count"])
def pair_segments(
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
    """Write the gradients for δ > 0 of columns of at most ``ROWS`` · ``SEGMENTS`` rows."""
    program = programs + 3 * tl.program_id(0)
    src, dst, c, n, stride, places, inside = program_tile(
        tag, blocks, coefficients, addresses, program, block_count, FIELDS, FLAT, COLS
    )
    HEIGHT: tl.constexpr = ROWS * SEGMENTS
    alpha, second, cyclic, rigidity = tl.load(c), tl.load(c + 1), tl.load(c + 2), tl.load(c + 3)
    lanes = tl.arange(0, SEGMENTS)
    tops = lanes * ROWS
    end = c + _FIXED + lanes
    level, moment = end + HEIGHT, end + 2 * HEIGHT
    carry, pull = end + 3 * HEIGHT, end + 4 * HEIGHT
    across = c + _FIXED + 5 * HEIGHT + lanes

    # Of 32 bits: half of the instructions. Columns that are not there have no rows.
    left = tl.where(inside[None, :], (n - tops).to(tl.int32)[:, None], 0)
    own = places[None, :] + tops[:, None] * stride
    first = tl.load(src + places, mask=inside, other=0.0)
    base = as_double(first)[None, :]
    source = src + own
    rows = ()
    total = tl.zeros([SEGMENTS, COLS], tl.float64)
    x_end = tl.zeros([SEGMENTS, COLS], tl.float64)
    u_start = tl.zeros([SEGMENTS, COLS], tl.float64)
    w_start = tl.zeros([SEGMENTS, COLS], tl.float64)
    for i in tl.static_range(ROWS):
        # Where there is no row, the first one's number: it counts 0.
        g = tl.load(source + i * stride, mask=left > i, other=first[None, :])
        rows = rows + (as_double(g) - base,)
    for i in tl.static_range(ROWS):
        total += rows[i]
        x_end += tl.load(end + i * SEGMENTS)[:, None] * rows[i]
    if cyclic != 0.0:
        for i in tl.static_range(ROWS):
            u_start += tl.load(level + i * SEGMENTS)[:, None] * rows[i]
            w_start += tl.load(moment + i * SEGMENTS)[:, None] * rows[i]
    mean = tl.sum(total, 0) / n.to(tl.float64)
    last = rigidity * tl.sum(x_end, 0)
    flux = tl.sum(u_start, 0)
    seam = rigidity * flux
    start = second * flux + tl.sum(w_start, 0)

    p11 = tl.broadcast_to(tl.load(across)[:, None], [SEGMENTS, COLS])
    p12 = tl.broadcast_to(tl.load(across + SEGMENTS)[:, None], [SEGMENTS, COLS])
    p21 = tl.broadcast_to(tl.load(across + 2 * SEGMENTS)[:, None], [SEGMENTS, COLS])
    p22 = tl.broadcast_to(tl.load(across + 3 * SEGMENTS)[:, None], [SEGMENTS, COLS])
    one = tl.full([SEGMENTS, COLS], 1.0, tl.float64)
    zero = tl.zeros([SEGMENTS, COLS], tl.float64)

    y_first = tl.where((lanes == 0)[:, None], start[None, :], 0.0)
    z_first = tl.where((lanes == 0)[:, None], seam[None, :], 0.0)
    y, z = y_first, z_first
    loads = ()
    for i in tl.static_range(ROWS):
        loads = loads + (rows[i] - mean[None, :] + tl.where(left == i + 2, seam[None, :], 0.0),)
        y += loads[i]
        z += y
        y -= tl.load(pull + i * SEGMENTS)[:, None] * z
        z *= tl.load(carry + i * SEGMENTS)[:, None]
    _, _, _, _, _, _, _, _, _, _, y, z = tl.associative_scan(
        (p11, p12, p21, p22, y, z, one, zero, zero, one, zero, zero), 0, _enter_pair
    )
    y += y_first
    z += z_first
    swept = ()
    for i in tl.static_range(ROWS):
        y += loads[i]
        z += y
        swept = swept + (z,)
        y -= tl.load(pull + i * SEGMENTS)[:, None] * z
        z *= tl.load(carry + i * SEGMENTS)[:, None]

    x_last = tl.where((lanes == SEGMENTS - 1)[:, None], last[None, :], 0.0)
    x, v = x_last, zero
    for i in tl.static_range(ROWS - 1, -1, -1):
        v = tl.load(carry + i * SEGMENTS)[:, None] * (v + swept[i])
        v -= tl.load(pull + i * SEGMENTS)[:, None] * x
        x += v
    _, _, _, _, _, _, _, _, _, _, x, v = tl.associative_scan(
        (p11, p21, p12, p22, x, v, one, zero, zero, one, zero, zero), 0, _enter_pair, reverse=True
    )
    x += x_last
    height, rate = (base + mean[None, :]) / alpha, 1.0 / rigidity
    for i in tl.static_range(ROWS - 1, -1, -1):
        v = tl.load(carry + i * SEGMENTS)[:, None] * (v + swept[i])
        v -= tl.load(pull + i * SEGMENTS)[:, None] * x
        x += v
        k = as_stored(x * rate + height, dst.dtype.element_ty)
        tl.store(dst + own + i * stride, k, mask=left > i)
