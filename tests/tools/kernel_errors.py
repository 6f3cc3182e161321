"""What the kernels may err by: a float64 oracle, errors in eps, and columns that are hard."""

from fractions import Fraction

import torch
from torch import Tensor

import cdg_torch
from cdg_torch import Metric


def gradient_of_size(shape, dtype, seed=0, device="cpu") -> Tensor:
    """Return numbers with a mean of a size of its own: what the fluctuation loses to it shows."""
    generator = torch.Generator().manual_seed(seed)
    g = torch.randn(shape, generator=generator, dtype=torch.float64) + 3.0
    return g.to(dtype).to(device)


def oracle(g: Tensor, metric: Metric, dim: int = 0, groups: int = 1) -> Tensor:
    """Return the gradient by the readable reference, in float64."""
    with cdg_torch.backend("reference"):
        return cdg_torch.riemannian_gradient(g.double(), metric, dim=dim, groups=groups)


def error_in_eps(k: Tensor, exact: Tensor, dim: int = 0, groups: int = 1) -> float:
    """Return the largest error of a column, in eps of the dtype times the largest entry."""
    error, size = (k.double() - exact).abs(), exact.abs()
    columns = [t.unflatten(dim, (groups, -1)).amax(dim + 1) for t in (error, size)]
    ratio = columns[0] / columns[1].clamp_min(torch.finfo(torch.float64).tiny)
    return float(ratio.max() / torch.finfo(k.dtype).eps)


# The result is rounded once, to the nearest: half an eps. The 16-bit types are rounded by way of
# float32, which can turn a near-tie over: 2^-13 of eps for bfloat16 and 2^-11 for float16. What is
# left for float64's own errors is 2^-9 eps of float32, 8e5 eps of float64.
NARROW = 0.5 * (1 + 2.0**-8)
# The reference and the kernel each err by a few roundings per row; see `exact` for a sharp test.
DOUBLE_PER_ROW = 4.0

# Three rows less than whole blocks of 16, and of 32.
ROWS = 253
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


def check_nearly_constant_columns(fluctuation: float, device: str, most: int | None = None) -> None:
    """Check columns in which all rows but one hold the same number; so many of them at most.

    With c = 1 and next to no other weight, k is the second running sum of ḡ − g, up to a constant,
    which another sum over the column gives: rows are compared with the last.
    """
    constants = hard_constants()[:most]
    assert constants
    g = torch.tensor([float(constant) for constant in constants]).repeat(ROWS, 1)
    place = ROWS // 3
    g[place] += float(LAST_DIGIT)
    g = g.to(device)
    metric = Metric(1e100, fluctuation, 1.0, spacing="unit")
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
