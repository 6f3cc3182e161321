"""Layout, axis and groups change where numbers lie, never the numbers: same bits and strides."""

import pytest
import torch

import cdg_torch
from cdg_torch.gradient import write_gradients
from cdg_torch.solve import Job
from cdg_torch.solve.columns import blocks, is_injective
from tests.tools.kernel_cases import GENERAL, L2, MEMBERS

METRIC = MEMBERS[GENERAL]

# Name: (a tensor with that layout, from a generator).
LAYOUTS = {
    "contiguous": lambda: torch.randn(24, 5, 3, 3),
    "channels_last": lambda: torch.randn(24, 5, 3, 3).to(memory_format=torch.channels_last),
    "channels_last_3d": lambda: torch.randn(24, 5, 2, 3, 3).to(
        memory_format=torch.channels_last_3d
    ),
    "output channels last in memory": lambda: torch.randn(5, 3, 3, 24).permute(3, 0, 1, 2),
    "all axes permuted": lambda: torch.randn(3, 24, 2, 5).permute(1, 3, 0, 2),
    "a slice with gaps": lambda: torch.randn(30, 7, 4, 5)[3:27, 1:6, ::2, 1:4],
    "one column": lambda: torch.randn(24),
    "columns of one": lambda: torch.randn(24, 1, 1, 1),
    "wide": lambda: torch.randn(24, 300),
}


def reference(g, dim, groups):
    """Return the gradient by copying every group's columns out, solving, and copying back."""
    rows = g.movedim(dim, 0).unflatten(0, (groups, -1)).contiguous()
    solved = [cdg_torch.riemannian_gradient(one, METRIC) for one in rows]
    return torch.cat(solved).movedim(0, dim)


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_same_bits_in_every_layout(layout, groups) -> None:
    g = LAYOUTS[layout]()
    before, strides = g.clone(), g.stride()
    for dim in [axis for axis in range(g.ndim) if g.shape[axis] == 24]:
        with cdg_torch.backend("cpu"):
            exact = reference(before, dim, groups)
            k = cdg_torch.riemannian_gradient(g, METRIC, dim=dim, groups=groups)
            assert torch.equal(g, before), "the input was written to"
            cdg_torch.riemannian_gradients_([g], METRIC, dims=dim, groups=groups)
        assert torch.equal(k, exact)
        assert torch.equal(g, exact)
        assert g.stride() == strides
        assert k.stride() == torch.empty_like(before).stride()


@pytest.mark.parametrize("dim", [0, 1, 2, 3, -1])
def test_every_axis(dim) -> None:
    g = torch.randn(6, 10, 7, 9)
    with cdg_torch.backend("cpu"):
        assert torch.equal(
            cdg_torch.riemannian_gradient(g, METRIC, dim=dim), reference(g, dim % g.ndim, 1)
        )


@pytest.mark.parametrize("member", MEMBERS)
def test_a_view_leaves_its_surroundings_alone(member) -> None:
    base = torch.randn(30, 9, 70)
    before = base.clone()
    with cdg_torch.backend("cpu"):
        cdg_torch.riemannian_gradients_([base[2:20, 3:8, 1:-1]], MEMBERS[member])
    outside = torch.ones_like(base, dtype=torch.bool)
    outside[2:20, 3:8, 1:-1] = False
    assert torch.equal(base[outside], before[outside])
    assert torch.equal(base, before) == (member == L2)


def test_a_gradient_of_one_layout_into_a_buffer_of_another() -> None:
    g = torch.randn(24, 5, 3, 3).to(memory_format=torch.channels_last)
    out = torch.empty(24, 5, 3, 3)
    with cdg_torch.backend("cpu"):
        write_gradients([Job(out, g, METRIC)])
        assert torch.equal(out, reference(g, 0, 1))


def test_an_expanded_gradient_is_read_and_never_written() -> None:
    g = torch.randn(24, 1).expand(24, 5)
    with cdg_torch.backend("cpu"):
        assert torch.equal(
            cdg_torch.riemannian_gradient(g, METRIC),
            cdg_torch.riemannian_gradient(g.contiguous(), METRIC),
        )
        with pytest.raises(TypeError, match=r"overlaps itself.*contiguous"):
            cdg_torch.riemannian_gradients_([g], METRIC)


def test_empty_columns_are_no_error() -> None:
    g = torch.empty(4, 0)
    cdg_torch.riemannian_gradients_([g], METRIC)
    assert cdg_torch.riemannian_gradient(g, METRIC).shape == (4, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_reach_every_element_once(layout) -> None:
    g = LAYOUTS[layout]()
    assert is_injective(g.shape, g.stride())
    found = []
    for b in blocks(g.shape, g.stride(), 0, 2):
        rows, outer, inner = torch.meshgrid(
            *(torch.arange(size) for size in (b.rows, b.outer, b.inner)), indexing="ij"
        )
        places = rows * b.row_stride + outer * b.outer_stride + inner * b.inner_stride
        found.append((places + b.offset).flatten())
    axes = [torch.arange(size) * s for size, s in zip(g.shape, g.stride(), strict=True)]
    expected = sum(torch.meshgrid(*axes, indexing="ij")).flatten()
    assert torch.equal(torch.cat(found).sort().values, expected.sort().values)
