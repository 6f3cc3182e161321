r"""Theorem 6: the gradient on n channels tends to the continuum's at second order.

Manufactured solutions: choose k, let SymPy derive
:math:`g=\alpha\bar k+\beta(k-\bar k)-\gamma k''+\delta k^{(4)}`, sample g, solve, and compare with
k. Both the observed order and an absolute bound are checked; the bounds are derived in the docs and
use suprema of derivatives only. Theorem 18 says the same with a curvature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.continuum.grids import elements
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdg_theory.metric import Boundary

PAGE = "theory/convergence.md"
SIZES = (32, 64, 128, 256, 512)
# Slopes of a second-order method with an h⁴ or h³ term behind it, on these meshes.
SLOPE_TOLERANCE = 0.05
o = sp.Symbol("o", real=True)

# Natural ends: k′ vanishes there and k‴ does not, so that the end rows are put to the test.
SOLUTIONS: dict[Boundary, Any] = {
    "natural": sp.Rational(1, 2) + 8 * o**2 * (1 - o) ** 2 * (1 + 2 * o),
    "periodic": 1 / (2 + sp.cos(2 * sp.pi * o)),
}
MEANS: dict[Boundary, Any] = {
    "natural": sp.integrate(SOLUTIONS["natural"], (o, 0, 1)),
    "periodic": 1 / sp.sqrt(3),
}
# With a curvature k‴ vanishes at natural ends, too, and the fifth derivative does not.
FLATTER = sp.Rational(1, 2) + 40 * (o**4 / 4 - o**5 / 5 - o**6 / 2 + 5 * o**7 / 7 - o**8 / 4)
CURVED = ((1.0, 0.0, 0.0, 0.01), (1.0, 1.0, 0.0, 1e-3), (1.0, 4.0, 4.0, 1.0), (0.5, 9.0, 0.1, 0.02))
WEIGHTS = ((1.0, 0.0, 0.1), (1.0, 1.0, 1.0), (0.5, 30.0, 0.02), (2.0, 1e-9, 5.0))


@dataclass(frozen=True, slots=True)
class Manufactured:
    """A solution k, its L² gradient g, and the suprema of their derivatives by order."""

    k: Callable[[Any], Any]
    g: Callable[[Any], Any]
    mean: float
    k_max: tuple[float, ...]
    g_max: tuple[float, ...]
    k_derivatives: tuple[Callable[[Any], Any], ...]


@cache
def manufacture(metric: Metric) -> Manufactured:
    """Derive the gradient that belongs to the boundary's solution."""
    k, mean = SOLUTIONS[metric.boundary], MEANS[metric.boundary]
    if metric.curvature and metric.boundary == "natural":
        k, mean = FLATTER, sp.integrate(FLATTER, (o, 0, 1))
    weights = (metric.mean, metric.fluctuation, metric.derivative, metric.curvature)
    alpha, beta, gamma, delta = (sp.Float(weight, 30) for weight in weights)
    g = alpha * mean + beta * (k - mean) - gamma * sp.diff(k, o, 2) + delta * sp.diff(k, o, 4)
    # Sampled suprema: 4097 points miss a smooth maximum by less than the 1 % added here.
    fine = np.linspace(0.0, 1.0, 4097)

    def function(expression: Any) -> Callable[[Any], Any]:
        return lambda points: sp.lambdify(o, expression, "numpy")(points) + 0 * points

    def suprema(expression: Any, orders: int) -> tuple[float, ...]:
        derivatives = (function(sp.diff(expression, o, order)) for order in range(orders))
        return tuple(1.01 * float(np.abs(f(fine)).max()) for f in derivatives)

    derivatives = tuple(function(sp.diff(k, o, order)) for order in range(5))
    return Manufactured(
        function(k), function(g), float(mean), suprema(k, 7), suprema(g, 3), derivatives
    )


def errors(metric: Metric, case: Manufactured, n: int, *, sampled_at: float = 0.5) -> Any:
    """Return k − k_h at the cell centres, g being sampled at (i + ``sampled_at``)/n."""
    cells = np.arange(n)
    k_h = riemannian_gradient(case.g((cells + sampled_at) / n), metric)
    return case.k((cells + 0.5) / n) - k_h


def orders(norms: list[float]) -> list[float]:
    """Return the observed order of accuracy between each mesh and the next, twice as fine."""
    return [float(np.log2(coarse / fine)) for coarse, fine in pairwise(norms)]


def _bound(metric: Metric, case: Manufactured, n: int) -> float:
    r"""Return the bound of :math:`|k-k_h|` at the cell centres.

    .. math:: \frac{h^2}{24}\Big(\tfrac1\alpha\|g''\|+\|k''\|+2(\|k'''\|+2\|k''''\|)\Big)

    Mean by midpoint quadrature of g and of k; fluctuation by the flux's error, at most
    h²‖k‴‖/24 per face, and the cell averages' error, h²‖k⁗‖/24, summed over the cells; twice, since
    for β > 0 the resolvent adds no more than what β = 0 gives.

    With a curvature, the Euclidean norm of the differences bounds the maximum:

    .. math:: \frac{h^2}{24}\Big(\tfrac1\alpha\|g''\|+\|k''\|+\|k^{(3)}\|+\tfrac12\|k^{(4)}\|
        +\tfrac14\|k^{(5)}\|+\tfrac18\|k^{(6)}\|\Big)
    """
    k2, k3, k4, k5, k6 = case.k_max[2:]
    if metric.curvature:
        rest = k3 + k4 / 2 + k5 / 4 + k6 / 8
        return (case.g_max[2] / metric.mean + k2 + rest) / (24 * n**2)
    return (case.g_max[2] / metric.mean + k2 + 2 * (k3 + 2 * k4)) / (24 * n**2)


def _second_order(
    boundary: Boundary,
    sampled_at: float = 0.5,
    members: tuple[tuple[float, ...], ...] = WEIGHTS,
) -> bool:
    for weights in members:
        metric = Metric(*weights, boundary=boundary)
        case = manufacture(metric)
        found = [errors(metric, case, n, sampled_at=sampled_at) for n in SIZES]
        largest = [float(np.abs(error).max()) for error in found]
        l2 = [float(np.sqrt((error**2).mean())) for error in found]
        if any(value > _bound(metric, case, n) for value, n in zip(largest, SIZES, strict=True)):
            return False
        slopes = orders(largest)[1:] + orders(l2)[1:]
        if any(abs(slope - 2) > SLOPE_TOLERANCE for slope in slopes):
            return False
    return True


def _leading(boundary: Boundary, at_ends: float = 1 / 24) -> bool:
    r"""Take :math:`h^2e` off the error: what is left must be of order 4, for every metric.

    Inside, face fluxes and cell averages err by :math:`h^2/24` of the next derivative but one, and
    so does g: :math:`-\gamma k^{(4)}/12` together. The flux through a natural end is 0, exactly: so
    what the inner faces err by there, :math:`\gamma k^{(3)}/24`, is left over in the end cells.
    """
    for weights in WEIGHTS:
        metric = Metric(*weights, boundary=boundary)
        case = manufacture(metric)
        third, fourth = case.k_derivatives[3:5]
        rest = []
        for n in SIZES:
            source = -metric.derivative / 12 * fourth((np.arange(n) + 0.5) / n)
            if boundary == "natural":
                source[0] -= at_ends * metric.derivative * n * third(0.0)
                source[-1] += at_ends * metric.derivative * n * third(1.0)
            leading = riemannian_gradient(source, metric) / n**2
            rest.append(float(np.abs(errors(metric, case, n) - leading).max()))
        if any(abs(slope - 4) > SLOPE_TOLERANCE for slope in orders(rest)[1:]):
            return False
    return True


def _quadrature(
    factor: Callable[[float, float], float] = lambda alpha, beta: 1 / alpha - 1 / beta,
) -> bool:
    r"""Check γ = 0: :math:`k_h-k` is a multiple of :math:`\bar g_h-\bar g`, the same everywhere."""
    metric = Metric(0.5, 3.0, 0.0)
    case = manufacture(metric)
    g_mean = metric.mean * case.mean
    shift = factor(metric.mean, metric.fluctuation)
    for n in (2, 7, 64):
        centres = (np.arange(n) + 0.5) / n
        g = case.g(centres)
        quadrature = shift * (g.mean() - g_mean)
        error = riemannian_gradient(g, metric) - case.k(centres)
        # n + 1 roundings in the mean and a dozen elsewhere, of numbers up to max|g|/α.
        rounding = (n + 13) * np.finfo(float).eps * case.g_max[0] / metric.mean
        bound = abs(shift) * case.g_max[2] / (24 * n**2)
        if np.abs(error - quadrature).max() > rounding or abs(quadrature) > bound + rounding:
            return False
    return True


def _finite_elements(sampled_at: float = 0.0) -> bool:
    r"""Check the P1 variant: order 2 and the energy bound, nodal values against the interpolant.

    With :math:`e=I_hk-k_h`, :math:`R=\tfrac{h^2}8(\max(\alpha,\beta)\|k''\|+\|g''\|)` and
    :math:`\lambda=\min(\alpha,\beta+\gamma\mu_1)`: :math:`\|e\|\le R/\lambda`, and
    :math:`\max|e|\le\|e\|+\|e'\|` with :math:`\gamma\|e'\|^2\le R\|e\|`.
    """
    mu: dict[Boundary, float] = {"natural": np.pi**2, "periodic": 4 * np.pi**2}
    for (boundary, lowest), weights in product(mu.items(), WEIGHTS):
        metric = Metric(*weights, boundary=boundary)
        alpha, beta, gamma = weights
        case = manufacture(metric)
        largest, l2 = [], []
        for n in SIZES[:4]:
            grid = elements(n, boundary)
            g = case.g(grid.nodes + sampled_at / n)
            error = case.k(grid.nodes) - grid.gradient(metric, g)
            largest.append(float(np.abs(error).max()))
            l2.append(float(np.sqrt(error @ (grid.mass @ error))))
            slope = float(np.sqrt(error @ (grid.stiffness @ error)))
            residual = (max(alpha, beta) * case.k_max[2] + case.g_max[2]) / (8 * n**2)
            bound = residual / min(alpha, beta + gamma * lowest)
            if l2[-1] > bound or gamma * slope**2 > residual * bound:
                return False
            if largest[-1] > l2[-1] + slope:
                return False
        if any(abs(found - 2) > SLOPE_TOLERANCE for found in orders(largest) + orders(l2)):
            return False
    return True


_MAX_BOUND = (
    r"\max_i|k(o_i)-k_{h,i}|\le\frac{h^2}{24}\Big(\tfrac1\alpha\|g''\|+\|k''\|"
    r"+2\|k^{(3)}\|+4\|k^{(4)}\|\Big),\qquad h=\tfrac1n"
)
_CURVED_BOUND = (
    r"\max_i|k(o_i)-k_{h,i}|\le\frac{h^2}{24}\Big(\tfrac1\alpha\|g''\|+\|k''\|+\|k^{(3)}\|"
    r"+\tfrac12\|k^{(4)}\|+\tfrac14\|k^{(5)}\|+\tfrac18\|k^{(6)}\|\Big)"
)

THEOREMS = (
    Theorem(
        id="T6.natural",
        title="Second-order consistency, natural ends",
        statement=(
            "The gradient on n channels converges to the continuum's with order 2 in L² and in the "
            "maximum, and its error lies under an a priori bound, although the end rows alone are "
            "consistent to first order only."
        ),
        tex=_MAX_BOUND,
        scope="a solution with a third derivative at the ends, four metrics, n from 32 to 512",
        kind="numeric",
        check=partial(_second_order, "natural"),
        variant=partial(_second_order, "natural", sampled_at=0.0),
        perturbed="The same with the gradient sampled at the left ends of the cells.",
        page=PAGE,
    ),
    Theorem(
        id="T6.periodic",
        title="Second-order consistency, periodic",
        statement="On the cycle, too, the order is 2 in both norms, under the same bound.",
        tex=_MAX_BOUND,
        scope="a manufactured periodic solution, four metrics, n from 32 to 512",
        kind="numeric",
        check=partial(_second_order, "periodic"),
        variant=partial(_second_order, "periodic", sampled_at=0.0),
        perturbed="The same with the gradient sampled at the left ends of the cells.",
        page=PAGE,
    ),
    Theorem(
        id="T18.consistency-natural",
        title="Second-order consistency with a curvature, natural ends",
        statement=(
            "With a curvature, too, the gradient on n channels converges with order 2 in L² and in "
            "the maximum, up to the ends, under an a priori bound that holds for all weights."
        ),
        tex=_CURVED_BOUND,
        scope="a solution with k′ = k‴ = 0 and a fifth derivative at the ends; four metrics, "
        "with real, complex, double roots and β = γ = 0; n from 32 to 512",
        kind="numeric",
        check=partial(_second_order, "natural", members=CURVED),
        variant=partial(_second_order, "natural", members=CURVED, sampled_at=0.0),
        perturbed="The same with the gradient sampled at the left ends of the cells.",
        page="theory/two-grids.md",
    ),
    Theorem(
        id="T18.consistency-periodic",
        title="Second-order consistency with a curvature, periodic",
        statement="On the cycle the order is 2 in both norms, under the same bound.",
        tex=_CURVED_BOUND,
        scope="a manufactured periodic solution, the same metrics, n from 32 to 512",
        kind="numeric",
        check=partial(_second_order, "periodic", members=CURVED),
        variant=partial(_second_order, "periodic", members=CURVED, sampled_at=0.0),
        perturbed="The same with the gradient sampled at the left ends of the cells.",
        page="theory/two-grids.md",
    ),
    Theorem(
        id="T6.leading",
        title="The error's leading term",
        statement=(
            "The error is h²e + O(h⁴), where e is the gradient in the metric of −γk⁗/12 and, at "
            "natural ends, of γk‴/24 there: so order 2 is not exceeded, and how large the error "
            "is can be said beforehand."
        ),
        tex=(
            r"k-k_h=h^2e+O(h^4),\qquad \langle e,w\rangle=-\tfrac\gamma{12}\int k^{(4)}w"
            r"+\tfrac\gamma{24}\bigl[k^{(3)}w\bigr]_0^1"
        ),
        scope="the natural solution, four metrics, n from 32 to 512; the periodic one likewise",
        kind="numeric",
        check=lambda: _leading("natural") and _leading("periodic"),
        variant=partial(_leading, "natural", at_ends=0.0),
        perturbed="The same without what the ends add.",
        page=PAGE,
    ),
    Theorem(
        id="T6.quadrature",
        title="Without derivative term only the mean is inexact",
        statement=(
            "For γ = 0 the error is the same in every cell: that of the midpoint rule for the mean "
            "of g, times 1/α − 1/β."
        ),
        tex=(
            r"k_{h,i}-k(o_i)=\Big(\tfrac1\alpha-\tfrac1\beta\Big)(\bar g_h-\bar g),\qquad "
            r"|\bar g_h-\bar g|\le\tfrac{h^2}{24}\|g''\|"
        ),
        scope="a manufactured solution, n in {2, 7, 64}; up to rounding",
        kind="numeric",
        check=_quadrature,
        variant=partial(_quadrature, factor=lambda alpha, _beta: 1 / alpha),
        perturbed="The same with 1/α for 1/α − 1/β.",
        page=PAGE,
    ),
    Theorem(
        id="T6.finite-elements",
        title="The finite-element variant is of second order, too",
        statement=(
            "The metric's form on continuous piecewise linear functions gives a gradient with "
            "order 2 in L² and in the maximum, and an error under the energy bound."
        ),
        tex=(
            r"\|I_hk-k_h\|\le\frac{h^2}{8}\,"
            r"\frac{\max(\alpha,\beta)\|k''\|+\|g''\|}{\min(\alpha,\beta+\gamma\mu_1)}"
        ),
        scope="the two manufactured solutions, four metrics, 32 to 256 elements",
        kind="numeric",
        check=_finite_elements,
        variant=partial(_finite_elements, sampled_at=0.5),
        perturbed="The same with the gradient sampled in the middle of the elements.",
        page=PAGE,
    ),
)
