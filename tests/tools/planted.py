"""Mutants planted in what a proof executes: the theorem must be refused while they stand."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

import pytest

from cdg_theory import ledger
from cdg_theory.continuum import GreenFunction, o
from cdg_theory.proofs.tools.drawn_matrices import SPD

if TYPE_CHECKING:
    from collections.abc import Callable


def refusals(*mutants: tuple[str, str, Callable[[Any], Any]]) -> Callable[..., None]:
    """Return a test of mutants, each given as (theorem, what its proof's module calls, mutate)."""
    names = [f"{name}-{attribute}" for name, attribute, _ in mutants]

    @pytest.mark.parametrize(("name", "attribute", "mutate"), mutants, ids=names)
    def test(monkeypatch, name, attribute, mutate) -> None:
        (home,) = (t.proof.__module__ for t in ledger.theorems() if t.id == name)
        right = pkgutil.resolve_name(f"{home}:{attribute}")
        monkeypatch.setattr(f"{home}.{attribute}", mutate(right))
        assert not ledger.verify([name])[0].holds

    return test


class Squared(SPD):
    """A preconditioner applied twice: M⁻² in place of M⁻¹."""

    @property
    def inverse(self):
        return self.power(-2)


def squared(draw_spd):
    """Return what draws such a metric."""

    def mutant(rng, n):
        drawn = draw_spd(rng, n)
        return Squared(drawn.vectors, drawn.values)

    return mutant


def tilted(kernels_of):
    """Add o to every kernel: the mean of h would count more to the right."""
    return lambda boundary: [
        (inner, GreenFunction(kernel.left + o, kernel.right + o))
        for inner, kernel in kernels_of(boundary)
    ]
