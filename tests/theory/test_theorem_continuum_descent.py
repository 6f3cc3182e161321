"""Theorems 4, 9 and 12, any metric: descent, coordinates, grids; mutants are refused."""

import pytest

from cdg_theory import ledger
from cdg_theory.continuum import GreenFunction, o
from cdg_theory.proofs.continuum import mesh as mesh_independence
from cdg_theory.proofs.learning import descent, preconditioning
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_spd

IDS = [
    theorem.id
    for module in (descent, preconditioning, mesh_independence)
    for theorem in module.THEOREMS
]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


class Squared(SPD):
    """A preconditioner applied twice: M⁻² in place of M⁻¹."""

    @property
    def inverse(self):
        return self.power(-2)


def squared(rng, n):
    drawn = draw_spd(rng, n)
    return Squared(drawn.vectors, drawn.values)


MUTANTS = [
    (descent, "T4.flow", "riemannian_gradient", lambda f: lambda g, m: 2 * f(g, m)),
    (descent, "T4.step", "draw_spd", lambda _: squared),
    (
        preconditioning,
        "T9.self-adjoint",
        "riemannian_gradient",
        lambda f: lambda g, m: f(g, m) + g * o,
    ),
    (
        preconditioning,
        "T9.self-adjoint",
        "kernels_of",
        lambda f: lambda b: [(m, GreenFunction(k.left + o, k.right + o)) for m, k in f(b)],
    ),
    (
        mesh_independence,
        "T12.grids",
        "cell_symbol",
        lambda f: lambda n, t, c: f(n, t, c) * (1 + 1e-6),
    ),
    (mesh_independence, "T12.grids", "cells", lambda _: mesh_independence.elements),
]


@pytest.mark.parametrize(("module", "name", "attribute", "mutate"), MUTANTS)
def test_mutant_is_refused(monkeypatch, module, name, attribute, mutate) -> None:
    monkeypatch.setattr(module, attribute, mutate(getattr(module, attribute)))
    assert not ledger.verify([name])[0].holds
