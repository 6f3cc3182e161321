r"""k = M⁻¹g in plain PyTorch: the readable version that every faster one is held against.

It *is* the algorithm that theorems 5 and 18 prove: :func:`cdg_theory.discrete.sweeps.solve_member`,
executed on tensors. Only the sweep over the rows is written again, in place and with one operation
per row, where the theory's takes three (with a curvature, ten: there a row is a pair, and the
operation a product with a matrix of two by two). For β = 0, with a curvature for β = γ = 0, the
sweeps are what they should be, running sums. Float64 inside, rounded once. Each column is scaled by
a power of two to order one, and its result back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from cdg_theory.discrete import sweeps
from cdg_theory.discrete.curvature import CurvatureFactors
from cdg_torch.devices import widened
from cdg_torch.solve.coefficients import pair_matrices

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric
    from cdg_theory.discrete.curvature import Ring


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


def _carry_pairs_forward(u: Tensor, w: Tensor, _: Ring, carry: Tensor) -> None:
    """Run (u, w)[i+1] += R[i]·(u, w)[i] down the rows, in place; ``carry`` is (n-1, 2, 2)."""
    pairs = torch.stack((u, w), 1).flatten(2)
    rows = pairs.unbind(0)
    for i, matrix in enumerate(carry.unbind(0)):
        rows[i + 1].addmm_(matrix, rows[i])
    _put_back(pairs, u, w)


def _carry_pairs_backward(u: Tensor, w: Tensor, _: Ring, carry: Tensor) -> None:
    """Run (x, m)[i] = R[i]·((x, m)[i+1] + (u, w)[i]) up the rows, from 0, in place."""
    pairs = torch.stack((u, w), 1).flatten(2)
    pairs[:-1] = carry @ pairs[:-1]
    pairs[-1] = 0
    rows = pairs.unbind(0)
    for i, matrix in reversed(list(enumerate(carry.unbind(0)))):
        rows[i].addmm_(matrix, rows[i + 1])
    _put_back(pairs, u, w)


def _put_back(pairs: Tensor, u: Tensor, w: Tensor) -> None:
    u.copy_(pairs[:, 0].view(u.shape))
    w.copy_(pairs[:, 1].view(w.shape))


def _sum_pairs_down(u: Tensor, w: Tensor, _: Ring, carry: Tensor) -> None:
    """Run the same sums for β = γ = 0, where R = [[1, b], [0, 1]]."""
    w.copy_(w.cumsum(0))
    u[1:].addcmul_(_rise(carry, u), w[:-1])
    u.copy_(u.cumsum(0))


def _sum_pairs_up(u: Tensor, w: Tensor, _: Ring, carry: Tensor) -> None:
    u[-1], w[-1] = 0, 0
    w.copy_(w.flip(0).cumsum(0).flip(0))
    u[:-1].addcmul_(_rise(carry, u), w[:-1])
    u.copy_(u.flip(0).cumsum(0).flip(0))


def _rise(carry: Tensor, like: Tensor) -> Tensor:
    return carry[:, 0, 1].reshape(-1, *(1,) * (like.ndim - 1))


def at_order_one(
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
    return at_order_one(_solve, g, metric)


def _solve(g: Tensor, metric: Metric) -> Tensor:
    known = sweeps.factors_of(metric, len(g))

    def tensor(values: Any) -> Any:
        return None if values is None else torch.tensor(values, dtype=g.dtype, device=g.device)

    factors: sweeps.SweepFactors | CurvatureFactors | None = None
    rows: Any = None
    if isinstance(known, CurvatureFactors):
        carry, closure, seam = map(tensor, (pair_matrices(known), known.closure, known.seam))
        factors = CurvatureFactors(known.ring, carry, closure, seam, known.release)
        # With neither β nor γ every R is [[1, b], [0, 1]].
        if metric.fluctuation or metric.derivative:
            rows = (_carry_pairs_forward, _carry_pairs_backward)
        else:
            rows = (_sum_pairs_down, _sum_pairs_up)
    elif known is not None:
        own = map(tensor, (known.gain, known.closure, known.flux))
        factors = sweeps.SweepFactors(known.carry.tolist(), *own)
        # Without β every carry is 1.
        rows = (_carry_forward, _carry_backward) if metric.fluctuation else (_sum_down, _sum_up)
    return sweeps.solve_member(g, metric.mean, metric.fluctuation, factors, rows)


def apply_gram(k: Tensor, metric: Metric) -> Tensor:
    r"""Return Mk = βk + cLk + dL(Lk) + (α−β)k̄ for a float64 tensor ``k`` of shape (n, ...)."""
    if metric.is_multiple_of_l2 or len(k) == 1:
        return k * metric.mean
    return at_order_one(_apply, k, metric)


def _apply(k: Tensor, metric: Metric) -> Tensor:
    n = len(k)
    mean, fluctuation = sweeps.split_mean(k)
    out = metric.mean * mean + metric.fluctuation * fluctuation
    if metric.derivative:
        _add_laplacian(out, k, metric.stiffness(n), metric)
    if metric.curvature:
        bent = _add_laplacian(torch.zeros_like(k), k, 1.0, metric)
        _add_laplacian(out, bent, metric.rigidity(n), metric)
    return out


def _add_laplacian(out: Tensor, k: Tensor, weight: float, metric: Metric) -> Tensor:
    """Add a multiple of Lk to ``out``, in flux form, and return it."""
    flux = weight * k.diff(dim=0)
    out[:-1].sub_(flux)
    out[1:].add_(flux)
    if metric.boundary == "periodic":
        seam = weight * (k[0] - k[-1])
        out[-1].sub_(seam)
        out[0].add_(seam)
    return out
