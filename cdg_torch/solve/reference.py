r"""k = M⁻¹g in plain PyTorch: the readable version that every faster one is held against.

The same algorithm as :mod:`cdg_theory.discrete.sweeps`, with the same factors, row by row over
all columns at once. Theorem 5 covers it; float64 inside, rounded once. Each column is scaled by a
power of two to order one, and its result back, as in :mod:`cdg_theory.discrete.sweeps`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from cdg_theory.discrete.sweeps import sweep_factors

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric


def _split_mean(g: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over axis 0 and the fluctuation, whose own mean is taken off once more."""
    mean = g.mean(0)
    fluctuation = g - mean
    rest = fluctuation.mean(0)
    return mean + rest, fluctuation.sub_(rest)


def _sweep(y: Tensor, carry: list[float], *, backward: bool = False) -> Tensor:
    """Run y[i+1] += carry[i]·y[i] (or, backward, y[i] += carry[i]·y[i+1]) in place."""
    rows = y.unbind(0)
    if backward:
        for i in reversed(range(len(carry))):
            rows[i].add_(rows[i + 1], alpha=carry[i])
    else:
        for i in range(len(carry)):
            rows[i + 1].add_(rows[i], alpha=carry[i])
    return y


def _at_order_one(
    transform: Callable[[Tensor, Metric], Tensor], g: Tensor, metric: Metric
) -> Tensor:
    """Apply a linear map to every column in units of a power of two just below its largest entry.

    The power lies between 2⁻¹⁰²² and 2¹⁰²². Columns that are not finite become NaN in any units.
    """
    exponent = (g.abs().amax(0).view(torch.int64) >> 52).clamp(1, 2045)
    size, unit = ((e << 52).view(torch.float64) for e in (exponent, 2046 - exponent))
    return transform(g * unit, metric).mul_(size)


def solve_gram(g: Tensor, metric: Metric) -> Tensor:
    """Return M⁻¹g for a float64 tensor ``g`` of shape (n, ...); axis 0 is the output channel."""
    if metric.is_multiple_of_l2 or len(g) == 1:
        return g / metric.mean
    return _at_order_one(_solve, g, metric)


def _solve(g: Tensor, metric: Metric) -> Tensor:
    n = len(g)
    mean, r = _split_mean(g)
    if metric.derivative == 0:
        x = r.div_(metric.fluctuation)
    else:
        factors = sweep_factors(metric, n)
        carry = factors.carry.tolist()

        def column(weights: object) -> Tensor:
            values = torch.tensor(weights, dtype=g.dtype, device=g.device)
            return values.reshape(-1, *(1,) * (g.ndim - 1))

        y = _sweep(r, carry)
        if factors.flux is not None:
            y.sub_(column(factors.flux) * y.sum(0))
        x = _sweep(y.mul_(column(factors.gain)), carry, backward=True)
        x.sub_(column(factors.closure) * x.sum(0))
    return x.add_(mean / metric.mean)


def apply_gram(k: Tensor, metric: Metric) -> Tensor:
    r"""Return Mk = βk + cLk + (α−β)k̄ for a float64 tensor ``k`` of shape (n, ...)."""
    if metric.is_multiple_of_l2 or len(k) == 1:
        return k * metric.mean
    return _at_order_one(_apply, k, metric)


def _apply(k: Tensor, metric: Metric) -> Tensor:
    n = len(k)
    mean, fluctuation = _split_mean(k)
    out = metric.mean * mean + metric.fluctuation * fluctuation
    if metric.derivative == 0:
        return out
    flux = metric.stiffness(n) * k.diff(dim=0)
    out[:-1].sub_(flux)
    out[1:].add_(flux)
    if metric.boundary == "periodic":
        seam = metric.stiffness(n) * (k[0] - k[-1])
        out[-1].sub_(seam)
        out[0].add_(seam)
    return out
