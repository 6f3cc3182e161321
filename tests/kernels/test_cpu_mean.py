"""The kernels take the mean off to the last digit: what its own rounding lost comes off as well.

A constant column has no fluctuation, and a nearly constant one keeps all of its own.
"""

import pytest
import torch

import cdg_torch
from tests.tools.kernel_cases import LIGHT, MEMBERS
from tests.tools.kernel_errors import check_nearly_constant_columns


@pytest.mark.parametrize("member", [*MEMBERS, *LIGHT])
def test_a_constant_column_is_divided_by_the_weight_of_the_mean(member) -> None:
    metric = (MEMBERS | LIGHT)[member]
    constants = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for n in (7, 49):
        g = constants.expand(n, -1).contiguous()
        with cdg_torch.backend("cpu"):
            k = cdg_torch.riemannian_gradient(g, metric)
        assert torch.equal(k, g / metric.mean), n


@pytest.mark.parametrize("fluctuation", [0.0, 1e-150])
def test_a_nearly_constant_column_keeps_its_fluctuation(fluctuation) -> None:
    with cdg_torch.backend("cpu"):
        check_nearly_constant_columns(fluctuation, "cpu")
