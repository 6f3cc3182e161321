"""Theorem 8 on n channels: the noise kept, in closed form; mutants are refused."""

import pytest

from cdg_theory import ledger
from cdg_theory.discrete import noise
from cdg_theory.proofs.discrete import noise as discrete_noise

IDS = [theorem.id for theorem in discrete_noise.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


MUTANTS = [
    ("T8.discrete-sobolev", "path_sobolev_trace", lambda f: lambda n: f(n) + n**2 - 1),
    ("T8.discrete-sobolev", "cycle_sobolev_trace", lambda f: lambda n: 2 * f(n)),
    ("T8.discrete-cycle", "cycle_trace", lambda f: lambda n, c, power: f(n + 1, c, power)),
    ("T8.discrete-folding", "path_sobolev_trace", lambda f: lambda n: f(n) + 1),
    ("T8.discrete-exact", "path_trace", lambda f: lambda n, c, power: f(n, c, power) + 1),
]


@pytest.mark.parametrize(("name", "attribute", "mutate"), MUTANTS)
def test_mutant_is_refused(name, attribute, mutate, monkeypatch) -> None:
    monkeypatch.setattr(noise, attribute, mutate(getattr(noise, attribute)))
    assert not ledger.verify([name])[0].holds
