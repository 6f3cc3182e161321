r"""The kernels on the GPU: one launch for all gradients of a list that one kernel serves.

The equations, the coefficients (:mod:`cdg_torch.solve.coefficients`) and the float64 arithmetic are
those of :mod:`cdg_torch.solve.cpu.single`. What differs is who does them: a GPU is busy only with a
hundred thousand threads, and a network has fewer columns than that.

**Without β** (``walks``) every column is cut into ``SEGMENTS`` segments, and a thread walks each.
The first pass finds the mean, the free constants, and of every segment its sum
:math:`R=\sum_i r_i` and its moment :math:`D=\sum_i (i+1)\,r_i`, with i counted from the segment's
first row. A segment of m rows that is entered from below with f and k is left with

.. math:: f - R, \qquad k + \frac{1}{c}\sum_{i}\Bigl(f-\sum_{j\ge i} r_j\Bigr) = k + (mf - D)/c,

so that two running sums over the segments tell what each is entered with. The second pass writes.

**With β or a curvature** columns of at most 512 rows have kernels of their own
(:mod:`cdg_torch.solve.gpu.segments`, :mod:`cdg_torch.solve.gpu.pair_segments`). For longer ones
with β (``sweeps``) the forward sweep must be kept while the backward one goes over it, and threads
share a block of ``ROWS`` rows, which fits their registers. The recurrence
:math:`y_i = p_i y_{i-1} + r_i` is a scan of the maps :math:`y \mapsto p_i y + r_i` under
composition, :math:`(p_2, r_2)\circ(p_1, r_1) = (p_1p_2,\ p_2r_1 + r_2)`; from block to block its
state is carried.

**With a curvature** (``pairs``) the same is done with pairs of a level and a moment, of which a row
makes :math:`z \mapsto R_i\,(z + (0, r_i))`, then on the way back :math:`z \mapsto R_iz + v_i`, with
v what the forward sweep has made. The sums have a pass of their own, and numbers count from the
column's first one, as on the CPU.

==================  ===========================================================================
argument            shape and meaning
==================  ===========================================================================
``tag``             any tensor of the list's storage type; only its dtype is used
``blocks``          (blocks, ``FIELDS``) see :class:`cdg_torch.solve.columns.BlockTable`
``coefficients``    see :class:`cdg_torch.solve.columns.BlockTable`
``addresses``       (2, blocks) of each block's gradient and of its result
``programs``        (programs, 3) each one's block, first column, and place in ``states``
``states``          scratch memory: the forward sweep's state before every block of rows, for
                    pairs the levels and then the moments
``block_count``     number of blocks
``FLAT``            whether the columns of every block of ``programs`` are neighbours in memory:
                    only then the compiler knows to let neighbouring threads take them
==================  ===========================================================================
"""

# Triton compiles the source, and takes annotations for code.
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

from cdg_torch.extras import optional
from cdg_torch.solve.coefficients import FIXED, PULL, SCALE, SUMS

with optional():
    import triton
    import triton.language as tl

# Of the tiles tried on an H200, the fastest. Neighbouring columns lie in one line of the cache. The
# two running sums take so many registers that fewer threads fit.
SEGMENTS, COLS = {SCALE: 32, PULL: 32, SUMS: 16}, 32
# Threads of ``walks`` have four segments each. A tile of ``sweeps`` belongs to one warp, for which
# a scan needs no barrier.
PER_THREAD = 4
ROWS, SWEEP_COLS = 32, 8

# Constants of compiled code.
_FIXED = tl.constexpr(FIXED)
_SCALE, _PULL, _SUMS = tl.constexpr(SCALE), tl.constexpr(PULL), tl.constexpr(SUMS)


@triton.jit
def as_double(values):
    """Return what is stored as float64."""
    return values.to(tl.float32).to(tl.float64)


@triton.jit
def as_stored(values, TYPE: tl.constexpr):
    """Round to the storage type, by way of float32."""
    return values.to(tl.float32).to(TYPE)


@triton.jit
def _load(src, places, rows, stride, valid):
    """Load a tile; 0 where there is nothing."""
    tile = src + places[None, :] + rows[:, None] * stride
    return as_double(tl.load(tile, mask=valid, other=0.0))


@triton.jit
def _store(dst, places, rows, stride, valid, values):
    """Store a tile."""
    tile = dst + places[None, :] + rows[:, None] * stride
    tl.store(tile, as_stored(values, dst.dtype.element_ty), mask=valid)


@triton.jit
def _columns(block, first, WIDTH: tl.constexpr, FLAT: tl.constexpr):
    """Return where the columns of a tile lie, and which of them there are."""
    outer, outer_stride = tl.load(block + 4), tl.load(block + 5)
    inner, inner_stride = tl.load(block + 6), tl.load(block + 7)
    columns = first + tl.arange(0, WIDTH)
    places = columns
    if not FLAT:
        places = columns // inner * outer_stride + columns % inner * inner_stride
    return places, columns < outer * inner


@triton.jit
def program_tile(
    tag,
    blocks,
    coefficients,
    addresses,
    program,
    block_count,
    FIELDS: tl.constexpr,
    FLAT: tl.constexpr,
    COLS: tl.constexpr,
):
    """Return a program's tile: addresses, coefficients, rows, row stride, and its columns."""
    index = tl.load(program)
    block = blocks + FIELDS * index
    src = tl.load(addresses + index).to(tag.dtype)
    dst = tl.load(addresses + block_count + index).to(tag.dtype)
    c, n, stride = coefficients + tl.load(block + 1), tl.load(block + 2), tl.load(block + 3)
    places, inside = _columns(block, tl.load(program + 1), COLS, FLAT)
    return src, dst, c, n, stride, places, inside


@triton.jit
def _enter(own):
    """Return the sum of all segments below each."""
    return tl.cumsum(own, 0, reverse=True) - own


# A list of one gradient, or of 16, needs no code of its own.
@triton.jit(do_not_specialize=["block_count"])
def walks(
    tag,
    blocks,
    coefficients,
    addresses,
    programs,
    block_count,
    FIELDS: tl.constexpr,
    KIND: tl.constexpr,
    FLAT: tl.constexpr,
    SEGMENTS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Write the gradients for β = 0, for γ = 0, and for multiples of the ordinary metric."""
    program = programs + 3 * tl.program_id(0)
    src, dst, c, n, stride, places, inside = program_tile(
        tag, blocks, coefficients, addresses, program, block_count, FIELDS, FLAT, COLS
    )
    alpha, second = tl.load(c), tl.load(c + 1)
    length = (n + SEGMENTS - 1) // SEGMENTS
    tops = tl.arange(0, SEGMENTS) * length

    mean = tl.zeros([COLS], tl.float64)
    f = tl.zeros([SEGMENTS, COLS], tl.float64)
    k = tl.zeros([SEGMENTS, COLS], tl.float64)
    if KIND != _SCALE:
        end, start, cyclic = c + _FIXED, c + _FIXED + n, tl.load(c + 2)
        total = tl.zeros([SEGMENTS, COLS], tl.float64)
        moment = tl.zeros([SEGMENTS, COLS], tl.float64)
        for i in range(length):
            rows = tops + i
            there = rows < n
            g = _load(src, places, rows, stride, there[:, None] & inside[None, :])
            total += g
            if KIND == _SUMS:
                moment += (rows - tops + 1).to(tl.float64)[:, None] * g
                k += tl.load(end + rows, mask=there, other=0.0)[:, None] * g
                if cyclic != 0.0:
                    f += tl.load(start + rows, mask=there, other=0.0)[:, None] * g
        count = n.to(tl.float64)
        sum_ = tl.sum(total, 0)
        mean = sum_ / count
        level, rate = mean / alpha, 1.0 / second
        if KIND == _PULL:
            k += level[None, :]
        else:
            rest = (sum_ - count * mean) / count
            sizes = tl.minimum(tl.maximum(n - tops, 0), length).to(tl.float64)[:, None]
            own = total - sizes * mean[None, :] - sizes * rest[None, :]
            # Within a segment, what the mean's rounding lost may stay: it is next to nothing there.
            moment -= sizes * (sizes + 1.0) / 2.0 * mean[None, :]
            f = tl.sum(f, 0)[None, :] - _enter(own)
            k = (tl.sum(k, 0) + level)[None, :] + _enter((sizes * f - moment) / second)

    for back in range(length):
        rows = tops + (length - 1 - back)
        valid = (rows < n)[:, None] & inside[None, :]
        g = _load(src, places, rows, stride, valid)
        if KIND == _SCALE:
            _store(dst, places, rows, stride, valid, g / alpha)
        elif KIND == _PULL:
            _store(dst, places, rows, stride, valid, k + rate * (g - mean[None, :]))
        else:
            _store(dst, places, rows, stride, valid, k)
            f = tl.where(valid, f - (g - mean[None, :]), f)
            k = tl.where(valid, k + rate * f, k)


@triton.jit
def _compose(p1, r1, p2, r2):
    return p1 * p2, p2 * r1 + r2


@triton.jit(do_not_specialize=["block_count"])
def sweeps(
    tag,
    blocks,
    coefficients,
    addresses,
    programs,
    states,
    block_count,
    FIELDS: tl.constexpr,
    FLAT: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Write the gradients for β, γ > 0."""
    program = programs + 3 * tl.program_id(0)
    src, dst, c, n, stride, places, inside = program_tile(
        tag, blocks, coefficients, addresses, program, block_count, FIELDS, FLAT, COLS
    )
    states += tl.load(program + 2) + tl.arange(0, COLS)
    alpha, cyclic = tl.load(c), tl.load(c + 2)
    end, start = c + _FIXED, c + _FIXED + n
    before, after, gain = start + n, start + 2 * n, start + 3 * n
    response, homogeneous = start + 4 * n, start + 5 * n
    lanes = tl.arange(0, ROWS)

    total = tl.zeros([ROWS, COLS], tl.float64)
    x_end = tl.zeros([ROWS, COLS], tl.float64)
    y_start = tl.zeros([ROWS, COLS], tl.float64)
    state = tl.zeros([COLS], tl.float64)
    for block in range(0, n, ROWS):
        rows = block + lanes
        there = rows < n
        g = _load(src, places, rows, stride, there[:, None] & inside[None, :])
        total += g
        x_end += tl.load(end + rows, mask=there, other=0.0)[:, None] * g
        if cyclic != 0.0:
            y_start += tl.load(start + rows, mask=there, other=0.0)[:, None] * g
        tl.store(states + block // ROWS * COLS, state)
        # What a row's share has shrunk to at the end of its block: the product of the p beyond it.
        p = tl.load(before + rows + 1, mask=(rows + 1 < n) & (lanes < ROWS - 1), other=1.0)
        share = tl.cumprod(p, 0, reverse=True)
        across = tl.load(before + block) * tl.sum(tl.where(lanes == 0, share, 0.0), 0)
        state = across * state + tl.sum(share[:, None] * g, 0)

    count = n.to(tl.float64)
    sum_ = tl.sum(total, 0)
    mean = sum_ / count
    rest = (sum_ - count * mean) / count
    level = mean / alpha
    x = tl.sum(x_end, 0)
    first = tl.sum(y_start, 0)
    for back in range(0, n, ROWS):
        block = (n - 1) // ROWS * ROWS - back
        rows = block + lanes
        there = rows < n
        valid = there[:, None] & inside[None, :]
        y = tl.load(states + block // ROWS * COLS) + tl.load(homogeneous + block) * first
        y -= tl.load(response + block) * mean
        # On its own: added to the mean, what the mean's rounding lost would be lost once more.
        y -= tl.load(response + block) * rest
        g = _load(src, places, rows, stride, valid)
        # Rows beyond the last carry the state on unchanged.
        p = tl.load(before + rows, mask=there, other=1.0)
        p = tl.broadcast_to(p[:, None], [ROWS, COLS])
        carried, made = tl.associative_scan((p, g - mean[None, :]), 0, _compose)
        s = tl.load(gain + rows, mask=there, other=0.0)[:, None]
        s = s * (carried * y[None, :] + made)
        q = tl.load(after + rows, mask=there, other=1.0)
        q = tl.broadcast_to(q[:, None], [ROWS, COLS])
        carried, made = tl.associative_scan((q, s), 0, _compose, reverse=True)
        solution = carried * x[None, :] + made
        _store(dst, places, rows, stride, valid, solution + level[None, :])
        x = tl.sum(tl.where(lanes[:, None] == 0, solution, 0.0), 0)


@triton.jit
def _times(a11, a12, a21, a22, b11, b12, b21, b22):
    """Multiply matrices of the ring, which commute."""
    return (
        a11 * b11 + a12 * b21,
        a11 * b12 + a12 * b22,
        a21 * b11 + a22 * b21,
        a21 * b12 + a22 * b22,
    )


@triton.jit
def _compose_pairs(a11, a12, a21, a22, x1, m1, b11, b12, b21, b22, x2, m2):
    c11, c12, c21, c22 = _times(b11, b12, b21, b22, a11, a12, a21, a22)
    return c11, c12, c21, c22, b11 * x1 + b12 * m1 + x2, b21 * x1 + b22 * m1 + m2


@triton.jit
def _matrices(carry, n, rows):
    """Load R of some rows; where there is none, and in the last row, 1."""
    there = rows < n - 1
    diagonal = tl.load(carry + rows, mask=there, other=1.0)
    upper = tl.load(carry + n + rows, mask=there, other=0.0)
    lower = tl.load(carry + 2 * n + rows, mask=there, other=0.0)
    return diagonal, upper, lower, tl.load(carry + 3 * n + rows, mask=there, other=1.0)


@triton.jit
def _first_row(tile, lanes):
    return tl.sum(tl.where(lanes[:, None] == 0, tile, 0.0), 0)


@triton.jit(do_not_specialize=["block_count"])
def pairs(
    tag,
    blocks,
    coefficients,
    addresses,
    programs,
    states,
    block_count,
    FIELDS: tl.constexpr,
    FLAT: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Write the gradients for δ > 0."""
    program = programs + 3 * tl.program_id(0)
    src, dst, c, n, stride, places, inside = program_tile(
        tag, blocks, coefficients, addresses, program, block_count, FIELDS, FLAT, COLS
    )
    states += tl.load(program + 2) + tl.arange(0, COLS)
    alpha, cyclic = tl.load(c), tl.load(c + 2)
    carry, end, start = c + _FIXED, c + _FIXED + 4 * n, c + _FIXED + 6 * n
    lanes = tl.arange(0, ROWS)
    base = as_double(tl.load(src + places, mask=inside, other=0.0))

    total = tl.zeros([ROWS, COLS], tl.float64)
    x_end = tl.zeros([ROWS, COLS], tl.float64)
    m_end = tl.zeros([ROWS, COLS], tl.float64)
    u_start = tl.zeros([ROWS, COLS], tl.float64)
    w_start = tl.zeros([ROWS, COLS], tl.float64)
    for block in range(0, n, ROWS):
        rows = block + lanes
        there = rows < n
        valid = there[:, None] & inside[None, :]
        g = tl.where(valid, _load(src, places, rows, stride, valid) - base[None, :], 0.0)
        total += g
        x_end += tl.load(end + rows, mask=there, other=0.0)[:, None] * g
        m_end += tl.load(end + n + rows, mask=there, other=0.0)[:, None] * g
        if cyclic != 0.0:
            u_start += tl.load(start + rows, mask=there, other=0.0)[:, None] * g
            w_start += tl.load(start + n + rows, mask=there, other=0.0)[:, None] * g
    mean = tl.sum(total, 0) / n.to(tl.float64)
    level = (base + mean) / alpha
    x, m = tl.sum(x_end, 0), tl.sum(m_end, 0)
    u, w = tl.sum(u_start, 0), tl.sum(w_start, 0)

    for block in range(0, n, ROWS):
        rows = block + lanes
        valid = (rows < n - 1)[:, None] & inside[None, :]
        r = (_load(src, places, rows, stride, valid) - base[None, :]) - mean[None, :]
        r = tl.where(valid, r, 0.0)
        tl.store(states + block // ROWS * 2 * COLS, u)
        tl.store(states + (block // ROWS * 2 + 1) * COLS, w)
        # What a row's share has become at the end of its block: the product of the R from it on.
        p11, p12, p21, p22 = _matrices(carry, n, rows)
        p11, p12, p21, p22 = tl.associative_scan((p11, p12, p21, p22), 0, _times, reverse=True)
        first = lanes == 0
        f11, f12 = tl.sum(tl.where(first, p11, 0.0), 0), tl.sum(tl.where(first, p12, 0.0), 0)
        f21, f22 = tl.sum(tl.where(first, p21, 0.0), 0), tl.sum(tl.where(first, p22, 0.0), 0)
        level_after = f11 * u + f12 * w + tl.sum(p12[:, None] * r, 0)
        w = f21 * u + f22 * w + tl.sum(p22[:, None] * r, 0)
        u = level_after

    for back in range(0, n, ROWS):
        block = (n - 1) // ROWS * ROWS - back
        rows = block + lanes
        valid = (rows < n)[:, None] & inside[None, :]
        handed_on = (rows < n - 1)[:, None] & inside[None, :]
        u_in = tl.load(states + block // ROWS * 2 * COLS)[None, :]
        w_in = tl.load(states + (block // ROWS * 2 + 1) * COLS)[None, :]
        r = (_load(src, places, rows, stride, handed_on) - base[None, :]) - mean[None, :]
        r = tl.where(handed_on, r, 0.0)
        p11, p12, p21, p22 = _matrices(carry, n, rows)
        q11 = tl.broadcast_to(p11[:, None], [ROWS, COLS])
        q12 = tl.broadcast_to(p12[:, None], [ROWS, COLS])
        q21 = tl.broadcast_to(p21[:, None], [ROWS, COLS])
        q22 = tl.broadcast_to(p22[:, None], [ROWS, COLS])
        c11, c12, c21, c22, made_u, made_w = tl.associative_scan(
            (q11, q12, q21, q22, q12 * r, q22 * r), 0, _compose_pairs
        )
        made_u = tl.where(handed_on, c11 * u_in + c12 * w_in + made_u, 0.0)
        made_w = tl.where(handed_on, c21 * u_in + c22 * w_in + made_w, 0.0)
        c11, c12, c21, c22, made_u, made_w = tl.associative_scan(
            (q11, q12, q21, q22, made_u, made_w), 0, _compose_pairs, reverse=True
        )
        solution = c11 * x[None, :] + c12 * m[None, :] + made_u
        moments = c21 * x[None, :] + c22 * m[None, :] + made_w
        _store(dst, places, rows, stride, valid, solution + level[None, :])
        x, m = _first_row(solution, lanes), _first_row(moments, lanes)
