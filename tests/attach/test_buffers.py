"""Transformed gradients take no fresh memory at every step, and nobody's memory is taken away."""

import copy
import weakref

import pytest
import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

import cdg_torch
from cdg_torch import Metric
from cdg_torch.attachment.buffers import Buffers

# From about here on, the C library asks the system for fresh pages.
LARGE = 1 << 17
METRIC = Metric.sobolev(0.5)


class Keeping(torch.optim.SGD):
    """An optimizer that keeps something of the gradients it was given, and where they were."""

    def __init__(self, params, keep=lambda _g: None) -> None:
        super().__init__(params, lr=0.1)
        self.keep, self.kept, self.places = keep, [], []

    def step(self, closure=None):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        self.kept.append([self.keep(g) for g in grads])
        self.places.append([g.data_ptr() for g in grads])
        return super().step(closure)


KEPT = {"tensors": lambda g: g, "views": lambda g: g.flatten()[:5].detach()}


def model_of(channels=256) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(16, channels, 3), nn.Conv2d(channels, 4, 3))


def steps(optimizer, model, count=3):
    expected = []
    for seed in range(count):
        torch.manual_seed(seed)
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        weight = model[0].weight.grad
        assert weight.numel() * 4 >= LARGE
        expected.append(cdg_torch.riemannian_gradient(weight, METRIC))
        optimizer.step()
    return expected


def test_the_next_step_uses_the_same_memory() -> None:
    model = model_of()
    optimizer = Keeping(model.parameters())
    cdg_torch.attach(optimizer, model, METRIC)
    steps(optimizer, model)
    first, second, third = (places[0] for places in optimizer.places)
    assert first == second == third
    assert first % 64 == 0


@pytest.mark.parametrize("kept", KEPT)
def test_what_an_optimizer_keeps_stays_as_it_was(kept) -> None:
    model = model_of()
    optimizer = Keeping(model.parameters(), KEPT[kept])
    cdg_torch.attach(optimizer, model, METRIC)
    expected = steps(optimizer, model)
    assert len({places[0] for places in optimizer.places}) == 3
    for (first, *_), k in zip(optimizer.kept, expected, strict=True):
        assert torch.equal(first.flatten()[:5], k.flatten()[:5])


def test_results_may_change_one_by_one() -> None:
    tensors = [torch.zeros(LARGE), torch.zeros(3, LARGE), torch.zeros(7)]
    first, second, small = Buffers().like(tensors)
    for tensor in (first, second, small):
        tensor.zero_()
    versions = second._version, small._version
    first.add_(1.0)
    assert (second._version, small._version) == versions
    assert second.abs().max() == 0
    assert small.abs().max() == 0


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(LARGE + 1),
        torch.zeros(64, 64, 9, 9).to(memory_format=torch.channels_last),
        torch.zeros(LARGE, dtype=torch.bfloat16),
        torch.zeros(LARGE, dtype=torch.complex64),
        torch.zeros(512, LARGE // 64).t(),
        torch.zeros(LARGE, 2)[:, 0],
        torch.zeros(1).expand(LARGE),
        torch.zeros(0, 5),
        torch.zeros(3),
    ],
    ids=["odd", "channels_last", "bfloat16", "complex", "transposed", "gaps", "expanded", "0", "3"],
)
def test_the_layout_is_that_of_empty_like(tensor) -> None:
    buffers, expected = Buffers(), torch.empty_like(tensor)
    for _ in range(2):
        (found,) = buffers.like([tensor])
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.stride() == expected.stride()
        found.fill_(1.0)
        assert bool((found == 1).all())
        del found


def test_another_size_gets_other_memory() -> None:
    buffers = Buffers()
    for size in (LARGE, 2 * LARGE, LARGE + 1):
        (found,) = buffers.like([torch.zeros(size)])
        found.fill_(2.0)
        assert found.sum() == 2.0 * size
        del found


def test_copies_and_detached_handles_hold_no_block() -> None:
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = cdg_torch.attach(optimizer, model, METRIC)
    steps(optimizer, model, 1)
    (held,) = (weakref.ref(k) for k in handle._attachment.buffers._results[:1])
    assert held() is not None
    assert not copy.deepcopy(handle)._attachment.buffers._results
    handle.detach()
    assert held() is None
    assert handle._attachment.buffers._block is None


def attached(optimizer_of, model, **options):
    optimizer = optimizer_of(model.parameters())
    cdg_torch.attach(optimizer, model, Metric.sobolev(5.0), **options)
    return optimizer


def test_results_that_have_changed_places_do_not_serve_again() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(3, 8, 3, bias=False))

    class Exchanging(Keeping):
        def step(self, closure=None):
            result = super().step(closure)
            one, two = (p.grad for p in model.parameters())
            there = two.storage_offset()
            two.set_(two.untyped_storage(), one.storage_offset(), two.shape, two.stride())
            one.set_(one.untyped_storage(), there, one.shape, one.stride())
            return result

    optimizer = Exchanging(model.parameters(), torch.clone)
    cdg_torch.attach(optimizer, model, METRIC)
    for seed in range(3):
        torch.manual_seed(seed)
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        expected = [cdg_torch.riemannian_gradient(p.grad, METRIC) for p in model.parameters()]
        optimizer.step()
        assert all(map(torch.equal, optimizer.kept[-1], expected))


def test_memory_that_a_hook_puts_under_a_gradient_is_not_written_to() -> None:
    """As many refer to the block as before, and one result lies elsewhere."""
    model = nn.Conv2d(3, 8, 3, bias=False)
    optimizer = attached(lambda p: torch.optim.SGD(p, lr=0.0), model)
    kept = {}

    def hook(*_):
        if not kept:
            kept["old"] = model.weight.grad.data
            kept["mine"] = model.weight.grad.data = torch.full((8, 3, 3, 3), 7.0)

    optimizer.register_step_pre_hook(hook)
    for _ in range(2):
        model.weight.grad = torch.ones(8, 3, 3, 3)
        optimizer.step()
    assert (kept["mine"] == 7.0).all()


def test_a_kept_storage_keeps_its_numbers() -> None:
    model = nn.Conv2d(3, 8, 3, bias=False)
    optimizer = attached(lambda p: torch.optim.SGD(p, lr=0.0), model)
    kept = []
    optimizer.register_step_pre_hook(lambda *_: kept.append(model.weight.grad.untyped_storage()))
    for size in (1.0, 2.0):
        model.weight.grad = torch.full((8, 3, 3, 3), size)
        optimizer.step()
    one, other = (torch.tensor(storage, dtype=torch.uint8) for storage in kept)
    assert not torch.equal(one, other)


class Marks:
    """What a hook puts on a gradient, or keeps beside it."""

    def __init__(self, where: str) -> None:
        self.where, self.beside = where, WeakIdKeyDictionary()

    def read(self, gradient):
        if self.where == "beside":
            return self.beside.get(gradient)
        return getattr(gradient, self.where, None)

    def put(self, gradient) -> None:
        if self.where == "beside":
            self.beside[gradient] = True
        else:
            setattr(gradient, self.where, torch.zeros_like(gradient))


@pytest.mark.parametrize("where", ["done", "grad", "beside"])
def test_what_is_put_on_a_gradient_does_not_outlive_its_step(where) -> None:
    model = nn.Conv2d(3, 8, 3, bias=False)
    optimizer = attached(lambda p: torch.optim.SGD(p, lr=0.0), model)
    marks, seen = Marks(where), []

    def hook(*_):
        seen.append(marks.read(model.weight.grad))
        marks.put(model.weight.grad)

    optimizer.register_step_pre_hook(hook)
    for _ in range(3):
        model.weight.grad = torch.ones(8, 3, 3, 3)
        optimizer.step()
    assert seen == [None] * 3


def test_norms_are_matched_where_strides_differ() -> None:
    model = nn.ModuleList([nn.Linear(4, 4, bias=False) for _ in range(2)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    rule = cdg_torch.Rule(metric=Metric.sobolev(5.0), types=nn.Linear)
    cdg_torch.attach(optimizer, model, None, rules=[rule], inplace=True, match_norm=True)
    flat = torch.randn(200, generator=torch.Generator().manual_seed(0))
    before = flat.clone()
    model[0].weight.grad = flat[:16].view(4, 4)
    model[1].weight.grad = flat[16:96].view(4, 20)[:, :4]
    norm = model[1].weight.grad.norm()
    optimizer.step()
    torch.testing.assert_close(model[1].weight.grad.norm(), norm)
    assert torch.equal(flat[20:36], before[20:36])


def test_a_learning_rate_may_be_a_tensor_of_one_number() -> None:
    weights = []
    for rate in (torch.tensor([0.01]), 0.01):
        torch.manual_seed(0)
        model = nn.Conv2d(3, 8, 3, bias=False)
        optimizer = attached(
            lambda p, rate=rate: torch.optim.AdamW(p, lr=rate, weight_decay=0.1, foreach=False),
            model,
            where="update",
        )
        model.weight.grad = torch.ones_like(model.weight)
        optimizer.step()
        weights.append(model.weight.detach())
    torch.testing.assert_close(*weights)


def test_a_step_after_apply_leaves_the_results_for_the_next_one() -> None:
    """It transforms nothing, and asks for the memory of nothing."""
    buffers, wanted = Buffers(), [torch.ones(3, 2), torch.ones(5)]
    first = [id(k) for k in buffers.like(wanted)]
    assert not buffers.like([])
    assert [id(k) for k in buffers.like(wanted)] == first
