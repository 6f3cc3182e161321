r"""The kernel on the GPU: one launch for a whole list of gradients.

Each program takes ``COLS`` columns of one tensor and passes over their rows twice, ``ROWS`` of
them at a time: once for the mean and the free constants of the sweeps
(:mod:`cdg_torch.kernels.tables`), once to write the result. Inside a block of rows the sweeps are
scans; from block to block their state is carried. The algorithm, the coefficients and the float64
arithmetic are those of :mod:`cdg_torch.kernels.cpu`, equation by equation.

A first-order recurrence :math:`y_i = p_i y_{i-1} + r_i` is a scan of the maps
:math:`y \mapsto p_i y + r_i` under composition:
:math:`(p_2, r_2)\circ(p_1, r_1) = (p_1p_2,\ p_2r_1 + r_2)`.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from cdg_torch.extras import optional

with optional():
    import triton
    import triton.language as tl

__all__ = ["COLS", "ROWS", "gradients"]

ROWS = 32
COLS = 32

# Constants of compiled code.
_FIXED = tl.constexpr(3)
_SCALE, _PULL, _SUMS = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)


@triton.jit
def _compose(p1: Any, r1: Any, p2: Any, r2: Any) -> Any:
    return p1 * p2, p2 * r1 + r2


@triton.jit
def _rows_of(src: Any, places: Any, rows: Any, stride: Any, valid: Any) -> Any:
    """Load a block of rows, widened to float64; 0 where there is nothing."""
    values = tl.load(src + places[None, :] + rows[:, None] * stride, mask=valid, other=0.0)
    return values.to(tl.float32).to(tl.float64)


@triton.jit
def _write(dst: Any, places: Any, rows: Any, stride: Any, valid: Any, values: Any) -> None:
    """Round a block of rows to the storage type, by way of float32, and store it."""
    rounded = values.to(tl.float32).to(dst.dtype.element_ty)
    tl.store(dst + places[None, :] + rows[:, None] * stride, rounded, mask=valid)


@triton.jit
def _solve(
    kind: Any,
    src: Any,
    dst: Any,
    places: Any,
    inside: Any,
    n: Any,
    stride: Any,
    c: Any,
    states: Any,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """Write the gradient of the columns at ``places``, as far as they are ``inside``."""
    alpha, second, cyclic = tl.load(c), tl.load(c + 1), tl.load(c + 2)
    end, start = c + _FIXED, c + _FIXED + n
    before, after, gain = start + n, start + 2 * n, start + 3 * n
    response, homogeneous = start + 4 * n, start + 5 * n
    lanes = tl.arange(0, COLS)
    total = tl.zeros([COLS], tl.float64)
    last_value = tl.zeros([COLS], tl.float64)
    start_value = tl.zeros([COLS], tl.float64)
    state = tl.zeros([COLS], tl.float64)

    if kind != _SCALE:
        for block in range(0, n, ROWS):
            rows = block + tl.arange(0, ROWS)
            there = rows < n
            g = _rows_of(src, places, rows, stride, there[:, None] & inside[None, :])
            total += tl.sum(g, 0)
            if kind >= _SUMS:
                w = tl.load(end + rows, mask=there, other=0.0)
                last_value += tl.sum(w[:, None] * g, 0)
                if cyclic != 0.0:
                    a = tl.load(start + rows, mask=there, other=0.0)
                    start_value += tl.sum(a[:, None] * g, 0)
            if kind > _SUMS:
                tl.store(states + block // ROWS * COLS + lanes, state)
                # Rows beyond the last carry the state on unchanged.
                p = tl.load(before + rows, mask=there, other=1.0)
                p = tl.broadcast_to(p[:, None], [ROWS, COLS])
                carried, made = tl.associative_scan((p, g), 0, _compose)
                final = tl.arange(0, ROWS)[:, None] == ROWS - 1
                state = tl.sum(tl.where(final, carried, 0.0), 0) * state + tl.sum(
                    tl.where(final, made, 0.0), 0
                )
    count = n.to(tl.float64)
    mean = total / count
    rest = (total - count * mean) / count
    level = mean / alpha

    if kind < _SUMS:
        for block in range(0, n, ROWS):
            rows = block + tl.arange(0, ROWS)
            valid = (rows < n)[:, None] & inside[None, :]
            g = _rows_of(src, places, rows, stride, valid)
            k = g / alpha
            if kind == _PULL:
                k = level[None, :] + (g - mean[None, :]) / second
            _write(dst, places, rows, stride, valid, k)
    elif kind == _SUMS:
        # From the last row back: the sums after each row are those from it on, less its own.
        k, flux = last_value + level, start_value
        for back in range(0, n, ROWS):
            block = (n - 1) // ROWS * ROWS - back
            rows = block + tl.arange(0, ROWS)
            valid = (rows < n)[:, None] & inside[None, :]
            g = _rows_of(src, places, rows, stride, valid)
            r = tl.where(valid, g - mean[None, :], 0.0)
            f = tl.where(valid, flux[None, :] - tl.cumsum(r, 0, reverse=True), 0.0)
            rises = tl.cumsum(f, 0, reverse=True) / second
            _write(dst, places, rows, stride, valid, k[None, :] + (rises - f / second))
            height = tl.minimum(n - block, ROWS).to(tl.float64)
            flux -= tl.sum(r, 0) - height * rest
            k += tl.sum(f, 0) / second
    else:
        x = last_value
        for back in range(0, n, ROWS):
            block = (n - 1) // ROWS * ROWS - back
            rows = block + tl.arange(0, ROWS)
            there = rows < n
            valid = there[:, None] & inside[None, :]
            state = tl.load(states + block // ROWS * COLS + lanes)
            state += tl.load(homogeneous + block) * start_value
            state -= tl.load(response + block) * (mean + rest)
            g = _rows_of(src, places, rows, stride, valid)
            p = tl.load(before + rows, mask=there, other=1.0)
            p = tl.broadcast_to(p[:, None], [ROWS, COLS])
            carried, made = tl.associative_scan((p, g - mean[None, :]), 0, _compose)
            y = carried * state[None, :] + made
            q = tl.load(after + rows, mask=there, other=1.0)
            q = tl.broadcast_to(q[:, None], [ROWS, COLS])
            s = tl.load(gain + rows, mask=there, other=0.0)[:, None] * y
            carried, made = tl.associative_scan((q, s), 0, _compose, reverse=True)
            solution = carried * x[None, :] + made
            _write(dst, places, rows, stride, valid, solution + level[None, :])
            first = tl.arange(0, ROWS)[:, None] == 0
            x = tl.sum(tl.where(first, solution, 0.0), 0)


@triton.jit
def gradients(
    tag: Any,
    jobs: Any,
    coefficients: Any,
    addresses: Any,
    programs: Any,
    states: Any,
    job_count: Any,
    FIELDS: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """Work on ``COLS`` columns of one job.

    ================  ======================================================================
    argument          shape and meaning
    ================  ======================================================================
    ``tag``           any tensor of the list's storage type; only its dtype is used
    ``jobs``          (jobs, FIELDS) see :mod:`cdg_torch.kernels.jobs`
    ``coefficients``  see :mod:`cdg_torch.kernels.jobs`
    ``addresses``     (2, jobs) of each job's gradient and of its result
    ``programs``      (programs, 3) each one's job, first column, and place in ``states``
    ``states``        scratch memory: the forward sweep's state at every block of rows
    ================  ======================================================================
    """
    program = programs + 3 * tl.program_id(0)
    index, first, place = tl.load(program), tl.load(program + 1), tl.load(program + 2)
    job = jobs + FIELDS * index
    kind, at, n, stride = tl.load(job), tl.load(job + 1), tl.load(job + 2), tl.load(job + 3)
    outer, outer_stride = tl.load(job + 4), tl.load(job + 5)
    inner, inner_stride = tl.load(job + 6), tl.load(job + 7)
    src = tl.load(addresses + index).to(tag.dtype)
    dst = tl.load(addresses + job_count + index).to(tag.dtype)
    columns = first + tl.arange(0, COLS)
    places = columns // inner * outer_stride + columns % inner * inner_stride
    c = coefficients + at
    inside = columns < outer * inner
    _solve(kind, src, dst, places, inside, n, stride, c, states + place, ROWS, COLS)
