"""The variance of white noise that is kept is tr(M⁻²)/n, however it is computed (theorem 8)."""

import numpy as np
import pytest
from hypothesis import given

from cdg_theory import Metric, discrete
from cdg_theory.discrete import noise
from tests.tools.exact_oracle import EPS, exact_gradient
from tests.tools.strategies import channel_counts, metrics


@given(channel_counts(max_value=150), metrics())
def test_is_the_sum_of_squared_entries(n, metric) -> None:
    squares = (discrete.inverse_matrix(metric, n) ** 2).sum() / n
    kept = discrete.variance_kept(metric, n)
    # Entries to (2n + 32) eps of the largest; n² squares of at most ‖M⁻¹‖²_F in all.
    largest = np.abs(discrete.inverse_matrix(metric, n)).max()
    assert abs(kept - squares) <= 4 * (2 * n + 32) * EPS * (n * largest**2 + kept)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("n", [1, 2, 3, 31, 64])
def test_closed_form_of_the_general_member(n, boundary) -> None:
    metric = Metric(2.0, 3.0, 5.0, boundary=boundary, spacing="unit")
    q = discrete.sweep_factors(Metric(2.0, 3.0, 5.0, boundary="periodic", spacing="unit"), 2)
    r = float(q.carry[0])
    trace = noise.path_trace if boundary == "natural" else noise.cycle_trace
    closed = (trace(n, 5.0, lambda e: r**e) - 1 / 9 + 1 / 4) / n
    assert closed == pytest.approx(discrete.variance_kept(metric, n), rel=400 * EPS)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("weights", [(0, 0, 2), (0, 3, 2), (5, 0, 2), (5, 3, 2)], ids=str)
@pytest.mark.parametrize("n", [2, 3, 8])
def test_with_curvature_it_is_the_exact_trace(n, boundary, weights) -> None:
    metric = Metric(2.0, *weights, boundary=boundary, spacing="unit")
    inverse = exact_gradient(np.eye(n), metric)
    assert discrete.variance_kept(metric, n) == pytest.approx(
        (inverse**2).sum() / n, rel=8 * (n + 4) * EPS
    )


def test_smoothing_keeps_less() -> None:
    kept = [discrete.variance_kept(Metric.sobolev(lam), 64) for lam in (0.1, 1.0, 10.0, 1e4)]
    assert kept == sorted(kept, reverse=True)
    # What is left for λ → ∞ is the mean: one part in n.
    assert kept[-1] == pytest.approx(1 / 64, rel=1e-4)


def test_drawn_noise_has_that_variance() -> None:
    n, columns = 24, 4000
    g = np.random.default_rng(8).standard_normal((n, columns))
    for metric in (Metric.reweighted_h0(4.0), Metric.sobolev(0.05), Metric(1.0, 0.5, 0.02)):
        k = discrete.riemannian_gradient(g, metric)
        # A column's ‖k‖² has variance 2 tr(M⁻⁴); five standard errors of the mean over columns.
        spectrum = discrete.eigenvalues(metric, n)
        spread = np.sqrt(2 * (spectrum**-4.0).sum() / columns) / n
        kept = discrete.variance_kept(metric, n)
        assert abs((k**2).mean() - kept) <= 5 * spread


@pytest.mark.parametrize(("boundary", "trace"), [("natural", 189 / 4), ("periodic", 105 / 16)])
def test_without_fluctuation_term_nothing_is_rounded(boundary, trace) -> None:
    # n = 8, c = 1: 63·135/180 on the path, 63·75/720 on the cycle.
    metric = Metric(1.0, 0.0, 1.0, boundary=boundary, spacing="unit")
    assert discrete.variance_kept(metric, 8) == (1 + trace) / 8


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("weights", [(2.0, 0.0), (2.0, 3.0), (0.0, 3.0)])
def test_one_channel_has_only_a_mean(weights, boundary) -> None:
    assert discrete.variance_kept(Metric(4.0, *weights, boundary=boundary), 1) == 1 / 16
