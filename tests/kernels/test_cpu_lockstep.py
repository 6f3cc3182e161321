"""The CPU kernels round the reference's float64 gradient once: member, dtype, size (T5, T7).

Sizes stand around what the kernels count in: the lanes of a block of columns, the rows of a block.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cdg_torch
from cdg_torch.solve.cpu.single import BLOCK
from cdg_torch.solve.cpu.vectors import LANES
from tests.tools.kernel_cases import DTYPES, L2, MEMBERS
from tests.tools.kernel_errors import DOUBLE_PER_ROW, NARROW, error_in_eps, gradient_of_size, oracle
from tests.tools.strategies import channel_counts, seeds

ROWS = [1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 61, 131]
COLUMNS = [1, LANES - 1, LANES, LANES + 1, 2 * LANES + 3]


def allowed(dtype, n, member):
    if dtype != torch.float64:
        return NARROW
    # A pair is multiplied by a matrix of four numbers.
    return DOUBLE_PER_ROW * n * (4 if MEMBERS[member].curvature else 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("member", MEMBERS)
def test_equals_the_reference(member, dtype) -> None:
    for n in ROWS:
        for columns in COLUMNS if n in {3, BLOCK + 1} else COLUMNS[-1:]:
            g = gradient_of_size((n, columns), dtype)
            before = g.clone()
            with cdg_torch.backend("cpu"):
                k = cdg_torch.riemannian_gradient(g, MEMBERS[member])
                cdg_torch.riemannian_gradients_([g], MEMBERS[member])
            error = error_in_eps(k, oracle(before, MEMBERS[member]))
            assert error <= allowed(dtype, n, member), (n, columns, error)
            assert torch.equal(g, k), "in place and out of place differ"


@given(
    n=channel_counts(),
    columns=st.integers(1, 3 * LANES),
    member=st.sampled_from(sorted(MEMBERS)),
    dtype=st.sampled_from(DTYPES),
    seed=seeds(),
)
def test_equals_the_reference_at_any_size(n, columns, member, dtype, seed) -> None:
    g = gradient_of_size((n, columns), dtype, seed)
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(g, MEMBERS[member])
    assert error_in_eps(k, oracle(g, MEMBERS[member])) <= allowed(dtype, n, member)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_smoothing_changes_no_bit(dtype) -> None:
    g = gradient_of_size((33, 2 * LANES + 5), dtype)
    g[:, 0] = torch.tensor([float("nan"), float("inf"), -0.0]).to(dtype).repeat(11)
    with cdg_torch.backend("cpu"):
        k = cdg_torch.riemannian_gradient(g, MEMBERS[L2])
    assert torch.equal(k.isnan(), g.isnan())
    assert torch.equal(k.nan_to_num(), g.nan_to_num())
    assert torch.equal(k.signbit(), g.signbit())
