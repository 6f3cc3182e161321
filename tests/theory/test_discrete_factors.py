"""The factors of the sweeps lie in [0, 1], close to sum 1, are cached and read-only (theorem 5)."""

import numpy as np
import pytest
from hypothesis import given

from cdg_theory import Metric, discrete
from cdg_theory.discrete.sweeps import path_factors
from tests.tools.exact_oracle import EPS
from tests.tools.strategies import channel_counts, metrics

SWEPT = metrics(members=["sobolev", "general", "small_fluctuation"])


@given(channel_counts(), SWEPT)
def test_ranges_and_shapes(n, metric) -> None:
    factors = discrete.sweep_factors(metric, n)
    assert factors.carry.shape == (n - 1,)
    assert ((factors.carry > 0) & (factors.carry <= 1)).all()
    assert factors.gain.shape == (n,)
    assert (factors.gain[:-1] > 0).all()
    assert (factors.gain <= 1 / metric.stiffness(n) * (1 + 2 * EPS)).all()
    for weights in (factors.closure, factors.flux):
        if weights is not None:
            assert weights.shape == (n,)
            assert (weights >= 0).all()
            assert abs(weights.sum() - 1) <= (n + 2) * EPS
    assert (factors.flux is None) == (metric.boundary == "natural")
    assert (factors.gain[-1] == 0) == (metric.boundary == "natural")


@given(channel_counts(min_value=2), SWEPT)
def test_the_cycles_carry_solves_its_equation(n, metric) -> None:
    cycle = Metric(metric.mean, metric.fluctuation, metric.derivative, boundary="periodic")
    q, ratio = discrete.sweep_factors(cycle, n).carry[0], metric.fluctuation / cycle.stiffness(n)
    # (1 − q)² = q β/c, with 1 − q known to an absolute 4 eps.
    residual = abs((1 - q) ** 2 - q * ratio)
    assert residual <= 16 * EPS * (abs(1 - q) + q * ratio + EPS)


def test_running_sums_at_zero_fluctuation() -> None:
    for boundary in ("natural", "periodic"):
        factors = discrete.sweep_factors(Metric.sobolev(3.0, boundary=boundary), 6)
        np.testing.assert_array_equal(factors.carry, np.ones(5))
        np.testing.assert_allclose(factors.closure, np.full(6, 1 / 6), rtol=2 * EPS)


def test_the_paths_last_gain_is_zero() -> None:
    # E = 2, 3, 16/5 over c = 2; the last pivot is not used.
    assert path_factors(2.0, 2.0, 3).gain.tolist() == [1 / 4, 1 / 5, 0]


def test_cached_and_read_only() -> None:
    for boundary in ("natural", "periodic"):
        metric = Metric(1.0, 2.0, 3.0, boundary=boundary)
        factors = discrete.sweep_factors(metric, 9)
        assert discrete.sweep_factors(Metric(1, 2, 3, boundary=boundary), 9) is factors
        for array in (factors.carry, factors.gain, factors.closure, factors.flux):
            if array is not None:
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 0.5
