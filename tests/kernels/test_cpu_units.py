"""The float64 kernels measure each column in units of its own: the smallest keep all digits, too.

Next to columns of every other size, and among numbers that float64 holds to a few digits only.
"""

import pytest
import torch

import cdg_torch
from tests.tools.kernel_cases import MEMBERS

LIFT = 2.0**-300


@pytest.mark.parametrize("member", MEMBERS)
def test_the_smallest_columns_keep_all_digits(member) -> None:
    metric = MEMBERS[member]
    # Weights so small that the results are normal numbers again.
    lifted = LIFT * metric
    whole = torch.randint(-999, 999, (33, 4), generator=torch.Generator().manual_seed(0)).double()
    units = torch.tensor([2.0**-1074, 1.0, 2.0**-1074, 2.0**700], dtype=torch.float64)
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(whole, lifted)
        assert torch.equal(cdg_torch.riemannian_gradient(whole * units, lifted), k * units)
