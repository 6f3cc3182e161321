"""What powers of M and the inner product refuse; their values are theorems T9.powers and on."""

import numpy as np
import pytest

from cdg_theory import Metric, discrete

METRIC = Metric.sobolev(2.0)


@pytest.mark.parametrize(
    ("exponent", "error", "message"),
    [
        ("half", TypeError, "exponent must be a real number"),
        (float("nan"), ValueError, "exponent must be finite"),
        (1e6, ValueError, "exponent must leave the powers of M within float64, got 1000000"),
    ],
)
def test_exponents_are_checked(exponent, error, message) -> None:
    with pytest.raises(error, match=message):
        discrete.gram_power(METRIC, 8, exponent)


def test_shapes_are_compared() -> None:
    with pytest.raises(ValueError, match=r"must have the same shape, got \(3,\) and \(4,\)"):
        discrete.inner_product(np.ones(3), np.ones(4), METRIC)


def test_columns_are_summed() -> None:
    h = np.arange(6.0).reshape(3, 2)
    by_column = sum(discrete.inner_product(c, c, METRIC) for c in h.T)
    assert discrete.inner_product(h, h, METRIC) == pytest.approx(by_column, rel=1e-14)


def test_integers_are_served() -> None:
    assert discrete.inner_product(np.array([1, 3]), np.array([1, 3]), Metric.l2()) == 10.0
