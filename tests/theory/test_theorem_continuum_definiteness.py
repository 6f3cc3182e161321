"""Theorem 1 in the continuum: the exact condition for definiteness; mutants are refused."""

import numpy as np
import pytest
import sympy as sp

from cdg_theory import Metric
from cdg_theory.continuum import InnerProduct
from cdg_theory.continuum.grids import elements
from tests.tools.planted import refusals


class Lopsided(InnerProduct):
    """A form with ∫h k′ in it: not symmetric."""

    def __call__(self, h, k):
        return super().__call__(h, k) + super().__call__(h, sp.diff(k, sp.Symbol("o", real=True)))


class Halved(InnerProduct):
    """A form with half the derivative's weight."""

    def __call__(self, h, k):
        half = InnerProduct(self.mean, self.fluctuation, self.derivative / 2, self.boundary)
        return half(h, k)


test_mutant_is_refused = refusals(
    ("T1.bilinear-symmetric", "InnerProduct", lambda _: Lopsided),
    ("T1.definite", "InnerProduct", lambda _: Halved),
    ("T1.breaking-vectors", "InnerProduct", lambda _: Halved),
    ("T1.poincare", "first_frequency", lambda _: lambda _boundary: sp.pi),
)


@pytest.mark.parametrize(("boundary", "omega"), [("natural", np.pi), ("periodic", 2 * np.pi)])
@pytest.mark.parametrize("gamma", [0.01, 1.0, 30.0])
def test_the_condition_is_sharp_on_finite_elements(boundary, omega, gamma) -> None:
    # Elements are functions, so the form on them is the form itself: definite where the theorem
    # says so. Their first mode is near the continuum's (π²/12n² off), so 1 % outside breaks it.
    grid = elements(32, boundary)
    for factor, definite in ((0.99, True), (1.01, False)):
        weights = Metric(1.0, 1.0, gamma, boundary=boundary)
        # Outside of the cone that a Metric admits.
        object.__setattr__(weights, "fluctuation", -factor * gamma * omega**2)
        assert bool(np.linalg.eigvalsh(grid.gram(weights))[0] > 0) is definite
