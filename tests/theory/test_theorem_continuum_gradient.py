"""Theorem 2: equation, end conditions, kernels, spectra, grids, derived; mutants are refused."""

from dataclasses import replace

import pytest
import sympy as sp

from cdg_theory import ledger
from cdg_theory.continuum import GreenFunction
from cdg_theory.proofs.continuum import greens, grids, spectrum, weak_form

IDS = [theorem.id for module in (weak_form, greens, spectrum, grids) for theorem in module.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


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


MUTANTS = [
    (weak_form, "T2.euler-lagrange", "strong_form", turned_flux),
    (weak_form, "T2.euler-lagrange", "strong_form", stiffer),
    (weak_form, "T2.two-integrals", "strong_form", stiffer),
    (weak_form, "T2.closed-forms", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1),
    (weak_form, "T2.weak-form", "riemannian_gradient", lambda f: lambda g, m: f(g, m) * 2),
    (weak_form, "T2.one-line", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + g),
    (weak_form, "T2.unique", "end_determinant", lambda f: lambda b, w: f(b, w) * 2),
    (
        greens,
        "T2.green-natural",
        "green_function",
        lambda f: lambda m: GreenFunction(f(m).right, f(m).left),
    ),
    (
        greens,
        "T2.green-periodic",
        "green_function",
        lambda f: lambda m: GreenFunction(2 * f(m).left, 2 * f(m).right),
    ),
    (
        greens,
        "T2.smoothing-by-kernel",
        "green_function",
        lambda f: lambda m: GreenFunction(f(m).right, f(m).left),
    ),
    (spectrum, "T2.modes", "eigenvalue", lambda f: lambda *a: f(*a) + 1),
    (spectrum, "T2.frequencies", "end_determinant", lambda f: lambda b, w: f(b, 2 * w)),
    (spectrum, "T2.mercer", "fluctuation_power", lambda f: lambda m: 2 * f(m)),
    (spectrum, "T2.mercer", "fluctuation_trace", lambda f: lambda m: 2 * f(m)),
    (spectrum, "T2.mercer-general", "fluctuation_trace", lambda f: lambda m: f(m) * 1.001),
    (grids, "T2.grid-symbols", "element_symbol", lambda f: lambda n, t, c: f(n, 2 * t, c)),
    (grids, "T2.grid-solves", "cell_symbol", lambda f: lambda n, t, c: f(n, t, c) * 1.001),
]


@pytest.mark.parametrize(("module", "name", "attribute", "mutate"), MUTANTS)
def test_mutant_is_refused(monkeypatch, module, name, attribute, mutate) -> None:
    monkeypatch.setattr(module, attribute, mutate(getattr(module, attribute)))
    assert not ledger.verify([name])[0].holds
