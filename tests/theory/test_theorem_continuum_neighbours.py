"""Theorem 13: related methods, each a theorem or a counter-example; mutants are refused."""

import pytest

from cdg_theory import ledger
from cdg_theory.proofs.learning import neighbours
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_spd

IDS = [theorem.id for theorem in neighbours.THEOREMS]


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


@pytest.mark.parametrize(
    ("name", "attribute", "mutant"),
    [
        ("T13.penalty", "draw_spd", squared),
        ("T13.proximal", "draw_spd", squared),
        ("T13.laplacian-smoothing", "_cycle", lambda n: neighbours.sp.eye(n)),
    ],
)
def test_mutant_is_refused(monkeypatch, name, attribute, mutant) -> None:
    monkeypatch.setattr(neighbours, attribute, mutant)
    assert not ledger.verify([name])[0].holds
