"""Theorem 3 in the continuum: kept mean, symmetries, limits; mutants are refused."""

import pytest
import sympy as sp

from cdg_theory import ledger
from cdg_theory.continuum import GreenFunction, o
from cdg_theory.proofs.continuum import limits, symmetry

IDS = [theorem.id for module in (symmetry, limits) for theorem in module.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


def tilted(kernels_of):
    """Add o to every kernel: the mean of h would count more to the right."""
    return lambda boundary: [
        (inner, GreenFunction(kernel.left + o, kernel.right + o))
        for inner, kernel in kernels_of(boundary)
    ]


MUTANTS = [
    (symmetry, "T3.mean", "weak_residual", lambda f: lambda m, k, g, h: f(m, k, 2 * g, h)),
    (symmetry, "T3.reversal", "kernels_of", tilted),
    (symmetry, "T3.circle", "kernels_of", tilted),
    (
        symmetry,
        "T3.h0-rearrangements",
        "riemannian_gradient",
        lambda f: lambda g, m: f(g, m) + o,
    ),
    (limits, "T3.limits", "smoothing_factor", lambda f: lambda m: f(m) + m.fluctuation),
    (limits, "T3.limits", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1),
    (
        limits,
        "T3.kernel-limit",
        "green_function",
        lambda f: lambda m: GreenFunction(f(m).left + sp.sign(m.fluctuation), f(m).right),
    ),
    (limits, "T3.no-zero-smoothing", "eigenvalue", lambda f: lambda m: 2 * f(m)),
    (limits, "T3.no-zero-smoothing", "first_frequency", lambda f: lambda b: sp.pi * f(b)),
]


@pytest.mark.parametrize(("module", "name", "attribute", "mutate"), MUTANTS)
def test_mutant_is_refused(monkeypatch, module, name, attribute, mutate) -> None:
    monkeypatch.setattr(module, attribute, mutate(getattr(module, attribute)))
    assert not ledger.verify([name])[0].holds
