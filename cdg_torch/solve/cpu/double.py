r"""The CPU kernels for float64 gradients: the reference's algorithm, pass by pass.

A float64 leaves no spare bits in float64 arithmetic, so the free constants cannot be had from
functionals of the column to the accuracy of the reference: those cancel. Here the sweeps run as in
:mod:`cdg_theory.discrete.sweeps`, in place in the result, with the mean taken off twice, and each
constant is taken off every row afterwards. More passes, all of them in cache. Arguments as in
:mod:`cdg_torch.solve.cpu.single`.

Each column is scaled by a power of two to order one, and its result back: no digit changes, and
only a result that float64 cannot hold overflows, none of the sums before it.
"""

from __future__ import annotations

from typing import Any

from cdg_torch.solve.coefficients import FIXED
from cdg_torch.solve.cpu.compiled import compiled
from cdg_torch.solve.cpu.vectors import (
    LANES,
    inverse_power,
    larger,
    load,
    power_of_two,
    prefetch,
    spread,
    store,
)


@compiled
def _size(tag: Any, src: int, n: int, stride: int) -> Any:
    """Return the power of two that each column is measured in."""
    largest = spread(0.0)
    for i in range(n):
        largest = larger(largest, load(tag, src, i * stride))
    return power_of_two(largest)


@compiled
def _mean(tag: Any, src: int, n: int, stride: int, unit: Any) -> Any:
    """Return the mean of each column in its unit, and what rounding took from it."""
    total, rest = spread(0.0), spread(0.0)
    for i in range(n):
        total = total + unit * load(tag, src, i * stride)
    mean = total / float(n)
    for i in range(n):
        rest = rest + (unit * load(tag, src, i * stride) - mean)
    return mean, rest / float(n)


@compiled
def pull(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int) -> None:
    """Write k = ḡ/α + (g−ḡ)/β."""
    size = _size(tag, src, n, stride)
    unit = inverse_power(size)
    mean, rest = _mean(tag, src, n, stride, unit)
    level = (mean + rest) / c[0]
    for i in range(n):
        prefetch(tag, ahead, i * stride, 2)
        r = (unit * load(tag, src, i * stride) - mean) - rest
        store(tag, dst, i * stride, size * (level + r / c[1]))


@compiled
def sweeps(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int) -> None:
    r"""Write the gradient for γ > 0: forward, flux, backward, closure."""
    before, after = c[FIXED : FIXED + n], c[FIXED + n : FIXED + 2 * n]
    gain, closure = c[FIXED + 2 * n : FIXED + 3 * n], c[FIXED + 3 * n : FIXED + 4 * n]
    flux = c[FIXED + 4 * n : FIXED + 5 * n]
    size = _size(tag, src, n, stride)
    unit = inverse_power(size)
    mean, rest = _mean(tag, src, n, stride, unit)
    level = (mean + rest) / c[0]

    y, total = spread(0.0), spread(0.0)
    for i in range(n):
        prefetch(tag, ahead, i * stride, 2)
        y = before[i] * y + ((unit * load(tag, src, i * stride) - mean) - rest)
        store(tag, dst, i * stride, y)
        total = total + y
    x, excess = spread(0.0), spread(0.0)
    for i in range(n - 1, -1, -1):
        y = load(tag, dst, i * stride) - flux[i] * total
        x = after[i] * x + gain[i] * y
        store(tag, dst, i * stride, x)
        excess = excess + x
    for i in range(n):
        x = load(tag, dst, i * stride) - closure[i] * excess
        store(tag, dst, i * stride, size * (level + x))


@compiled
def _level(matrix: Any, n: int, i: int, x: Any, m: Any) -> Any:
    """Return the level of what row i's element makes of a pair."""
    return matrix[i] * x + matrix[n + i] * m


@compiled
def _act(matrix: Any, n: int, i: int, x: Any, m: Any) -> Any:
    """Return what row i's element makes of a pair."""
    return _level(matrix, n, i, x, m), matrix[2 * n + i] * x + matrix[3 * n + i] * m


@compiled
def pairs(
    tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int, levels: int
) -> None:
    r"""Write the gradient for δ > 0: forward, backward, closure, and on the cycle the seam.

    The forward sweep leaves moments in the result's place and levels in scratch memory at
    ``levels``; the backward sweep leaves levels in the result's place.
    """
    carry, closure = c[FIXED:], c[FIXED + 4 * n :]
    seam, release = c[FIXED + 8 * n :], c[FIXED + 12 * n :]
    size = _size(tag, src, n, stride)
    unit = inverse_power(size)
    mean, rest = _mean(tag, src, n, stride, unit)
    level = (mean + rest) / c[0]

    u, w = spread(0.0), spread(0.0)
    if c[2] != 0.0:
        for i in range(n):
            r = (unit * load(tag, src, i * stride) - mean) - rest
            u = u - seam[n + i] * r
            w = w - seam[3 * n + i] * r
        u, w = _act(release, n, 0, u, w)
    flux_u, flux_w = u, w
    for i in range(n - 1):
        prefetch(tag, ahead, i * stride, 2)
        w = w + ((unit * load(tag, src, i * stride) - mean) - rest)
        store(tag, levels, i * LANES, u)
        store(tag, dst, i * stride, w)
        u, w = _act(carry, n, i, u, w)
    x, m, x_sum, m_sum = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    store(tag, dst, (n - 1) * stride, x)
    for i in range(n - 2, -1, -1):
        x, m = x + load(tag, levels, i * LANES), m + load(tag, dst, i * stride)
        x, m = _act(carry, n, i, x, m)
        store(tag, dst, i * stride, x)
        x_sum = x_sum + x
        m_sum = m_sum + m
    if c[2] == 0.0:
        for i in range(n):
            x = load(tag, dst, i * stride) - _level(closure, n, i, x_sum, m_sum)
            store(tag, dst, i * stride, size * (level + x))
    else:
        # The flow over the seam: the last row's level and moment, 0 but for the closure, less the
        # first one's.
        x_first, m_first = _act(closure, n, 0, x_sum, m_sum)
        x_last, m_last = _act(closure, n, n - 1, x_sum, m_sum)
        u = ((x_first - x_last) - x) - flux_u
        w = ((m_first - m_last) - m) - flux_w
        u, w = _act(release, n, 0, u, w)
        for i in range(n):
            x = load(tag, dst, i * stride) - _level(closure, n, i, x_sum, m_sum)
            store(tag, dst, i * stride, size * (level + (x + _level(seam, n, i, u, w))))
