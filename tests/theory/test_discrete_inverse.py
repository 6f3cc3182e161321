"""The closed-form inverse is the exact inverse, for small fluctuation weights too (theorem 5)."""

import numpy as np
import pytest
from hypothesis import given, settings

from cdg_theory import Metric, discrete
from cdg_theory.discrete import inverse as closed
from tests.tools.exact_oracle import EPS, exact_gradient
from tests.tools.strategies import channel_counts, metrics


def allowed_error(metric: Metric, n: int, largest: float) -> float:
    """Return what rounding may add to an entry.

    An entry is a mean of 2n positive drops minus one or two of them; a drop has fewer than 16
    roundings (its exponent θu carries 4, exp and the quotients the rest). With a curvature term
    there are two such factors, with complex arithmetic and roots, and n products are summed.
    """
    if not metric.curvature or n == 1:
        return (2 * n + 32) * EPS * largest
    weights = metric.fluctuation, metric.stiffness(n), metric.rigidity(n)
    factors = [closed.resolvent(t, 1.0, n, metric.boundary) for t in closed.roots(*weights)]
    first, second = (float(np.abs(factor).sum(axis=0).max()) for factor in factors)
    return (4 * n + 128) * EPS * (first * second / weights[-1] + largest)


@settings(max_examples=80)
@given(channel_counts(max_value=32), metrics())
def test_entries_of_the_exact_inverse(n, metric) -> None:
    exact = exact_gradient(np.eye(n), metric)
    inverse = discrete.inverse_matrix(metric, n)
    largest = np.abs(exact).max() + 1 / (n * metric.mean)
    assert np.abs(inverse - exact).max() <= allowed_error(metric, n, largest)


@given(channel_counts(), metrics())
def test_symmetric_with_rows_that_sum_to_one_over_alpha(n, metric) -> None:
    inverse = discrete.inverse_matrix(metric, n)
    np.testing.assert_array_equal(inverse, inverse.T)
    allowed = allowed_error(metric, n, np.abs(inverse).max()) * n
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


WEIGHTS = [
    *[(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 3, 1), (1, 2, 1), (1, 2 + 1e-9, 1), (1, 2 - 1e-9, 1)],
    *[(1e-12, 0, 1), (1e-12, 2e-6, 1), (1e-24, 0, 1), (1, 0, 1e-24), (0, 1, 1e-24)],
    *[(0, 1e-24, 1), (1, 1e12, 1), (1e12, 1, 1e-12), (1e-12, 1, 1e12), (1e-6, 1, 1e-6)],
]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("n", [2, 3, 10, 24])
def test_with_curvature_for_every_kind_of_roots(n, boundary, weights) -> None:
    for spacing in ("unit", "normalized"):
        # Without the mean, beside which the rest may be next to nothing.
        metric = Metric(1e140, *weights, boundary=boundary, spacing=spacing)
        exact = exact_gradient(np.eye(n), metric)
        inverse = discrete.inverse_matrix(metric, n)
        largest = float(np.abs(exact).max())
        assert np.abs(inverse - exact).max() <= allowed_error(metric, n, largest)
        # No root costs more than this: the double one, and those that nearly vanish, included.
        assert allowed_error(metric, n, largest) <= 1e-12 * n * largest


def test_roots_keep_sum_and_product_where_they_meet() -> None:
    for beta, c, d in [(1, 2, 1), (1, 2 + 2e-16, 1), (1, 2 - 2e-16, 1), (1e-20, 1, 1), (0, 3, 2)]:
        one, other = closed.roots(beta, c, d)
        assert abs(one + other - c / d) <= 4 * EPS * c / d
        assert abs(one * other - beta / d) <= 4 * EPS * beta / d
