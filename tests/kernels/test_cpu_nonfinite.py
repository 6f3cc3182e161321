"""A NaN or an infinity spoils its own column and no other, in place, gathered or in a tail."""

import pytest
import torch

import cdg_torch
from cdg_torch.solve.cpu.vectors import LANES
from tests.tools.kernel_cases import CURVED, DTYPES, MEMBERS, SMOOTHING


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("member", [*SMOOTHING, *CURVED])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_only_its_own_column(member, bad, dtype) -> None:
    width = 2 * LANES + 5
    clean = torch.randn(20, width).to(dtype)
    for column in (0, 1, LANES - 1, LANES, 2 * LANES, width - 1):
        g = clean.clone()
        g[7, column] = bad
        with cdg_torch.backend("cpu"):
            k = cdg_torch.riemannian_gradient(g, MEMBERS[member])
            expected = cdg_torch.riemannian_gradient(clean, MEMBERS[member])
        others = torch.arange(width) != column
        assert torch.equal(k[:, others], expected[:, others])
        assert not k[:, column].isfinite().any()
