"""Each block's offset from the mean is free of the mean's own rounding error (T7, T11).

Blocks whose means differ by about 1 around 10¹⁰, whose unit in the last place is 2·10⁻⁶: the
weighted sum is off by more than that, and the second look must find it. How a machine adds up is
its own affair, so the seed is the first for which that is so.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch

from cdg_theory.discrete.blocks import split_offsets


class Case:
    """Sizes and means of blocks, and the exact mean of all rows."""

    def __init__(self, ranks: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.sizes = tuple(rng.integers(1, 9, ranks).tolist())
        self.base = 1e10 * (1 + rng.random())
        self.means = self.base + rng.standard_normal((ranks, 1))
        self.rows = sum(self.sizes)
        self.exact = sum(s * Fraction(m) for s, m in self.blocks()) / self.rows

    def blocks(self):
        return zip(self.sizes, self.means[:, 0].tolist(), strict=True)

    def ulps(self, value, exact: Fraction) -> float:
        """Return a distance in units in the last place of the means."""
        return abs(float((Fraction(value.item()) - exact) / Fraction(np.spacing(self.base))))

    def check(self, mean, offsets) -> None:
        assert self.ulps(mean, self.exact) < 0.6
        for offset, (_, own) in zip(offsets, self.blocks(), strict=True):
            assert self.ulps(offset, Fraction(own) - self.exact) < 1 / 16


def hard_case(ranks: int, plain) -> Case:
    """Return the first case whose plain mean is off by more than a unit in the last place."""
    cases = (Case(ranks, seed) for seed in range(1000))
    return next(case for case in cases if case.ulps(plain(case), case.exact) > 1)


@pytest.mark.parametrize("array", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_offsets(array) -> None:
    def given(case):
        return array(case.means), array(np.array(case.sizes) / case.rows)

    def plain(case):
        means, weights = given(case)
        return weights @ means

    case = hard_case(50, plain)
    case.check(*split_offsets(*given(case)))
