r"""k = M⁻¹g in plain PyTorch: the readable version that every faster one is held against.

It *is* the algorithm that theorem 5 proves: :func:`cdg_theory.discrete.sweeps.solve_gram`, executed
on tensors. Only the sweep over the rows is written again, in place and with one operation per row,
where the theory's takes three; for β = 0 it is what it should be, a running sum. Float64 inside,
rounded once. Each column is scaled by a power of two to order one, and its result back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from cdg_theory.discrete import sweeps
from cdg_torch.devices import widened

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric


def to_rows(tensor: Tensor, dim: int, groups: int) -> Tensor:
    """Return the rows of every group in front, in float64: (n, ..., groups, ...)."""
    blocks = (*tensor.shape[:dim], groups, -1, *tensor.shape[dim + 1 :])
    return widened(tensor.reshape(blocks).movedim(dim + 1, 0))


def from_rows(rows: Tensor, dim: int) -> Tensor:
    """Return the rows of every group where :func:`to_rows` took them from, in float64."""
    return rows.movedim(0, dim + 1).flatten(dim, dim + 1)


def _carry_forward(y: Tensor, carry: list[float]) -> None:
    """Run y[i+1] += p[i]·y[i] down the rows, in place."""
    rows = y.unbind(0)
    for i, p in enumerate(carry):
        rows[i + 1].add_(rows[i], alpha=p)


def _carry_backward(x: Tensor, carry: list[float]) -> None:
    """Run x[i] += p[i]·x[i+1] up the rows, in place."""
    rows = x.unbind(0)
    for i in reversed(range(len(carry))):
        rows[i].add_(rows[i + 1], alpha=carry[i])


def _sum_down(y: Tensor, _: list[float]) -> None:
    y.copy_(y.cumsum(0))


def _sum_up(x: Tensor, _: list[float]) -> None:
    x.copy_(x.flip(0).cumsum(0).flip(0))


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
    if metric.derivative == 0:
        return sweeps.solve_gram(g, metric.mean, metric.fluctuation, None)
    known = sweeps.sweep_factors(metric, len(g))

    def tensor(values: Any) -> Any:
        return None if values is None else torch.tensor(values, dtype=g.dtype, device=g.device)

    own = map(tensor, (known.gain, known.closure, known.flux))
    factors = sweeps.SweepFactors(known.carry.tolist(), *own)
    # Without β every carry is 1.
    rows = (_carry_forward, _carry_backward) if metric.fluctuation else (_sum_down, _sum_up)
    return sweeps.solve_gram(g, metric.mean, metric.fluctuation, factors, rows)


def apply_gram(k: Tensor, metric: Metric) -> Tensor:
    r"""Return Mk = βk + cLk + (α−β)k̄ for a float64 tensor ``k`` of shape (n, ...)."""
    if metric.is_multiple_of_l2 or len(k) == 1:
        return k * metric.mean
    return _at_order_one(_apply, k, metric)


def _apply(k: Tensor, metric: Metric) -> Tensor:
    n = len(k)
    mean, fluctuation = sweeps.split_mean(k)
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
