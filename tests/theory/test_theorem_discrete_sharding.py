"""Theorem 11: sharded equals global for every split; mutants are refused."""

from dataclasses import replace

import pytest

from cdg_theory import ledger
from cdg_theory.discrete import sharded
from cdg_theory.proofs.discrete import blocks as discrete_sharding

IDS = [theorem.id for theorem in discrete_sharding.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


def _forgets_responses(merge):
    def mutant(left, right):
        return replace(merge(left, right), from_left=left.from_left)

    return mutant


def _forgets_the_total(merge):
    def mutant(left, right):
        whole = merge(left, right)
        return replace(whole, own=replace(whole.own, total=left.own.total + right.own.total))

    return mutant


def _deaf(sweep_block):
    return lambda r, rows, left=0, right=0: sweep_block(r, rows, left, 0 * right)


def _doubles_what_leaves(sweep_block):
    def mutant(*args):
        x, moments = sweep_block(*args)
        return x, replace(moments, forward=2 * moments.forward)

    return mutant


def _wrong_sign(recover):
    def mutant(*args):
        moments = recover(*args)
        return replace(moments, forward=-moments.forward)

    return mutant


MUTANTS = [
    ("T11.monoid", "merge", _forgets_responses),
    ("T11.monoid", "merge", _forgets_the_total),
    ("T11.rows", "merge", _forgets_responses),
    ("T11.rows", "sweep_block", _deaf),
    ("T11.balance", "sweep_block", _doubles_what_leaves),
    ("T11.flux", "sweep_block", _deaf),
    ("T11.all-gradients", "recover", _wrong_sign),
    ("T11.exact", "recover", _wrong_sign),
    ("T11.exact", "sweep_block", _doubles_what_leaves),
    ("T11.exact", "merge", _forgets_the_total),
]


@pytest.mark.parametrize(("name", "attribute", "mutate"), MUTANTS)
def test_mutant_is_refused(name, attribute, mutate, monkeypatch) -> None:
    mutant = mutate(getattr(sharded, attribute))
    for module in (sharded, discrete_sharding):
        monkeypatch.setattr(module, attribute, mutant, raising=module is sharded)
    assert not ledger.verify([name])[0].holds
