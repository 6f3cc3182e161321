"""T18: with a curvature, float32 results err by at most 8 ulp of the largest entry, n ≤ 4096.

Of random, smooth and one-hot columns. The highest frequencies are no such columns: the rounding of
g less its mean is magnified like n⁴ beside them, whatever float64 does.
"""

import pytest
import torch

import cdg_torch
from tests.tools.kernel_cases import CURVED
from tests.tools.kernel_errors import oracle


@pytest.mark.parametrize("member", CURVED)
@pytest.mark.parametrize("n", [64, 1000, 4096])
def test_eight_ulp(member, n) -> None:
    place = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    random = torch.randn(n, 2, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    smooth = torch.stack([torch.cos(torch.pi * place), torch.sin(6 * place) + 7, place], 1)
    one_hot = torch.eye(n, dtype=torch.float64)[:, [0, n // 3, n - 1]]
    g = torch.cat([random, smooth, one_hot], 1).float()
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(g, CURVED[member])
    exact = oracle(g, CURVED[member])
    ulp = torch.finfo(torch.float32).eps * 2.0 ** exact.abs().amax(0).log2().floor()
    assert ((k.double() - exact).abs() / ulp).max() <= 8
