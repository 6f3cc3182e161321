"""Arrays of objects are solved exactly, whatever they hold; floats among them are refused."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from cdg_theory import Metric, discrete

UNEVEN = Metric(3.0, 0.5, 2.0, boundary="periodic")


def gradient(entries, metric=UNEVEN):
    return discrete.riemannian_gradient(np.array(entries, dtype=object), metric)


def test_integers_are_fractions() -> None:
    k = gradient([1, 2, 6])
    assert all(type(entry) is Fraction for entry in k)
    assert sum(k) == Fraction(9, 3)


def test_it_is_what_floats_tend_to() -> None:
    exact = gradient([1, 2, 6, -3]).astype(float)
    rounded = discrete.riemannian_gradient(np.array([1.0, 2.0, 6.0, -3.0]), UNEVEN)
    assert np.allclose(exact, rounded, rtol=1e-13)


@pytest.mark.parametrize("metric", [Metric.l2(), Metric.reweighted_h0(4.0), UNEVEN], ids=str)
def test_symbols_keep_shape_and_mean(metric) -> None:
    a, b, c, d = sp.symbols("a:d")
    k = gradient([[a, b], [c, d]], metric)
    assert k.shape == (2, 2)
    assert sp.expand(sum(k[:, 0]) - (a + c) / sp.Rational(metric.mean)) == 0


@pytest.mark.parametrize("entries", [[1, 2.5], [np.float32(1), 2], [1j, 1]], ids=str)
def test_floats_among_objects_are_refused(entries) -> None:
    with pytest.raises(TypeError, match="grad is an array of objects, to be solved exactly"):
        gradient(entries)


def test_integer_arrays_are_refused_in_words() -> None:
    with pytest.raises(TypeError, match=r"grad must hold floating-point numbers.*convert it first"):
        discrete.riemannian_gradient(np.arange(4), UNEVEN)
