"""Theorem 2: equation, end conditions, kernels, spectra, grids, derived; mutants are refused."""

from dataclasses import replace

import sympy as sp

from cdg_theory.continuum import GreenFunction
from cdg_theory.proofs.continuum import grids
from tests.tools.planted import refusals


def turned_flux(original):
    """Turn the sign of the flux round."""
    return lambda inner: replace(original(inner), flux=-original(inner).flux)


def stiffer(original):
    """Add one hundredth of the second derivative."""

    def mutant(inner):
        form = original(inner)
        extra = form.unknown.diff(sp.Symbol("o", real=True), 2) / 100
        return replace(form, operator=form.operator + extra)

    return mutant


def turned(kernels_of):
    """Exchange the two halves of every kernel."""
    return lambda boundary: [(m, GreenFunction(k.right, k.left)) for m, k in kernels_of(boundary)]


test_mutant_is_refused = refusals(
    ("T2.euler-lagrange", "strong_form", turned_flux),
    ("T2.euler-lagrange", "strong_form", stiffer),
    ("T2.two-integrals", "strong_form", stiffer),
    ("T2.closed-forms", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1),
    ("T2.weak-form", "riemannian_gradient", lambda f: lambda g, m: f(g, m) * 2),
    ("T2.one-line", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + g),
    ("T2.unique", "end_determinant", lambda f: lambda b, w: f(b, w) * 2),
    ("T2.green-natural", "kernels_of", turned),
    (
        "T2.green-periodic",
        "kernels_of",
        lambda f: lambda b: [(m, GreenFunction(2 * k.left, 2 * k.right)) for m, k in f(b)],
    ),
    ("T2.smoothing-by-kernel", "kernels_of", turned),
    ("T2.modes", "eigenvalue", lambda f: lambda *a: f(*a) + 1),
    ("T2.frequencies", "end_determinant", lambda f: lambda b, w: f(b, 2 * w)),
    ("T2.mercer", "fluctuation_power", lambda f: lambda m: 2 * f(m)),
    ("T2.mercer", "fluctuation_trace", lambda f: lambda m: 2 * f(m)),
    ("T2.mercer-general", "fluctuation_trace", lambda f: lambda m: f(m) * 1.001),
    ("T2.grid-solves", "cell_symbol", lambda f: lambda n, t, c: f(n, t, c) * 1.001),
)


def test_a_wrong_symbol_is_refused() -> None:
    # T2.grid-symbols takes the symbol as its claim.
    assert not grids._symbols(lambda n, t, c: grids.element_symbol(n, 2 * t, c))
