"""The NumPy gradient is the exact rational solution up to rounding (theorem 5, in floats).

For metrics over 24 orders of magnitude and gradients of every family.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdg_theory import Metric, discrete
from tests.tools.exact_oracle import exact_gradient, rounding_allowance
from tests.tools.strategies import channel_counts, gradients, metrics


@settings(max_examples=100)
@given(st.data(), channel_counts(max_value=40), metrics())
def test_gradient_is_the_exact_solution_up_to_rounding(data, n, metric) -> None:
    g = data.draw(gradients(n))
    error = np.abs(discrete.riemannian_gradient(g, metric) - exact_gradient(g, metric))
    assert (error <= rounding_allowance(g, metric)).all()


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("n", [1, 2, 3, 64, 127])
def test_small_fluctuation_on_many_channels(n, boundary) -> None:
    # (1, 1e-12, 10): plain pivots end at the size of the rounding error here.
    metric = Metric(1.0, 1e-12, 10.0, boundary=boundary)
    g = np.random.default_rng(n).standard_normal((n, 2)) + 3.0
    error = np.abs(discrete.riemannian_gradient(g, metric) - exact_gradient(g, metric))
    assert (error <= rounding_allowance(g, metric)).all()


def test_two_channels_on_a_cycle_have_two_edges() -> None:
    # L = [[2,−2],[−2,2]]: the fluctuation ±1 has eigenvalue 4.
    metric = Metric(1.0, 0.0, 1.0, boundary="periodic", spacing="unit")
    k = discrete.riemannian_gradient(np.array([4.0, 2.0]), metric)
    np.testing.assert_allclose(k, [3.25, 2.75], rtol=4e-16)


@given(metrics(), st.floats(-1e6, 1e6))
def test_one_channel_has_only_a_mean(metric, value) -> None:
    assert discrete.riemannian_gradient(np.array([value]), metric) == value / metric.mean
