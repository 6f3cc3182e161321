"""Every theorem of the ledger holds, and its check refuses the variant, which is false."""

import pytest

from cdg_theory import ledger

CASES = [
    pytest.param(theorem.id, perturbed, id=f"{theorem.id}-{'variant' if perturbed else 'holds'}")
    for theorem in ledger.theorems()
    for perturbed in (False, True)
]


@pytest.mark.parametrize(("name", "perturbed"), CASES)
def test_theorem(name, perturbed) -> None:
    (result,) = ledger.verify([name], perturbed=perturbed)
    assert result.holds is not perturbed
