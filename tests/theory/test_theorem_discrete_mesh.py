"""Theorem 12: the step bound does not depend on n; and in floats, up to n = 4096."""

import math

import pytest
from hypothesis import given

from cdg_theory import Metric, discrete
from tests.tools.exact_oracle import EPS
from tests.tools.strategies import channel_counts, metrics


@given(channel_counts(max_value=4096, min_value=2), metrics(spacings=["normalized"]))
def test_lowest_eigenvalue_lies_in_its_range(n, metric) -> None:
    lowest = discrete.eigenvalues(metric, n).min()
    at_two, limit = (16, 4 * math.pi**2) if metric.boundary == "periodic" else (8, math.pi**2)
    lower, upper = (
        metric.fluctuation + ell * metric.derivative + ell**2 * metric.curvature
        for ell in (at_two, limit)
    )
    assert lowest >= min(metric.mean, lower) * (1 - 16 * EPS)
    assert lowest <= min(metric.mean, upper) * (1 + 16 * EPS)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize(("weights", "order"), [((0.0, 1.0), 1), ((0.0, 0.0, 1.0), 2)])
def test_with_unit_spacing_it_falls_like_a_power_of_n(boundary, weights, order) -> None:
    metric = Metric(1.0, *weights, boundary=boundary, spacing="unit")
    values = [discrete.eigenvalues(metric, n).min() * n ** (2 * order) for n in (64, 128, 256)]
    limit = (math.pi**2 * (4 if boundary == "periodic" else 1)) ** order
    # sin²x ≥ x²(1 − x²/3) with x = π/n at most.
    low = (1 - math.pi**2 / (3 * 64**2)) ** order
    assert all(limit * low <= value <= limit for value in values)
