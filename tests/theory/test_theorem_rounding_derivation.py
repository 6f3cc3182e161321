"""T7: the bounds are those of the derivation, term by term; mutants of either are refused."""

import numpy as np
import pytest

from cdg_theory import Metric
from cdg_theory.rounding.bounds import FactorErrors, forward_error_bound
from tests.tools.planted import refusals


def wider(bound):
    """Return a bound that is wider by a millionth."""

    def mutant(g, metric, **formats):
        found = bound(g, metric, **formats)
        return type(found)(found.gradient, found.bound * (1 + 1e-6))

    return mutant


def without_the_reciprocal(factor_errors):
    """Leave out that 1/pivot is rounded once more than the pivot."""

    def mutant(metric, n):
        known = factor_errors(metric, n)
        return FactorErrors(known.carry, known.gain - 2.0**-53, known.closure, known.flux)

    return mutant


test_mutant_is_refused = refusals(
    ("T7.derived-closing", "forward_error_bound", wider),
    ("T7.derived-closing", "factor_errors", without_the_reciprocal),
    ("T7.derived-functionals", "functional_error_bound", wider),
    ("T7.last-rounding", "stored", lambda f: lambda k, *rest: f(2 * k, *rest)),
)


def test_the_accumulator_is_too_narrow_from_half_a_unit_on() -> None:
    # 40·n·u < 1/2 with u = 2⁻²⁴.
    longest = 2**24 // 80
    g = np.zeros((longest + 1, 1))
    metric = Metric.reweighted_h0(2.0)
    forward_error_bound(g[:-1], metric, accumulator="float32")
    with pytest.raises(ValueError, match="too narrow for n = 209716"):
        forward_error_bound(g, metric, accumulator="float32")
