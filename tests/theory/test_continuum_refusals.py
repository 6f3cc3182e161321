"""What is no inner product, function or metric is refused by name, with what to write instead."""

import numpy as np
import pytest
import sympy as sp

from cdg_theory import Metric
from cdg_theory.continuum import (
    InnerProduct,
    green_function,
    integrate_by_parts,
    o,
    polynomial,
    riemannian_gradient,
    strong_form,
    trigonometric,
    weak_residual,
)
from cdg_theory.rounding import forward_error_bound, functional_error_bound

METRIC, SOBOLEV = Metric.sobolev(1.0), InnerProduct.sobolev(1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: riemannian_gradient(o, METRIC),
        lambda: green_function(METRIC),
        lambda: strong_form(METRIC),
        lambda: weak_residual(METRIC, o, o, o),
    ],
    ids=["gradient", "Green's function", "strong form", "weak form"],
)
def test_a_metric_is_no_inner_product(call) -> None:
    with pytest.raises(TypeError, match=r"^inner must be .* got .*Metric.*InnerProduct\.of\("):
        call()


@pytest.mark.parametrize("h", [o, o**2, 3, "h"])
def test_parts_are_taken_off_an_arbitrary_function(h) -> None:
    with pytest.raises(TypeError, match=r"^h must be an arbitrary function of o, got .*generic"):
        integrate_by_parts(o, h)


@pytest.mark.parametrize("make", [polynomial, trigonometric])
@pytest.mark.parametrize("number", [-1, 1.5, "2", True])
def test_degrees_are_whole_numbers(make, number) -> None:
    with pytest.raises(ValueError, match="must be a whole number >= 0"):
        make(number)


def test_texts_are_no_functions() -> None:
    with pytest.raises(sp.SympifyError):
        weak_residual(SOBOLEV, "o", o, o)


@pytest.mark.parametrize("bound", [forward_error_bound, functional_error_bound])
def test_bounds_are_for_metrics_and_floats(bound) -> None:
    with pytest.raises(TypeError, match=r"^metric must be a cdg_theory\.Metric, got 3 of type int"):
        bound(np.ones((3, 1)), 3)
    with pytest.raises(TypeError, match=r"^g must hold floating-point numbers"):
        bound(np.ones((3, 1), dtype=int), METRIC)
