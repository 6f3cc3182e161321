"""Theorem 18 in the continuum: a curvature's form, equation, kernels, limits; mutants refused."""

from dataclasses import replace

import pytest

from cdg_theory import Metric
from cdg_theory.continuum import GreenFunction, InnerProduct, riemannian_gradient
from tests.tools.planted import refusals


class Doubled(InnerProduct):
    """A form that counts its fourth term twice."""

    def __call__(self, h, k):
        weights = (self.mean, self.fluctuation, self.derivative, self.boundary)
        return InnerProduct(*weights, curvature=2 * self.curvature)(h, k)


def shifted(original):
    """Add one hundredth of k to the operator."""

    def mutant(inner):
        form = original(inner)
        return replace(form, operator=form.operator + form.unknown / 100)

    return mutant


def freed(original):
    """Leave the moment out, as if the slope were free."""
    return lambda inner: replace(original(inner), moment=0 * original(inner).moment)


def halved(original):
    """Return kernels with half the right piece."""

    def mutant(inner):
        kernel = original(inner)
        return GreenFunction(kernel.left / 2, kernel.right)

    return mutant


test_mutant_is_refused = refusals(
    ("T18.form", "InnerProduct", lambda _: Doubled),
    ("T18.definite", "_is_admitted", lambda _: lambda inner: inner.curvature > 0),
    ("T18.strong-form", "strong_form", freed),
    ("T18.two-of-first-order", "strong_form", shifted),
    ("T18.closed-forms", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1),
    ("T18.spline", "weak_residual", lambda f: lambda *a: 2 * f(*a)),
    ("T18.limits", "eigenvalue", lambda f: lambda *a: f(*a) + 1),
    ("T18.green-natural", "green_function", halved),
    ("T18.green-periodic", "green_function", halved),
    ("T18.green-complex", "green_function", halved),
    ("T18.noise", "fluctuation_power", lambda f: lambda m: 2 * f(m)),
    ("T18.noise", "fluctuation_trace", lambda f: lambda m: 2 * f(m)),
    ("T18.noise-sums", "fluctuation_power", lambda f: lambda m: f(m) * 1.001),
    ("T18.consistency-natural", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1e-3),
    ("T18.consistency-periodic", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1e-3),
)


@pytest.mark.parametrize("weights", [(1, -1400, 1), (1400, -80, 1), (1, 1, -1)])
def test_what_is_not_definite_is_refused(weights) -> None:
    beta, gamma, delta = weights
    with pytest.raises(ValueError, match="the form must be positive definite, but"):
        riemannian_gradient(1, InnerProduct(1, beta, gamma, curvature=delta))


def test_unit_spacing_is_refused() -> None:
    with pytest.raises(ValueError, match="spacing must be 'normalized'"):
        InnerProduct.of(Metric.spline(1.0, spacing="unit"))
