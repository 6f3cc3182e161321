"""Theorem 5, the closed-form inverses, for every n, row by row; mutants are refused."""

import pytest

from cdg_theory import ledger
from cdg_theory.discrete import inverse
from cdg_theory.proofs.discrete import inverse as discrete_inverse

IDS = [theorem.id for theorem in discrete_inverse.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


# A constant, a sign, an end, an index: each in the formula that the library evaluates.
MUTANTS = [
    ("T5.inverse-h0", "h0_entry", lambda f: lambda delta, n, beta: f(delta, n, beta) + 1 / n),
    ("T5.inverse-path", "path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + 1 / n),
    ("T5.inverse-path", "path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + lo),
    ("T5.inverse-cycle", "cycle_entry", lambda f: lambda d, n: f(d, n) - 1 / (12 * n)),
    ("T5.inverse-cycle", "cycle_entry", lambda f: lambda d, n: -f(d, n)),
    (
        "T5.resolvent-path",
        "path_resolvent",
        lambda f: lambda lo, hi, n, c, power: f(lo, hi + 1, n + 1, c, power),
    ),
    (
        "T5.resolvent-path",
        "path_resolvent",
        lambda f: lambda lo, hi, n, c, power: f(lo, hi, n, 2 * c, power),
    ),
    (
        "T5.resolvent-cycle",
        "cycle_resolvent",
        lambda f: lambda d, n, c, power: f(d + 1, n + 2, c, power),
    ),
    (
        "T5.images",
        "cycle_drop",
        lambda f: lambda u, nodes, scale, below: f(u, nodes + 1, scale, below),
    ),
]


@pytest.mark.parametrize(("name", "attribute", "mutate"), MUTANTS)
def test_mutant_is_refused(name, attribute, mutate, monkeypatch) -> None:
    monkeypatch.setattr(inverse, attribute, mutate(getattr(inverse, attribute)))
    assert not ledger.verify([name])[0].holds
