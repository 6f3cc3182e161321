r"""The kernels on the CPU: a block of columns, all n rows of it, stays in cache between the sweeps.

Main memory is read once and written once. Each kernel passes over its columns twice: the first
pass finds the mean and the free constants of the sweeps (:mod:`cdg_torch.solve.coefficients`), the
second one writes the result, which may take the place of the gradient. All arithmetic is float64:
a float32 leaves it 29 spare bits. The mean is kept with what its own rounding lost, so that a
nearly constant column, too, keeps all of its fluctuation.

Rows lie too far apart in memory for the processor to guess them, so they are called for. The first
pass calls the rows just ahead into the first-level cache. The second pass runs from the last row to
the first, since the last ones were read last; while it works, the rows at ``ahead``, as far apart
as its own, are called into the second-level cache, and what it is about to write into the first.

float64 gradients leave no spare bits, and take :mod:`cdg_torch.solve.cpu.double`.

==================  =========================================================================
argument            meaning
==================  =========================================================================
``tag``             names the storage type (:mod:`cdg_torch.solve.cpu.vectors`)
``src``, ``dst``    addresses of the first row of the gradient and of the result
``n``, ``stride``   number of rows, and elements from one row to the next
``c``               the coefficients (:mod:`cdg_torch.solve.coefficients`)
==================  =========================================================================
"""

from __future__ import annotations

from typing import Any

from cdg_torch.solve.coefficients import FIXED
from cdg_torch.solve.cpu.compiled import compiled
from cdg_torch.solve.cpu.vectors import LANES, load, prefetch, spread, store

# Rows per block: the state of the sweeps is corrected or kept once per block.
BLOCK = 16
# Rows from the one worked on to the one called for.
AHEAD = 8


@compiled
def scale(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int) -> None:
    """Write k = g/α, for n = 1 and for multiples of the ordinary metric."""
    for i in range(n):
        prefetch(tag, ahead, i * stride, 2)
        prefetch(tag, dst, (i + AHEAD) * stride, 1)
        store(tag, dst, i * stride, load(tag, src, i * stride) / c[0])


@compiled
def pull(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int) -> None:
    """Write k = ḡ/α + (g−ḡ)/β."""
    total = spread(0.0)
    for i in range(n):
        prefetch(tag, src, (i + AHEAD) * stride, 1)
        total = total + load(tag, src, i * stride)
    mean = total / float(n)
    level = mean / c[0]
    rate = 1.0 / c[1]
    for i in range(n - 1, -1, -1):
        prefetch(tag, ahead, i * stride, 2)
        prefetch(tag, dst, (i - AHEAD) * stride, 1)
        store(tag, dst, i * stride, level + rate * (load(tag, src, i * stride) - mean))


@compiled
def sums(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int) -> None:
    r"""Write the gradient for β = 0: both running sums in one sweep, from the last row back.

    From the known :math:`k_{n-1}` and :math:`f_{n-1}` (0 on the path), with r = g − ḡ,

    .. math:: f_{i-1} = f_i - r_i, \qquad k_{i-1} = k_i + f_{i-1}/c .
    """
    end, start = c[FIXED : FIXED + n], c[FIXED + n : FIXED + 2 * n]
    total, k, f = spread(0.0), spread(0.0), spread(0.0)
    if c[2] == 0.0:
        for i in range(n):
            prefetch(tag, src, (i + AHEAD) * stride, 1)
            g = load(tag, src, i * stride)
            total = total + g
            k = k + end[i] * g
    else:
        for i in range(n):
            prefetch(tag, src, (i + AHEAD) * stride, 1)
            g = load(tag, src, i * stride)
            total = total + g
            k = k + end[i] * g
            f = f + start[i] * g
    mean = total / float(n)
    k = k + mean / c[0]
    rest = (total - float(n) * mean) / float(n)
    rate = 1.0 / c[1]
    for last in range(n, 0, -BLOCK):
        block = max(last - BLOCK, 0)
        for i in range(last - 1, block - 1, -1):
            prefetch(tag, ahead, i * stride, 2)
            prefetch(tag, dst, (i - AHEAD) * stride, 1)
            g = load(tag, src, i * stride)
            store(tag, dst, i * stride, k)
            f = f - (g - mean)
            k = k + rate * f
        f = f + float(last - block) * rest


@compiled
def sweeps(
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
    r"""Write the gradient for β, γ > 0: a forward sweep, kept at every block, and a backward one.

    .. math:: y_i = p_{i-1}\,y_{i-1} + r_i, \qquad x_i = p_i\,x_{i+1} + y_i/(c+E_i)

    from the known :math:`x_{n-1}` and :math:`y_{-1}` (0 on the path). The first pass sweeps g, not
    yet knowing the mean, and leaves its state before every block at the address ``states``; the
    mean's own response comes off when the state is taken up again. The second pass goes from the
    last block to the first: it sweeps the block forward into ``rows``, then backward.
    """
    end, start = c[FIXED : FIXED + n], c[FIXED + n : FIXED + 2 * n]
    before, after = c[FIXED + 2 * n : FIXED + 3 * n], c[FIXED + 3 * n : FIXED + 4 * n]
    gain, response = c[FIXED + 4 * n : FIXED + 5 * n], c[FIXED + 5 * n : FIXED + 6 * n]
    homogeneous = c[FIXED + 6 * n : FIXED + 7 * n]
    wide = c[:0]
    total, x, y, y_start = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    for block in range(0, n, BLOCK):
        store(wide, states, block // BLOCK * LANES, y)
        last = min(block + BLOCK, n)
        for i in range(block, last):
            prefetch(tag, src, (i + AHEAD) * stride, 1)
            g = load(tag, src, i * stride)
            total = total + g
            x = x + end[i] * g
            y = before[i] * y + g
        if c[2] != 0.0:
            # A fourth sum would not fit the registers; the block is still in the first-level cache.
            for i in range(block, last):
                y_start = y_start + start[i] * load(tag, src, i * stride)
    mean = total / float(n)
    rest = (total - float(n) * mean) / float(n)
    level = mean / c[0]
    for block in range((n - 1) // BLOCK * BLOCK, -1, -BLOCK):
        last = min(block + BLOCK, n)
        y = load(wide, states, block // BLOCK * LANES) - response[block] * mean
        # On its own: added to the mean, what the mean's rounding lost would be lost once more.
        y = y - response[block] * rest
        y = y + homogeneous[block] * y_start
        for i in range(block, last):
            prefetch(tag, ahead, i * stride, 2)
            y = before[i] * y + (load(tag, src, i * stride) - mean)
            store(wide, rows, (i - block) * LANES, y)
        for i in range(last - 1, block - 1, -1):
            prefetch(tag, dst, (i - AHEAD) * stride, 1)
            x = after[i] * x + gain[i] * load(wide, rows, (i - block) * LANES)
            store(tag, dst, i * stride, level + x)


@compiled
def pairs(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int, rows: int) -> None:
    r"""Write the gradient for δ > 0: the sweeps go over pairs of a level and a moment.

    .. math:: (u,w)_i = (\tilde u,\tilde w)_{i-1} + (0,r_i), \qquad
        (\tilde u,\tilde w)_i = R_i\,(u,w)_i, \qquad
        (x,m)_i = R_i\,(x,m)_{i+1} + (\tilde u,\tilde w)_i

    from the known :math:`(x,m)_{n-1}` and :math:`(\tilde u,\tilde w)_{-1}` (0 on the path).

    Twice the state of :func:`sweeps` leaves no registers for the sums, which therefore have a pass
    of their own, the first; the mean is known when the sweeps begin. All that the forward sweep
    hands on is kept, at the address ``rows``: to read it from the second-level cache is a little
    faster than to sweep every block once more. Numbers count from the column's first one: four
    sums over the rows would show a rounding error of the size of the mean.
    """
    carry, ends, starts = c[FIXED:], c[FIXED + 4 * n :], c[FIXED + 6 * n :]
    wide = c[:0]
    base = load(tag, src, 0)
    total, x, m, u, w = spread(0.0), spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    for i in range(n):
        prefetch(tag, src, (i + AHEAD) * stride, 1)
        g = load(tag, src, i * stride) - base
        total = total + g
        x = x + ends[i] * g
        m = m + ends[n + i] * g
    if c[2] != 0.0:
        for i in range(n):
            g = load(tag, src, i * stride) - base
            u = u + starts[i] * g
            w = w + starts[n + i] * g
    mean = total / float(n)
    for i in range(n - 1):
        w = w + ((load(tag, src, i * stride) - base) - mean)
        v = carry[i] * u + carry[n + i] * w
        w = carry[2 * n + i] * u + carry[3 * n + i] * w
        u = v
        store(wide, rows, i * 2 * LANES, u)
        store(wide, rows, (i * 2 + 1) * LANES, w)
    level = (base + mean) / c[0]
    store(tag, dst, (n - 1) * stride, level + x)
    for i in range(n - 2, -1, -1):
        prefetch(tag, ahead, i * stride, 2)
        prefetch(tag, dst, (i - AHEAD) * stride, 1)
        y = carry[i] * x + carry[n + i] * m + load(wide, rows, i * 2 * LANES)
        m = carry[2 * n + i] * x + carry[3 * n + i] * m
        m = m + load(wide, rows, (i * 2 + 1) * LANES)
        x = y
        store(tag, dst, i * stride, level + x)
