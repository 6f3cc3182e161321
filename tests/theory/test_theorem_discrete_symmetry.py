"""Theorem 3 on n channels: kept mean, symmetries and limits; mutants are refused."""

import pytest

from cdg_theory import ledger
from cdg_theory.discrete import inverse
from cdg_theory.proofs.discrete import symmetry as discrete_symmetry

IDS = [theorem.id for theorem in discrete_symmetry.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


MUTANTS = {
    "T3.discrete-mean": (
        "path_resolvent",
        lambda entry: lambda lo, hi, n, c, power: entry(lo, hi, n, c, power) * (1 + power(2 * n)),
    ),
    "T3.discrete-symmetry": ("path_entry", lambda entry: lambda lo, hi, n: entry(lo, hi, n) + lo),
    "T3.discrete-h0": ("h0_entry", lambda entry: lambda delta, n, beta: entry(-delta, n, beta)),
    "T3.discrete-small-fluctuation": (
        "cycle_drop",
        lambda drop: lambda u, nodes, scale, below: 2 * drop(u, nodes, scale, below),
    ),
    "T3.discrete-small-derivative": (
        "cycle_resolvent",
        lambda entry: lambda d, n, c, power: entry(d, n, 2 * c, power),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_refused(name, monkeypatch) -> None:
    attribute, mutate = MUTANTS[name]
    monkeypatch.setattr(inverse, attribute, mutate(getattr(inverse, attribute)))
    assert not ledger.verify([name])[0].holds
