"""The kernels take the mean off to the last digit: what its own rounding lost comes off as well.

A constant column has no fluctuation, and a nearly constant one keeps all of its own.
"""

from fractions import Fraction

import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from cdg_torch.kernels.cpu import BLOCK
from tests.kernel_cases import MEMBERS

# A fluctuation that weighs 1e-12 of what the mean does: what is left of the mean shows.
LIGHT = {
    "h0, light": Metric(0.5, 1e-12),
    "general, light": Metric(0.5, 1e-12, 1e-12),
    "general, light, cycle": Metric(0.5, 1e-12, 1e-12, boundary="periodic"),
}


@pytest.mark.parametrize("member", [*MEMBERS, *LIGHT])
def test_a_constant_column_is_divided_by_the_weight_of_the_mean(member) -> None:
    metric = (MEMBERS | LIGHT)[member]
    constants = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for n in (7, 49):
        g = constants.expand(n, -1).contiguous()
        with cdg_torch.backend("cpu"):
            k = cdg_torch.riemannian_gradient(g, metric)
        assert torch.equal(k, g / metric.mean), n


# The last row that is not a whole block's, and the rows of 15 blocks before it.
ROWS = 16 * BLOCK - 3
LAST_DIGIT = Fraction(2) ** -23


def lost(mean: Fraction) -> Fraction:
    """Return what rounding to float64 takes from a mean."""
    return mean - Fraction(float(mean))


def hard_constants() -> list[Fraction]:
    """Return constants that lose more than a third of what they can when one row has a digit more.

    Then ROWS times the rounded mean is off by more than 2/3 of the last digit of the sum, and so
    even a product that is rounded shows it.
    """
    found = []
    for i in range(400):
        constant = 1 + i * LAST_DIGIT
        total = ROWS * constant + LAST_DIGIT
        digit = Fraction(2) ** (int(total).bit_length() - 53)
        if abs(ROWS * lost(total / ROWS)) > Fraction(2, 3) * digit:
            found.append(constant)
    return found


@pytest.mark.parametrize("fluctuation", [0.0, 1e-150])
def test_a_nearly_constant_column_keeps_its_fluctuation(fluctuation) -> None:
    """With c = 1 and next to no other weight, k is the second running sum of ḡ − g.

    Up to a constant, which another sum over the column gives: rows are compared with the last.
    """
    constants = hard_constants()
    assert constants
    g = torch.tensor([float(constant) for constant in constants]).repeat(ROWS, 1)
    place = ROWS // 3
    g[place] += float(LAST_DIGIT)
    metric = Metric(1e100, fluctuation, 1.0, spacing="unit")
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(g, metric)
    exact, flux = [Fraction(0)], Fraction(0)
    for i in range(ROWS - 1):
        flux += (Fraction(1, ROWS) - int(i == place)) * LAST_DIGIT
        exact.append(exact[-1] + flux)
    for column, constant in enumerate(constants):
        rows = [Fraction(value) for value in k[:, column].tolist()]
        error = max(
            abs((found - rows[-1]) - (right - exact[-1]))
            for found, right in zip(rows, exact, strict=True)
        )
        # Twice summed up, the loss would reach this much in the first row.
        damage = abs(lost(constant + LAST_DIGIT / ROWS)) * ROWS * (ROWS - 1) / 2
        assert error < damage / 2, float(constant)
