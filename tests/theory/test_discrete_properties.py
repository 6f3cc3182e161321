"""The NumPy gradient keeps means, is self-adjoint, and commutes with its symmetries (theorem 3)."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, discrete
from tests.tools.exact_oracle import EPS, rounding_allowance
from tests.tools.strategies import channel_counts, gradients, metrics


@given(st.data(), channel_counts(), metrics())
def test_mean_is_kept(data, n, metric) -> None:
    g = data.draw(gradients(n))
    k = discrete.riemannian_gradient(g, metric)
    allowed = rounding_allowance(g, metric).max(axis=0) + n * EPS * np.abs(k).max(axis=0)
    assert (np.abs(k.mean(axis=0) - g.mean(axis=0) / metric.mean) <= allowed).all()


@given(st.data(), channel_counts(), metrics())
def test_self_adjoint_and_positive(data, n, metric) -> None:
    g, h = (data.draw(gradients(n, columns=(1,))) for _ in range(2))
    solve = discrete.riemannian_gradient
    left, right = (h * solve(g, metric)).sum(), (g * solve(h, metric)).sum()
    allowed = (np.abs(h) * rounding_allowance(g, metric)).sum()
    allowed += (np.abs(g) * rounding_allowance(h, metric)).sum()
    allowed += n * EPS * (np.abs(h * solve(g, metric)).sum() + np.abs(g * solve(h, metric)).sum())
    assert abs(left - right) <= allowed
    energy = (g * solve(g, metric)).sum()
    assert energy >= -allowed - (np.abs(g) * rounding_allowance(g, metric)).sum() - n * EPS * (
        np.abs(g * solve(g, metric)).sum()
    )


@given(st.data(), channel_counts(), metrics())
def test_linear(data, n, metric) -> None:
    g, h = (data.draw(gradients(n, columns=(2,), families=["random", "smooth"])) for _ in range(2))
    solve = discrete.riemannian_gradient
    together = solve(g - 3.0 * h, metric)
    apart = solve(g, metric) - 3.0 * solve(h, metric)
    allowed = rounding_allowance(g - 3.0 * h, metric) + rounding_allowance(g, metric)
    # g − 3h is rounded before the solve: one more perturbation of its entries.
    allowed += 4 * rounding_allowance(h, metric) + rounding_allowance(
        np.abs(g) + 3 * abs(h), metric
    )
    assert (np.abs(together - apart) <= allowed).all()


def moves(metric: Metric, n: int, shift: int) -> list[np.ndarray]:
    """Return the relabellings of n channels that the metric does not see."""
    i = np.arange(n)
    if metric.derivative_order == 0:
        return [np.random.default_rng(shift).permutation(n)]
    if metric.boundary == "natural":
        return [i[::-1]]
    return [np.roll(i, shift), i[::-1]]


@given(st.data(), channel_counts(), metrics(), st.integers(0, 300))
def test_commutes_with_its_symmetries(data, n, metric, shift) -> None:
    g = data.draw(gradients(n))
    k = discrete.riemannian_gradient(g, metric)
    for move in moves(metric, n, shift):
        allowed = rounding_allowance(g, metric)[move] + rounding_allowance(g[move], metric)
        assert (np.abs(discrete.riemannian_gradient(g[move], metric) - k[move]) <= allowed).all()


def test_natural_does_not_commute_with_rotation() -> None:
    g = np.array([1.0, 0.0, 0.0, 0.0])
    metric = Metric.sobolev(1.0)
    rotated = discrete.riemannian_gradient(np.roll(g, 1), metric)
    assert np.abs(rotated - np.roll(discrete.riemannian_gradient(g, metric), 1)).max() > 0.01


@given(st.data(), channel_counts(), metrics())
def test_constant_gradients_are_divided_by_alpha(data, n, metric) -> None:
    g = data.draw(gradients(n, families=["constant"]))
    k = discrete.riemannian_gradient(g, metric)
    # Mean and division: n + 1 roundings; the fluctuation is exactly 0 or what they leave.
    allowed = rounding_allowance(g, metric) + 2 * EPS * np.abs(g) / metric.mean
    assert (np.abs(k - g / metric.mean) <= allowed).all()


@given(st.data(), channel_counts(min_value=2), metrics(spacings=["unit"]))
def test_spacings_differ_by_a_factor_of_the_weight(data, n, metric) -> None:
    derivative, curvature = metric.derivative * (n * n), metric.curvature * n**4
    scaled = replace(metric, derivative=derivative, curvature=curvature)
    normalized = replace(metric, spacing="normalized")
    g = data.draw(gradients(n))
    np.testing.assert_array_equal(
        discrete.riemannian_gradient(g, normalized), discrete.riemannian_gradient(g, scaled)
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@given(st.data(), channel_counts(), metrics())
def test_a_spoilt_column_spoils_no_other(bad, data, n, metric) -> None:
    g = data.draw(gradients(n))
    row = data.draw(st.integers(0, n - 1))
    spoilt = g.copy()
    spoilt[row, 1] = bad
    with np.errstate(invalid="ignore"):
        k = discrete.riemannian_gradient(spoilt, metric)
    clean = discrete.riemannian_gradient(g, metric)
    np.testing.assert_array_equal(k[:, [0, 2]], clean[:, [0, 2]])
    assert not np.isfinite(k[row, 1])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("columns", [(), (1,), (2, 3), (4, 1, 0)])
def test_shape_and_dtype_are_kept_and_the_argument_is_left_alone(columns, dtype) -> None:
    g = np.random.default_rng(3).standard_normal((5, *columns)).astype(dtype)
    before = g.copy()
    for metric in (Metric.l2(), Metric.reweighted_h0(3.0), Metric(1.0, 0.5, 0.1)):
        k = discrete.riemannian_gradient(g, metric)
        assert (k.shape, k.dtype) == (g.shape, g.dtype)
        assert k is not g
        assert not np.shares_memory(k, g)
        # One rounding from float64 to the storage type, of whatever layout the array has.
        wide = discrete.riemannian_gradient(g.astype("float64"), metric)
        np.testing.assert_array_equal(k, wide.astype(dtype))
        np.testing.assert_array_equal(discrete.riemannian_gradient(g[:, ...].T.copy().T, metric), k)
    np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize(
    ("grad", "error", "message"),
    [
        (np.array([1, 2]), TypeError, r"floating-point numbers, got .* dtype int64; convert"),
        (np.array([1.0 + 2j]), TypeError, r"got .* dtype complex128"),
        (np.float64(3.0), ValueError, r"axis 0 with at least one row, got .* shape \(\)"),
        (np.empty((0, 3)), ValueError, r"at least one row, got .* shape \(0, 3\)"),
    ],
)
def test_refused(grad, error, message) -> None:
    with pytest.raises(error, match=message):
        discrete.riemannian_gradient(grad, Metric.sobolev(1.0))
