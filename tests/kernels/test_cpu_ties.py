"""The CPU kernels round to the nearest 16-bit number, and to the even one where two are."""

import pytest
import torch

import cdg_torch
from cdg_torch import Metric


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_halves_are_rounded_to_even(dtype) -> None:
    # Whole numbers that the type holds: 3/4 of one and 1/4 of another are exact in float64.
    largest = 2 ** (8 if dtype == torch.bfloat16 else 11) - 1
    step = largest // 100 | 1
    numbers = torch.arange(-largest, largest + 1, step, dtype=torch.float64)
    g = torch.cartesian_prod(numbers, numbers).T.contiguous()
    exact = (3 * g + g.flip(0)) / 4
    nearest = exact.to(dtype)
    above = torch.nextafter(nearest, torch.full_like(nearest, torch.inf)).double()
    below = torch.nextafter(nearest, torch.full_like(nearest, -torch.inf)).double()
    ties = (above - exact == exact - nearest.double()) | (exact - below == nearest.double() - exact)
    assert ties.sum() > 100
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(g.to(dtype), Metric.reweighted_h0(2.0))
    assert torch.equal(k, nearest)
