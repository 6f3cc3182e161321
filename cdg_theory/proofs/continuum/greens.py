r"""Theorem 2: Green's functions, the kernels that turn an ordinary gradient into the Riemannian."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import GreenFunction, o, polynomial, riemannian_gradient, s, trigonometric
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.kernels import first_order_part, free_solution, kernels_of

if TYPE_CHECKING:
    from cdg_theory.continuum import InnerProduct

PAGE = "theory/greens-functions.md"


def _green(boundary: Boundary, share: Any = 1) -> bool:
    """Compare the derived kernel with 1/α and a share of the fluctuation's part; reproduce."""
    low, high = sp.Rational(1, 4), sp.Rational(2, 3)

    def alone(inner: InnerProduct, kernel: GreenFunction) -> bool:
        free = free_solution(inner)
        others = [
            GreenFunction(kernel.left + free, kernel.right + free),
            GreenFunction(kernel.left, kernel.right + free),
            GreenFunction(kernel.right, kernel.left),
            # A jump at s, of mean 0 over both sides.
            GreenFunction(kernel.left + 1 - s, kernel.right - s),
        ]
        return not any(other.is_reproducing(inner) for other in others)

    return all(
        kernel.is_reproducing(inner)
        and alone(inner, kernel)
        and kernel.piecewise.subs({o: low, s: high}) == kernel.left.subs({o: low, s: high})
        and kernel.piecewise.subs({o: high, s: low}) == kernel.right.subs({o: high, s: low})
        and vanishes(kernel.left - 1 / inner.mean - share * first_order_part(o, s, inner))
        and vanishes(kernel.right - 1 / inner.mean - share * first_order_part(s, o, inner))
        for inner, kernel in kernels_of(boundary)
    )


def _smoothing(channel: Any = o) -> bool:
    """Compare the integral against G(channel, s) with the gradient that the equation gives."""
    for boundary in get_args(Boundary):
        for inner, kernel in kernels_of(boundary):
            # Exponentials against waves are slow to integrate, and say nothing new.
            g = polynomial(2) + (trigonometric(1) if inner.fluctuation == 0 else 0)
            smoothed = kernel.smooth(g).subs(o, channel)
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
        check=partial(_green, "natural"),
        variant=partial(_green, "natural", share=sp.Rational(1, 2)),
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
        check=partial(_green, "periodic"),
        variant=partial(_green, "periodic", share=sp.Rational(1, 2)),
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
        check=_smoothing,
        variant=partial(_smoothing, channel=1 - o),
        perturbed="The same with the result reversed.",
        page=PAGE,
    ),
)
