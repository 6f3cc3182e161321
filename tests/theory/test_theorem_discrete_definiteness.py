"""Theorems 1 and 2 on n channels: sums of squares, definiteness, spectra; mutants are refused."""

import numpy as np
import pytest

from cdg_theory import ledger
from cdg_theory.proofs.discrete import spectrum as discrete_spectrum
from cdg_theory.proofs.tools import exact_matrices


def _half_step(k, *, periodic):
    before, after = np.roll(k, 1), np.roll(k, -1)
    if not periodic:
        before[0], after[-1] = -k[0], -k[-1]
    return 2 * k - before - after


@pytest.mark.parametrize("name", ["T1.discrete-squares", "T1.discrete-condition"])
def test_a_path_held_at_its_ends_is_refused(name, monkeypatch) -> None:
    for module in (discrete_spectrum, exact_matrices):
        monkeypatch.setattr(module, "laplacian", _half_step)
    assert not ledger.verify([name])[0].holds
