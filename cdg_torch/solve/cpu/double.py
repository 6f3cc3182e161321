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
def pull(tag: Any, src: int, dst: int, n: int, stride: int, c: Any, ahead: int) -> None:
    """Write k = ḡ/α + (g−ḡ)/β."""
    size = _size(tag, src, n, stride)
    unit = inverse_power(size)
    total, rest = spread(0.0), spread(0.0)
    for i in range(n):
        total = total + unit * load(tag, src, i * stride)
    mean = total / float(n)
    for i in range(n):
        rest = rest + (unit * load(tag, src, i * stride) - mean)
    rest = rest / float(n)
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
    total, rest = spread(0.0), spread(0.0)
    for i in range(n):
        total = total + unit * load(tag, src, i * stride)
    mean = total / float(n)
    for i in range(n):
        rest = rest + (unit * load(tag, src, i * stride) - mean)
    rest = rest / float(n)
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
