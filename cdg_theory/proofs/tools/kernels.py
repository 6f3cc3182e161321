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


def curved_members(boundary: Boundary) -> dict[str, InnerProduct]:
    """Return a member of every kind of roots: (0, 0), (μ, 0), (μ, μ), (2μ, μ)."""
    mu, delta = sp.symbols("mu delta", positive=True)
    return {
        "biharmonic": InnerProduct(1, 0, 0, boundary, curvature=delta),
        "β = 0": InnerProduct(1, 0, delta * mu**2, boundary, curvature=delta),
        "double": InnerProduct.with_roots(1, mu, mu, delta, boundary),
        "different": InnerProduct.with_roots(1, 2 * mu, mu, delta, boundary),
    }


def in_digits(expression: Any, digits: int) -> Any:
    """Return a number, computed with so many digits in every operation."""
    import mpmath

    with mpmath.workdps(digits):
        # As an argument: i itself would be printed as Python's 1j, in double precision.
        i = sp.Dummy("i")
        return sp.lambdify(i, expression.xreplace({sp.I: i}), "mpmath")(mpmath.mpc(0, 1))


def first_order_part(lo: Any, hi: Any, inner: InnerProduct) -> Any:
    """Return the formula for G − 1/α of first order, with lo = min(o, s), hi = max(o, s)."""
    beta, gamma = inner.fluctuation, inner.derivative
    if beta == 0:
        d = hi - lo
        shape = {
            "natural": (lo**2 + hi**2) / 2 - hi + sp.Rational(1, 3),
            "periodic": d**2 / 2 - d / 2 + sp.Rational(1, 12),
        }
        return shape[inner.boundary] / gamma
    mu = sp.sqrt(beta / gamma)
    shape = {
        "natural": sp.cosh(mu * lo) * sp.cosh(mu * (1 - hi)) / sp.sinh(mu),
        "periodic": sp.cosh(mu * (sp.Rational(1, 2) - (hi - lo))) / (2 * sp.sinh(mu / 2)),
    }
    return shape[inner.boundary] / (gamma * mu) - 1 / beta


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
