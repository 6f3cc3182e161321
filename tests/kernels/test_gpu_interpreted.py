"""The GPU kernels' logic, through Triton's interpreter (or compiled, where a GPU is): T5, T7.

The interpreter cuts a float32 to 16 bits instead of rounding it, so the 16-bit types are allowed a
whole eps there; a GPU rounds.
"""

import numpy as np
import pytest
import torch

import cdg_torch
from cdg_torch.solve.columns import Part, block_table
from cdg_torch.solve.gpu import run_gpu
from tests.tools.kernel_cases import (
    CURVED,
    GENERAL,
    GENERAL_CYCLE,
    H0,
    L2,
    MEMBERS,
    METRICS,
    SOBOLEV,
    SOBOLEV_CYCLE,
    most_at_once,
)
from tests.tools.kernel_errors import (
    NARROW,
    check_nearly_constant_columns,
    error_in_eps,
    gradient_of_size,
    oracle,
)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def gradient(shape, dtype=torch.float32):
    return gradient_of_size(shape, dtype, device=DEVICE)


def allowed(dtype):
    return NARROW if dtype == torch.float32 or DEVICE == "cuda" else 1.0


@pytest.fixture(autouse=True)
def on_gpu():
    """Force the GPU kernels."""
    with cdg_torch.backend("gpu"):
        yield


def check(member, dtype, shapes) -> None:
    metric = MEMBERS[member]
    tensors = [gradient(shape, dtype) for shape in shapes]
    expected = [oracle(g, metric) for g in tensors]
    cdg_torch.riemannian_gradients_(tensors, metric)
    for g, exact in zip(tensors, expected, strict=True):
        assert error_in_eps(g, exact) <= allowed(dtype), g.shape


@pytest.mark.parametrize("member", most_at_once(METRICS))
def test_equals_the_reference(member) -> None:
    shapes = [(1, 3), (2, 1), (3, 33), (32, 3), (2 * 32 + 1, 3), (300, 3)]
    check(member, torch.float32, shapes)


# The interpreter scans pairs number by number.
@pytest.mark.parametrize("member", CURVED)
def test_pairs_equal_the_reference(member) -> None:
    check(member, torch.float32, [(2, 1), (33, 3)])


@pytest.mark.parametrize("member", ["no fluctuation", "spline periodic unit"])
def test_pairs_in_several_tiles_and_blocks(member) -> None:
    check(member, torch.float32, [(65, 1), (3, 10)])


@pytest.mark.parametrize("member", [H0, SOBOLEV, GENERAL])
def test_several_tensors_of_several_tiles(member) -> None:
    check(member, torch.float32, [(2, 33), (3, 34)])


@pytest.mark.parametrize("member", [SOBOLEV, SOBOLEV_CYCLE, GENERAL, GENERAL_CYCLE])
def test_blocks_and_segments_hand_on_what_they_end_with(member) -> None:
    # One row more than whole blocks, and one less.
    check(member, torch.float32, [(65, 1), (63, 1)])


@pytest.mark.parametrize("fluctuation", [0.0, 1e-150])
def test_a_nearly_constant_column_keeps_its_fluctuation(fluctuation) -> None:
    check_nearly_constant_columns(fluctuation, DEVICE, most=3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("member", [L2, H0, SOBOLEV, GENERAL_CYCLE])
def test_equals_the_reference_at_16_bits(member, dtype) -> None:
    check(member, dtype, [(3, 5)])


@pytest.mark.parametrize("member", [H0, SOBOLEV, GENERAL_CYCLE])
def test_axes_groups_and_layouts(member) -> None:
    metric = MEMBERS[member]
    cases = [
        (gradient((4, 6, 2, 2)).to(memory_format=torch.channels_last), 0, 2),
        (gradient((3, 8, 3)), 1, 1),
        (gradient((3, 8, 3)).permute(1, 2, 0), 2, 3),
        (gradient((9, 10, 4))[1:, ::2], 0, 1),
        (gradient((5, 3)).t(), 0, 1),
    ]
    expected = [oracle(g, metric, dim, groups) for g, dim, groups in cases]
    tensors, dims, groups = zip(*cases, strict=True)
    before = [g.stride() for g in tensors]
    cdg_torch.riemannian_gradients_(tensors, metric, dims=dims, groups=groups)
    for g, exact, dim, count in zip(tensors, expected, dims, groups, strict=True):
        assert error_in_eps(g, exact, dim, count) <= NARROW
    assert [g.stride() for g in tensors] == before


def test_new_addresses_are_seen_and_other_metrics_too() -> None:
    metric = MEMBERS[GENERAL]
    for seed in range(3):
        kept = [torch.randn(5, 4, device=DEVICE) + seed for _ in range(2)]
        for chosen in (metric, MEMBERS[H0]):
            for g in kept:
                k = cdg_torch.riemannian_gradient(g, chosen)
                assert error_in_eps(k, oracle(g, chosen)) <= NARROW


def test_addresses_are_laid_out_as_on_the_device() -> None:
    # A capture refuses to copy what has to be rearranged first.
    blocks = block_table([Part((4, 3), (3, 1), MEMBERS[H0], 0, 1)] * 3, 4, double=False)
    lists = np.arange(6).reshape(2, 3) << 20
    found = run_gpu._addresses(blocks, *lists)
    assert found.flags.c_contiguous
    assert found.tolist() == lists.tolist()


# The interpreter is NumPy, which remarks upon inf - inf.
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("member", [H0, SOBOLEV_CYCLE, GENERAL])
def test_only_its_own_column_is_spoiled(member) -> None:
    clean = gradient((131, 4))
    for bad in (float("nan"), float("inf")):
        g = clean.clone()
        g[5, 2] = bad
        k, expected = (cdg_torch.riemannian_gradient(t, MEMBERS[member]) for t in (g, clean))
        others = torch.arange(4, device=DEVICE) != 2
        assert torch.equal(k[:, others], expected[:, others])
        assert not k[:, 2].isfinite().any()


def test_float64_is_left_to_the_reference() -> None:
    with pytest.raises(ValueError, match=r"gpu backend cannot serve a torch.float64 tensor"):
        cdg_torch.riemannian_gradient(gradient((3, 2), torch.float64), MEMBERS[H0])


@pytest.mark.skipif(DEVICE != "cuda", reason="CUDA graphs need a GPU")
def test_a_cuda_graph_replays_the_step() -> None:
    metric = MEMBERS[SOBOLEV]
    g = gradient((64, 100))
    cdg_torch.riemannian_gradients_([g.clone()], metric)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        cdg_torch.riemannian_gradients_([g], metric)
    g.copy_(gradient((64, 100)) * 2)
    exact = oracle(g, metric)
    graph.replay()
    assert error_in_eps(g, exact) <= NARROW
