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
    lower = metric.fluctuation + at_two * metric.derivative
    upper = metric.fluctuation + limit * metric.derivative
    assert lowest >= min(metric.mean, lower) * (1 - 16 * EPS)
    assert lowest <= min(metric.mean, upper) * (1 + 16 * EPS)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_with_unit_spacing_it_falls_like_one_over_n_squared(boundary) -> None:
    metric = Metric(1.0, 0.0, 1.0, boundary=boundary, spacing="unit")
    values = [discrete.eigenvalues(metric, n).min() * n**2 for n in (64, 128, 256)]
    limit = math.pi**2 * (4 if boundary == "periodic" else 1)
    # sin²x ≥ x²(1 − x²/3) with x = π/n at most.
    assert all(limit * (1 - math.pi**2 / (3 * 64**2)) <= value <= limit for value in values)
