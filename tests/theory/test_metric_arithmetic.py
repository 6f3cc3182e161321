"""Metrics add, and are multiplied by positive numbers, as their Gram matrices do."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, discrete

factors = st.floats(1e-3, 1e3)
weights = st.tuples(factors, st.just(0.0) | factors, factors, st.just(0.0) | factors)


@given(weights, weights, factors, factors, st.sampled_from(["natural", "periodic"]))
def test_gram_matrices_follow(one, other, a, b, boundary) -> None:
    first, second = (Metric(*w, boundary=boundary, spacing="unit") for w in (one, other))
    expected = a * discrete.gram_matrix(first, 5) + b * discrete.gram_matrix(second, 5)
    assert np.allclose(discrete.gram_matrix(a * first + second * b, 5), expected, rtol=1e-13)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_term_of_weight_zero_has_no_boundary_and_no_spacing(swapped) -> None:
    flat, smooth = Metric.l2(), Metric.sobolev(2.0, boundary="periodic", spacing="unit")
    total = smooth + flat if swapped else flat + smooth
    assert total == Metric(2.0, 1.0, 2.0, boundary="periodic", spacing="unit")
    bent = Metric.biharmonic(2.0, boundary="periodic", spacing="unit")
    total = bent + flat if swapped else flat + bent
    assert total == Metric(2.0, 1.0, 0.0, 2.0, boundary="periodic", spacing="unit")


@pytest.mark.parametrize("name", ["boundary", "spacing"])
def test_two_derivatives_must_be_of_one_kind(name) -> None:
    value = {"boundary": "periodic", "spacing": "unit"}[name]
    for one, other in product((Metric.sobolev, Metric.spline), repeat=2):
        with pytest.raises(ValueError, match=f"must have the same {name}, got"):
            one(1.0) + other(1.0, **{name: value})


def test_a_sum_of_both_orders_has_both_terms() -> None:
    both = Metric.sobolev(3.0) + 2 * Metric.spline(4.0)
    assert both == Metric(3.0, 2.0, 3.0, 8.0)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_factors_that_leave_the_cone_are_refused(factor) -> None:
    with pytest.raises(ValueError, match="factor must be"):
        factor * Metric.l2()


def test_other_things_are_no_metrics() -> None:
    with pytest.raises(TypeError, match="factor must be a real number"):
        Metric.l2() * "2"
    with pytest.raises(TypeError, match="unsupported operand"):
        Metric.l2() + 1.0
