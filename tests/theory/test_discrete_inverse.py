"""The closed-form inverse is the exact inverse, for small fluctuation weights too (theorem 5)."""

import numpy as np
import pytest
from hypothesis import given, settings

from cdg_theory import Metric, discrete
from tests.tools.exact_oracle import EPS, exact_gradient
from tests.tools.strategies import channel_counts, metrics


@settings(max_examples=80)
@given(channel_counts(max_value=32), metrics())
def test_entries_of_the_exact_inverse(n, metric) -> None:
    exact = exact_gradient(np.eye(n), metric)
    inverse = discrete.inverse_matrix(metric, n)
    # An entry is a mean of 2n positive drops minus one or two of them; a drop has fewer than 16
    # roundings (its exponent θu carries 4, exp and the quotients the rest).
    largest = np.abs(exact).max() + 1 / (n * metric.mean)
    assert np.abs(inverse - exact).max() <= (2 * n + 32) * EPS * largest


@given(channel_counts(), metrics())
def test_symmetric_with_rows_that_sum_to_one_over_alpha(n, metric) -> None:
    inverse = discrete.inverse_matrix(metric, n)
    np.testing.assert_array_equal(inverse, inverse.T)
    allowed = (2 * n + 32) * EPS * np.abs(inverse).max() * n
    assert np.abs(inverse.sum(axis=0) - 1 / metric.mean).max() <= allowed


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("n", [2, 5, 33])
def test_no_jump_at_zero_fluctuation(n, boundary) -> None:
    # β enters G by a relative β/cℓ₁ at most, here below 1e-20.
    nothing, little = (
        discrete.inverse_matrix(Metric(1.0, beta, 1.0, boundary=boundary), n)
        for beta in (0.0, 1e-20)
    )
    assert np.abs(nothing - little).max() <= (2 * n + 32) * EPS * np.abs(nothing).max()


@given(channel_counts(max_value=150), metrics())
def test_is_the_linear_time_gradient_of_the_unit_vectors(n, metric) -> None:
    inverse = discrete.inverse_matrix(metric, n)
    swept = discrete.riemannian_gradient(np.eye(n), metric)
    allowed = 16 * (n + 8) * EPS * np.abs(inverse).max() + (n + 4) * EPS / metric.mean
    assert np.abs(inverse - swept).max() <= 3 * allowed


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("weights", [(2.0, 0.0), (2.0, 3.0), (0.0, 3.0), (1e-150, 1e150)])
def test_one_channel_has_only_a_mean(weights, boundary) -> None:
    metric = Metric(3.0, *weights, boundary=boundary)
    np.testing.assert_array_equal(discrete.inverse_matrix(metric, 1), [[1 / 3]])
