r"""k = M⁻¹g in plain PyTorch: the readable version that every faster one is held against.

The same algorithm as :mod:`cdg_theory.discrete.sweeps`, with the same factors, row by row over
all columns at once. Theorem 5 covers it; float64 inside, rounded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cdg_theory.discrete.sweeps import sweep_factors

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric

__all__ = ["apply_gram", "solve_gram"]


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


def solve_gram(g: Tensor, metric: Metric) -> Tensor:
    """Return M⁻¹g for a float64 tensor ``g`` of shape (n, ...); axis 0 is the output channel."""
    n = g.shape[0]
    if metric.is_multiple_of_l2 or n == 1:
        return g / metric.mean
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
    n = k.shape[0]
    if metric.is_multiple_of_l2 or n == 1:
        return k * metric.mean
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
