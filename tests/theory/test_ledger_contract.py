"""The ledger is well formed: ids, pages, kinds; it refuses unknown ids, and checks that accept."""

import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from cdg_theory import ledger, proofs
from cdg_theory.proofs.discrete import sweeps as discrete_sweeps

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("theorem", ledger.theorems(), ids=lambda theorem: theorem.id)
def test_every_entry_is_complete(theorem) -> None:
    assert 1 <= theorem.number <= 18
    assert theorem.kind in {"symbolic", "exact", "numeric"}
    assert (ROOT / "docs" / theorem.page).is_file()
    texts = (theorem.title, theorem.statement, theorem.tex, theorem.scope, theorem.perturbed)
    assert all(text.strip() for text in texts)


@pytest.mark.parametrize("theorem", ledger.theorems(), ids=lambda theorem: theorem.id)
def test_its_page_speaks_of_it(theorem) -> None:
    page = (ROOT / "docs" / theorem.page).read_text(encoding="utf-8")
    assert re.search(rf"{re.escape(theorem.id)}(?![\w-])", page)


def test_every_number_has_a_theorem() -> None:
    assert {theorem.number for theorem in ledger.theorems()} == set(range(1, 19))


def test_every_rounding_bound_has_its_theorem() -> None:
    slugs = {theorem.id.partition(".")[2] for theorem in ledger.theorems() if theorem.number == 7}
    assert {"one-line", "running-sums", "sweeps-path", "sweeps-cycle", "functionals"} <= slugs


def test_proofs_stand_in_the_modules_that_declare_them_and_tools_prove_nothing() -> None:
    for info in pkgutil.walk_packages(proofs.__path__, f"{proofs.__name__}."):
        declared = getattr(importlib.import_module(info.name), "THEOREMS", ())
        assert {theorem.proof.__module__ for theorem in declared} <= {info.name}
        assert not (declared and ".tools" in info.name)


def test_unknown_ids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown ids \['T5.nothing'\]"):
        ledger.verify(["T5.one-line", "T5.nothing"])


def test_two_theorems_with_one_id_are_refused(monkeypatch) -> None:
    twice = (*discrete_sweeps.THEOREMS, discrete_sweeps.THEOREMS[0])
    monkeypatch.setattr(discrete_sweeps, "THEOREMS", twice)
    ledger.theorems.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"two theorems have the id 'T5\.one-line'"):
            ledger.theorems()
    finally:
        ledger.theorems.cache_clear()


@pytest.mark.parametrize("accepts", [False, True], ids=["refuted", "accepts-the-perturbed"])
def test_a_check_that_is_refuted_or_cannot_fail_proves_nothing(monkeypatch, accepts) -> None:
    right = ledger.theorems()[0]
    broken = dataclasses.replace(right, check=lambda: accepts, variant=lambda: accepts)
    monkeypatch.setattr(ledger, "theorems", lambda: (broken,))
    assert not ledger.proved(right.id)
    assert not ledger.proved()
