"""Layers that are alike are treated together, and each comes out as by an optimizer of its own."""

import copy
import itertools

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from cdg_torch.attachment.buffers import CACHE_LINE, Buffers

METRIC = Metric.sobolev(2.0)
OPTIONS = {
    "plain": {},
    "inplace": {"inplace": True},
    "match_norm": {"match_norm": True},
    "update": {"where": "update"},
    "update, match_norm": {"where": "update", "match_norm": True},
}


def alike():
    return [nn.Conv2d(3, 5, 2) for _ in range(4)]


def channels_last():
    return [layer.to(memory_format=torch.channels_last) for layer in alike()]


def of_one_size():
    return [nn.Conv2d(*(2, 6) if i % 2 else (6, 2), 3) for i in range(5)]


def of_odd_sizes():
    kinds = [torch.float32, torch.bfloat16, torch.float64, torch.bfloat16, torch.float32]
    return [nn.Conv1d(1, 3, 1).to(kind) for kind in kinds]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("layers", [alike, channels_last, of_one_size, of_odd_sizes])
def test_as_by_an_optimizer_of_its_own(layers, options) -> None:
    torch.manual_seed(0)
    together = nn.ModuleList(layers())
    apart = copy.deepcopy(together)
    groups = [[*together.parameters()], *([*layer.parameters()] for layer in apart)]
    optimizers = [torch.optim.SGD(group, lr=0.1, momentum=0.9) for group in groups]
    for optimizer, model in zip(optimizers, (together, *apart), strict=True):
        cdg_torch.attach(optimizer, model, METRIC, **options)
    for _ in range(4):
        for p, other in zip(together.parameters(), apart.parameters(), strict=True):
            p.grad = torch.randn_like(p)
            other.grad = p.grad.clone(memory_format=torch.preserve_format)
        for optimizer in optimizers:
            optimizer.step()
        for p, other in zip(together.parameters(), apart.parameters(), strict=True):
            # Norms may be summed in another order, four times.
            torch.testing.assert_close(p, other, rtol=8 * torch.finfo(p.dtype).eps, atol=1e-7)


def test_memory_of_tensors_of_any_size_is_disjoint() -> None:
    kinds = itertools.product((torch.bfloat16, torch.float32, torch.float64), (1, 3, 3, 4, 7))
    results = Buffers().like([torch.zeros(count, dtype=kind) for kind, count in kinds])
    places = sorted((k.data_ptr(), k.data_ptr() + k.nbytes) for k in results)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
    sizes = {k.nbytes for k in results}
    first = [min(k.data_ptr() for k in results if k.nbytes == size) for size in sizes]
    assert all(place % CACHE_LINE == 0 for place in first)


def test_private_memory_serves_what_it_was_made_for() -> None:
    buffers, wanted = Buffers(private=True), [torch.zeros(3)]
    first = buffers.like(wanted)
    assert buffers.like(wanted)[0] is first[0]
    (apart,) = buffers.like([torch.zeros(1).expand(3)])  # not dense: memory of its own
    assert apart.shape == (3,)
    assert len(buffers.like(wanted)) == 1


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_step_without_any_gradient_does_nothing(options) -> None:
    layer = nn.Conv1d(2, 3, 1)
    before = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    cdg_torch.attach(optimizer, layer, METRIC, require_gradients=False, **options)
    for _ in range(2):
        optimizer.step()
    assert torch.equal(layer.weight, before)


def test_a_norm_that_overflows_leaves_the_scale() -> None:
    # The result of the first column overflows in float16; the second keeps its numbers.
    layer = nn.Conv1d(2, 3, 1, bias=False).half()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    cdg_torch.attach(optimizer, layer, Metric.reweighted_h0(2.0) * 1e-3, match_norm=True)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.tensor([6e4, 1.0]).half().expand(3, 2)[..., None].clone()
    optimizer.step()
    assert torch.equal(before[:, 1] - layer.weight[:, 1], torch.full((3, 1), 1000.0).half())
