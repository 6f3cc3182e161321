"""T7: the computed gradient is within the bound, whatever the weights, n, gradient and storage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, certify
from cdg_theory.certificates.search import bound_fractions
from cdg_theory.discrete import riemannian_gradient
from cdg_theory.rounding import functional_error_bound
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS
from tests.tools.strategies import channel_counts, gradients, metrics


def reference(metric, dtype="float64"):
    """Return the library's solver as certify takes it, rounding to ``dtype``."""
    fmt = FORMATS[dtype]
    return lambda g: fmt.round(riemannian_gradient(g.astype(np.float64), metric))


@given(data=st.data(), metric=metrics(), n=channel_counts(300))
def test_drawn_gradients(data, metric, n) -> None:
    g = data.draw(gradients(n, columns=(2,)))
    assert (bound_fractions(reference(metric), metric, g) <= 1).all()


@given(metric=metrics(decades=3.0), n=channel_counts(60), seed=st.integers(0, 1000))
def test_every_storage_type(metric, n, seed) -> None:
    for dtype in FORMATS:
        if dtype != "float16":
            assert certify(reference(metric, dtype), metric, n, dtype=dtype, seed=seed).holds


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("ratio", [1e-24, 1e-18, 1e-12, 1e-6, 1.0, 1e12, 1e24])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_24_orders_of_magnitude_at_n_4096(boundary, ratio, dtype) -> None:
    # β/γ from 1e-24 to 1e24 around a mean of weight 1.
    metric = Metric(1.0, ratio**0.5, ratio**-0.5, boundary=boundary)
    certificate = certify(reference(metric, dtype), metric, 4096, columns=8, dtype=dtype)
    assert certificate.holds, str(certificate)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_the_smallest_weights_of_all(boundary) -> None:
    for beta in (0.0, 1e-150, 1e-100, 1e-12):
        metric = Metric(1.0, beta, 10.0, boundary=boundary)
        assert certify(reference(metric), metric, 512, columns=8).holds


def test_sums_in_any_order_are_within_the_model() -> None:
    # Fortran order makes NumPy sum pairwise, reversed rows sum from the other end.
    for metric in (Metric.sobolev(0.1), Metric(1.0, 1e-6, 1e-6), Metric.reweighted_h0(3.0)):

        def pairwise(g, metric=metric):
            return riemannian_gradient(np.asfortranarray(g), metric)

        def reversed_rows(g, metric=metric):
            # natural ends: the reversal commutes with M
            return riemannian_gradient(g[::-1], metric)[::-1]

        assert certify(pairwise, metric, 300).holds
        assert certify(reversed_rows, metric, 300).holds


def test_a_zero_gradient_has_a_tiny_bound() -> None:
    bound = forward_error_bound(np.zeros((9, 1)), Metric.sobolev(0.1)).bound
    assert (bound > 0).all()
    assert (bound < 1e-280).all()


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 2, 2)])
def test_only_matrices_have_a_bound(shape) -> None:
    with pytest.raises(ValueError, match=r"\(n, columns\) matrix"):
        forward_error_bound(np.zeros(shape), Metric.l2())


@pytest.mark.parametrize("bound", [forward_error_bound, functional_error_bound])
def test_bounds_are_for_metrics_and_floats(bound) -> None:
    with pytest.raises(TypeError, match=r"^metric must be a cdg_theory\.Metric, got 3 of type int"):
        bound(np.ones((3, 1)), 3)
    with pytest.raises(TypeError, match=r"^g must hold floating-point numbers"):
        bound(np.ones((3, 1), dtype=int), Metric.l2())
