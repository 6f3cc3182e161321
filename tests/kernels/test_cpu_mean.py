"""The kernels take the mean off to the last digit: what its own rounding lost comes off as well.

A constant column has no fluctuation, and a nearly constant one keeps all of its own.
"""

from dataclasses import replace

import pytest
import torch

import cdg_torch
from tests.tools.kernel_cases import CURVED, LIGHT, MEMBERS
from tests.tools.kernel_errors import (
    LAST_DIGIT,
    NARROW,
    ROWS,
    check_nearly_constant_columns,
    error_in_eps,
    hard_constants,
    oracle,
)


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


@pytest.mark.parametrize("member", CURVED)
def test_with_a_curvature_a_nearly_constant_column_is_as_good_as_its_fluctuation(member) -> None:
    # Four running sums; next to the mean's weight, nothing but the fluctuation is left of k.
    metric = replace(CURVED[member], mean=1e100)
    g = torch.tensor([float(constant) for constant in hard_constants()]).repeat(ROWS, 1)
    digit = torch.zeros_like(g)
    digit[ROWS // 3] = float(LAST_DIGIT)
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(g + digit, metric)
    assert error_in_eps(k, oracle(digit, metric)) <= NARROW
