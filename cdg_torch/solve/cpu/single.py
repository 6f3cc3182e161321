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
    r"""Write the gradient for δ > 0, by the sweeps of :mod:`cdg_theory.discrete.cholesky`.

    .. math::

        y_i &= \tilde y_{i-1}+r_i, & z_i &= p_{i-1}z_{i-1}+y_i, & \tilde y_i &= y_i-s_iz_i, \\
        v_i &= p_i\,(v_{i+1}+z_i)-s_ix_{i+1}, & x_i &= x_{i+1}+v_i &&

    from the known :math:`x_{n-1}`, and on the cycle the flux over the seam; levels count in units
    of 1/d.

    The functionals and the state of a sweep do not fit the registers together, so the functionals
    have a pass of their own, the first; the mean is known when the sweeps begin. All that the
    forward sweep hands on is kept, at the address ``rows``: to read it from the second-level cache
    is a little faster than to sweep every block once more. Numbers count from the column's first
    one: sums over the rows, twice over, would show a rounding error of the size of the mean.
    """
    end, starts = c[FIXED + 4 * n :], c[FIXED + 6 * n :]
    carry, pull = c[FIXED + 8 * n :], c[FIXED + 9 * n :]
    wide = c[:0]
    base = load(tag, src, 0)
    total, x, u, w = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    for i in range(n):
        prefetch(tag, src, (i + AHEAD) * stride, 1)
        g = load(tag, src, i * stride) - base
        total = total + g
        x = x + end[i] * g
    if c[2] != 0.0:
        for i in range(n):
            g = load(tag, src, i * stride) - base
            u = u + starts[i] * g
            w = w + starts[n + i] * g
    mean = total / float(n)
    x = c[3] * x
    v = c[3] * u
    y, z = c[1] * u + w, v
    for i in range(n - 1):
        y = y + ((load(tag, src, i * stride) - base) - mean)
        z = y + z
        store(wide, rows, i * LANES, z)
        y = y - pull[i] * z
        z = carry[i] * z
    level = (base + mean) / c[0]
    rate = 1.0 / c[3]
    store(tag, dst, (n - 1) * stride, level + rate * x)
    for i in range(n - 2, -1, -1):
        prefetch(tag, ahead, i * stride, 2)
        prefetch(tag, dst, (i - AHEAD) * stride, 1)
        v = carry[i] * (v + load(wide, rows, i * LANES)) - pull[i] * x
        x = x + v
        store(tag, dst, i * stride, level + rate * x)
