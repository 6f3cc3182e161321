"""Members of the family with their Green's functions, and expressions at given weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum import InnerProduct, green_function, o

if TYPE_CHECKING:
    from cdg_theory.continuum import GreenFunction
    from cdg_theory.metric import Boundary


def kernels_of(boundary: Boundary) -> list[tuple[InnerProduct, GreenFunction]]:
    """Return the general and the Sobolev member with a boundary, each with its kernel."""
    general = InnerProduct.general(boundary)
    sobolev = InnerProduct(general.mean, sp.Integer(0), general.derivative, boundary)
    return [(inner, green_function(inner)) for inner in (general, sobolev)]


def free_solution(inner: InnerProduct) -> Any:
    r"""Return :math:`\sinh\mu(o-\frac12)`, or :math:`o-\frac12` for β = 0.

    It solves the equation for g = 0, with mean 0, and meets no end condition.
    """
    rate = sp.sqrt(sp.cancel(inner.fluctuation / inner.derivative))
    centred = o - sp.Rational(1, 2)
    return sp.sinh(rate * centred) if rate != 0 else centred


def at_weights(expression: Any, gamma: float, mu: float, *, digits: int) -> float:
    """Return an expression in the general member's symbols at α = 1, γ and μ."""
    symbols = sp.symbols("alpha gamma mu", positive=True)
    values = (1, sp.Rational(gamma), sp.Rational(mu))
    return float(sp.N(expression.subs(dict(zip(symbols, values, strict=True))), digits))
