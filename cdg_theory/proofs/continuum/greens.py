r"""Theorem 2: Green's functions, the kernels that turn an ordinary gradient into the Riemannian."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import (
    InnerProduct,
    green_function,
    o,
    polynomial,
    riemannian_gradient,
    s,
    trigonometric,
)
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary

if TYPE_CHECKING:
    from cdg_theory.continuum import GreenFunction

PAGE = "theory/weak-form.md"


def kernels_of(boundary: Boundary) -> list[tuple[InnerProduct, GreenFunction]]:
    """Return the general and the Sobolev member with a boundary, each with its kernel."""
    general = InnerProduct.general(boundary)
    sobolev = InnerProduct(general.mean, sp.Integer(0), general.derivative, boundary)
    return [(inner, green_function(inner)) for inner in (general, sobolev)]


def _claimed(boundary: Boundary, lo: Any, hi: Any, inner: InnerProduct) -> Any:
    """Return the formula for G, with lo = min(o, s), hi = max(o, s)."""
    alpha, beta, gamma = inner.mean, inner.fluctuation, inner.derivative
    if beta == 0:
        d = hi - lo
        shape = {
            "natural": (lo**2 + hi**2) / 2 - hi + sp.Rational(1, 3),
            "periodic": d**2 / 2 - d / 2 + sp.Rational(1, 12),
        }
        return 1 / alpha + shape[boundary] / gamma
    mu = sp.sqrt(beta / gamma)
    shape = {
        "natural": sp.cosh(mu * lo) * sp.cosh(mu * (1 - hi)) / sp.sinh(mu),
        "periodic": sp.cosh(mu * (sp.Rational(1, 2) - (hi - lo))) / (2 * sp.sinh(mu / 2)),
    }
    return 1 / alpha - 1 / beta + shape[boundary] / (gamma * mu)


def _green(boundary: Boundary, perturbed: bool) -> bool:
    for inner, kernel in kernels_of(boundary):
        other = inner
        if perturbed:
            # β goes along, so that μ stays: only the factor in front is wrong.
            other = InnerProduct(inner.mean, 2 * inner.fluctuation, 2 * inner.derivative, boundary)
        if not (
            kernel.is_reproducing(inner)
            and vanishes(kernel.left - _claimed(boundary, o, s, other))
            and vanishes(kernel.right - _claimed(boundary, s, o, other))
        ):
            return False
    return True


def _natural(perturbed: bool) -> bool:
    return _green("natural", perturbed)


def _periodic(perturbed: bool) -> bool:
    return _green("periodic", perturbed)


def _smoothing(perturbed: bool) -> bool:
    """Compare the integral against the kernel with the gradient that the equation gives."""
    for boundary in get_args(Boundary):
        for inner, kernel in kernels_of(boundary):
            # Exponentials against waves are slow to integrate, and say nothing new.
            g = polynomial(2) + (trigonometric(1) if inner.fluctuation == 0 else 0)
            smoothed = kernel.smooth(g)
            if perturbed:
                smoothed = smoothed.subs(o, 1 - o)
            if not vanishes(smoothed - riemannian_gradient(g, inner)):
                return False
    return True


_SCOPE = "symbolic α, β, γ > 0, and β = 0; all h, by integration by parts on either side of s"

THEOREMS = (
    Theorem(
        id="T2.green-natural",
        title="Green's function, natural ends",
        statement="The derived kernel reproduces: ⟨G(·,s),h⟩ = h(s) for every h, and it is the "
        "product of hyperbolic cosines (β > 0) or the parabola (β = 0) of the docs.",
        tex=r"G=\frac1\alpha-\frac1\beta+\frac{\cosh(\mu\min(o,s))\cosh(\mu(1-\max(o,s)))}"
        r"{\gamma\mu\sinh\mu}",
        scope=_SCOPE,
        kind="symbolic",
        check=partial(_natural, False),
        variant=partial(_natural, True),
        perturbed="The same with half the fluctuation's part.",
        page=PAGE,
    ),
    Theorem(
        id="T2.green-periodic",
        title="Green's function, periodic ends",
        statement="The derived kernel reproduces: ⟨G(·,s),h⟩ = h(s) for every periodic h, and it "
        "is the hyperbolic cosine of the distance (β > 0) or its parabola (β = 0).",
        tex=r"G=\frac1\alpha-\frac1\beta+\frac{\cosh(\mu(\frac12-|o-s|))}"
        r"{2\gamma\mu\sinh(\mu/2)}",
        scope=_SCOPE,
        kind="symbolic",
        check=partial(_periodic, False),
        variant=partial(_periodic, True),
        perturbed="The same with half the fluctuation's part.",
        page=PAGE,
    ),
    Theorem(
        id="T2.smoothing-by-kernel",
        title="the gradient is the ordinary one smoothed by the kernel",
        statement="The integral of G(o,s)g(s) over s is the gradient that the equation gives.",
        tex=r"(\operatorname{grad}L)(o)=\int_0^1G(o,s)\,g(s)\,ds",
        scope="g of degree 2 with symbolic coefficients, waves too for β = 0; both boundaries",
        kind="symbolic",
        check=partial(_smoothing, False),
        variant=partial(_smoothing, True),
        perturbed="The same with the result reversed.",
        page=PAGE,
    ),
)
