"""Integrals are those of calculus, and "equal" is decided, not guessed (the tools of theorem 2)."""

import pytest
import sympy as sp
from scipy.integrate import quad

from cdg_theory.continuum import InnerProduct, generic, integral, integrate_by_parts, o, vanishes
from cdg_theory.continuum.functions import collected, expanded
from cdg_theory.continuum.greens import green_function

mu = sp.Symbol("mu", positive=True)

FUNCTIONS = [
    o**3 * sp.exp(-2 * o),
    (1 + o) ** 2 * sp.cos(3 * o + 1),
    o**2 * sp.sin(sp.pi * o) - o * sp.exp(o / 3),
    sp.cos(o) * sp.sin(2 * o) + sp.exp(-o) * sp.cos(o),
    sp.Integer(7),
    sp.sqrt(1 + o),
]


@pytest.mark.parametrize("u", FUNCTIONS, ids=str)
@pytest.mark.parametrize(("lower", "upper"), [(0, 1), (sp.Rational(1, 3), sp.Rational(3, 4))])
def test_integrals_agree_with_quadrature(u, lower, upper) -> None:
    expected, error = quad(sp.lambdify(o, u), float(lower), float(upper), epsabs=1e-13)
    assert float(integral(u, lower, upper)) == pytest.approx(expected, abs=error + 1e-13)


def test_arbitrary_functions_stay_under_the_integral() -> None:
    h = generic("h")
    assert integral(2 * mu * h * o + integral(h) * h) == 2 * mu * integral(o * h) + integral(h) ** 2


@pytest.mark.parametrize(
    ("expression", "zero"),
    [
        (sp.sin(2 * o) - 2 * sp.sin(o) * sp.cos(o), True),
        (sp.sinh(mu * o) * sp.cosh(mu) - sp.sinh(mu * (o + 1)) / 2, False),
        (1 / (sp.exp(mu) - 1) - sp.exp(-mu) / (1 - sp.exp(-mu)), True),
        (1 / (sp.exp(mu) - 1) - sp.exp(-mu) / (1 - sp.exp(-mu)) + sp.Rational(1, 10**30), False),
        (sp.exp(mu / 3) ** 3 - sp.exp(mu), True),
        (sp.exp(mu / 2) * sp.exp(mu / 3) - sp.exp(5 * mu / 6), True),
        (sp.exp(mu / 2) * sp.exp(mu / 3) - sp.exp(4 * mu / 6), False),
        (sp.Integer(0), True),
    ],
)
def test_vanishing_is_decided(expression, zero) -> None:
    assert vanishes(expression) is zero


@pytest.mark.parametrize("rewrite", [expanded, collected])
def test_rewriting_changes_nothing(rewrite) -> None:
    kernel = green_function(InnerProduct.general()).left
    assert vanishes(rewrite(kernel) - kernel)


def test_nothing_but_linear_densities_is_integrated_by_parts() -> None:
    h = generic("h")
    with pytest.raises(ValueError, match=r"must be linear in h\(o\) .* got h\(o\)\*\*2"):
        integrate_by_parts(h**2, h)


def test_higher_derivatives_are_moved_too() -> None:
    h, k = generic("h"), generic("k")
    operator, flux = integrate_by_parts(h.diff(o, 2) * k.diff(o, 2), h)
    assert operator == k.diff(o, 4)
    assert sp.expand(flux - h.diff(o) * k.diff(o, 2) + h * k.diff(o, 3)) == 0


def test_every_order_of_a_density_is_moved() -> None:
    h, a, b, c = (generic(name) for name in "habc")
    operator, flux = integrate_by_parts(a * h + b * h.diff(o) + c * h.diff(o, 2), h)
    assert sp.expand(operator - a + b.diff(o) - c.diff(o, 2)) == 0
    assert sp.expand(flux - b * h - c * h.diff(o) + c.diff(o) * h) == 0


def test_a_kernel_needs_a_derivative() -> None:
    with pytest.raises(ValueError, match=r"must not both be 0, got .* plus a delta"):
        green_function(InnerProduct.reweighted_h0(3))
