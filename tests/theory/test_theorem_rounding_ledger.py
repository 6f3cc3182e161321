"""T7 in the ledger: every statement holds, every perturbed statement is refused."""

import pytest

from cdg_theory import ledger

IDS = [theorem.id for theorem in ledger.theorems() if theorem.number == 7]


@pytest.mark.parametrize("name", IDS)
def test_holds_and_its_perturbation_is_refused(name) -> None:
    (result,) = ledger.verify([name])
    assert result.holds
    (refused,) = ledger.verify([name], perturbed=True)
    assert not refused.holds


def test_every_algorithm_has_its_theorem() -> None:
    slugs = {name.removeprefix("T7.") for name in IDS}
    assert {"one-line", "running-sums", "sweeps-path", "sweeps-cycle", "functionals"} <= slugs
