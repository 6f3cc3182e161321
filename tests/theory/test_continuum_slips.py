"""Slips in the continuum are refused in words: ends, spacings, forms that are not definite (T1)."""

import numpy as np
import pytest
import sympy as sp

from cdg_theory import Metric
from cdg_theory.continuum import (
    InnerProduct,
    generic,
    green_function,
    integrate_by_parts,
    o,
    polynomial,
    riemannian_gradient,
    strong_form,
    trigonometric,
    weak_residual,
)
from cdg_theory.continuum.grids import cells, elements
from cdg_theory.continuum.spectrum import end_determinant

LAM = sp.Symbol("lambda")
UNIT = Metric.sobolev(1.0, spacing="unit")
CYCLE = Metric.sobolev(1.0, boundary="periodic")
G = np.ones(4)

REFUSED = {
    "inner product": (lambda: InnerProduct(1, 0, 1, "neumann"), "boundary must be one of"),
    "member": (lambda: InnerProduct.sobolev(1, "cyclic"), "boundary must be one of"),
    "ends": (lambda: end_determinant("neumann", 1), "boundary must be one of"),
    "cells": (lambda: cells(4, "neumann"), "boundary must be one of"),
    "elements": (lambda: elements(4, "neumann"), "boundary must be one of"),
    "unit spacing": (lambda: InnerProduct.of(UNIT), "spacing must be 'normalized'"),
    "unit gram": (lambda: cells(4).gram(UNIT), "spacing must be 'normalized'"),
    "unit gradient": (lambda: elements(3).gradient(UNIT, G), "spacing must be 'normalized'"),
    "a cycle on a path": (lambda: cells(4).gradient(CYCLE, G), "boundary 'periodic' and the grid"),
    "a cycle's form": (lambda: cells(4).inner(CYCLE, G, G), "boundary 'periodic' and the grid"),
    "no mean": (lambda: riemannian_gradient(o, InnerProduct(0, 1, 1)), "mean = 0"),
    "negative H0": (lambda: riemannian_gradient(o, InnerProduct(1, -1, 0)), "= -1"),
    "nothing": (lambda: riemannian_gradient(o, InnerProduct(1, 0, 0)), "= 0"),
    "negative derivative": (lambda: green_function(InnerProduct(1, 1, -1)), "derivative = -1"),
    "below the first mode": (lambda: green_function(InnerProduct(1, -10, 1)), r"\*pi\*\*2 = "),
    "negative symbol": (
        lambda: riemannian_gradient(o, InnerProduct.reweighted_h0(sp.Symbol("x", negative=True))),
        "= x",
    ),
}


@pytest.mark.parametrize("slip", REFUSED)
def test_it_is_refused(slip) -> None:
    call, match = REFUSED[slip]
    with pytest.raises(ValueError, match=match):
        call()


def test_numbers_that_are_no_metric_are_refused() -> None:
    with pytest.raises(TypeError, match=r"metric must be a cdg_theory\.Metric"):
        InnerProduct.of(InnerProduct.l2())
    with pytest.raises(sp.SympifyError):
        InnerProduct.sobolev("lambda")


def test_what_is_definite_or_undecided_is_let_through() -> None:
    InnerProduct(1, -9, 1).check_definite()
    InnerProduct(1, -39, 1, "periodic").check_definite()
    InnerProduct(*sp.symbols("alpha beta gamma")).check_definite()
    assert cells(4).gram(Metric.reweighted_h0(2.0)).shape == (4, 4)


def test_integers_are_exact() -> None:
    assert riemannian_gradient(o, InnerProduct(2, 4, 0)) == o / 4 + sp.Rational(1, 8)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_the_gradient_of_an_arbitrary_function_is_known_to_be_one(boundary) -> None:
    g = generic("g")
    for inner in (
        InnerProduct(1, LAM, 0, boundary),
        InnerProduct.sobolev(LAM, boundary),
        InnerProduct.general(boundary),
    ):
        k, form = riemannian_gradient(g, inner), strong_form(inner)
        assert form.is_solved_by(k, g)
        assert not form.is_solved_by(k + o**2 - o + sp.Rational(1, 6), g)
        assert not form.is_solved_by(k, 2 * g)


@pytest.mark.parametrize(
    "call",
    [
        lambda: riemannian_gradient(o, CYCLE),
        lambda: green_function(CYCLE),
        lambda: strong_form(CYCLE),
        lambda: weak_residual(CYCLE, o, o, o),
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
        weak_residual(InnerProduct.sobolev(1), "o", o, o)
