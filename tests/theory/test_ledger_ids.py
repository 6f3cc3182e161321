"""Ids of theorems, one or many, whole numbers of them too; proofs that fail are named."""

import dataclasses

import pytest

from cdg_theory import ledger


def test_a_number_stands_for_all_of_its_statements() -> None:
    chosen = ledger.select("T5", "T13.penalty")
    assert {theorem.number for theorem in chosen[:-1]} == {5}
    assert len(chosen) == 1 + sum(theorem.number == 5 for theorem in ledger.theorems())
    assert chosen[-1].id == "T13.penalty"
    assert ledger.select("T1") == tuple(t for t in ledger.theorems() if t.number == 1)


@pytest.mark.parametrize("ask", [ledger.verify, ledger.run, ledger.prove], ids=lambda f: f.__name__)
def test_ids_come_one_by_one_or_in_a_list(ask) -> None:
    ids = ["T5.pivots", "T5.one-line"]
    for given in [ids], ids, [tuple(ids)], [iter(ids)], [ids[0], ids[1]]:
        assert [result.id for result in ask(*given)] == ids


def test_one_theorem_by_its_id() -> None:
    assert ledger.theorem("T5.pivots").id == "T5.pivots"
    with pytest.raises(ValueError, match=r"'T5' has \d+ statements; ledger.select\('T5'\)"):
        ledger.theorem("T5")
    with pytest.raises(ValueError, match=r"unknown ids \['T5.pivot'\]"):
        ledger.theorem("T5.pivot")


@pytest.mark.parametrize("wrong", [5, [5], ["T5.pivots", None]], ids=str)
def test_what_is_no_id_is_refused(wrong) -> None:
    with pytest.raises(TypeError, match="ids must be theorem ids or a list of them, got"):
        ledger.prove(wrong)


@pytest.mark.parametrize("accepts", [False, True], ids=["refuted", "accepts-the-perturbed"])
def test_what_is_not_proved_is_named(monkeypatch, accepts) -> None:
    right, other = ledger.select("T5.pivots", "T5.one-line")
    broken = dataclasses.replace(right, check=lambda: accepts, variant=lambda: accepts)
    monkeypatch.setattr(ledger, "theorems", lambda: (broken, other))
    with pytest.raises(
        ledger.NotProved, match=r"not proved: T5\.pivots \([^,]*, [^,]*\)$"
    ) as caught:
        ledger.prove()
    assert [result.as_it_must_be for result in caught.value.results] == [False, True]
    assert "VARIANT ACCEPTED" in str(caught.value) or not accepts
