"""After the step, failed or not, p.grad is the tensor that backward() left, bit for bit.

In-place mode is the stated exception: there .grad holds M⁻¹g afterwards.
"""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from tests.tools.small_training import all_equal, weights_of

METRIC = Metric.sobolev(0.3)


def setup(optimizer=torch.optim.SGD, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6))
    optimizer = optimizer(model.parameters(), lr=0.1)
    handle = cdg_torch.attach(optimizer, model, METRIC, **options)
    return model, optimizer, handle


def backward(model, seed=0) -> None:
    x = torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(seed))
    model(x)[:, :, 0].square().sum().backward()


def snapshot(model):
    return [(p.grad, p.grad.clone()) for p in model.parameters()]


def assert_raw(model, before) -> None:
    for p, (grad, values) in zip(model.parameters(), before, strict=True):
        assert p.grad is grad
        assert torch.equal(grad, values)


@pytest.mark.parametrize("options", [{}, {"where": "update"}, {"match_norm": True}], ids=str)
def test_restored_after_the_step(options) -> None:
    model, optimizer, _ = setup(**options)
    backward(model)
    before = snapshot(model)
    optimizer.step()
    assert_raw(model, before)


def test_the_optimizer_saw_the_gradient_in_the_metric() -> None:
    model, optimizer, _ = setup()
    backward(model)
    weight = model[0].weight
    k = cdg_torch.riemannian_gradient(weight.grad, METRIC)
    expected = weight.detach() - 0.1 * k
    optimizer.step()
    torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-6)
    assert not torch.equal(k, weight.grad)


class Failing(torch.optim.SGD):
    """Fails in the middle of its step."""

    def step(self, closure=None):
        if closure is not None:
            closure()
        super().step()
        msg = "out of memory"
        raise RuntimeError(msg)


@pytest.mark.parametrize("with_closure", [False, True])
@pytest.mark.parametrize("scheduler", ["none", "before", "after"])
def test_restored_when_the_base_step_fails(with_closure: bool, scheduler: str) -> None:
    def make(parameters, lr):
        optimizer = Failing(parameters, lr)
        if scheduler == "before":
            torch.optim.lr_scheduler.StepLR(optimizer, 1)
        return optimizer

    model, optimizer, _ = setup(make)
    if scheduler == "after":
        torch.optim.lr_scheduler.StepLR(optimizer, 1)
    seen = []

    def closure():
        optimizer.zero_grad()
        backward(model)
        seen[:] = snapshot(model)

    closure()
    with pytest.raises(RuntimeError, match="out of memory"):
        optimizer.step(*([closure] if with_closure else []))
    assert_raw(model, seen)


def test_restored_when_the_closure_fails() -> None:
    model, optimizer, _ = setup()
    backward(model)
    before = snapshot(model)
    calls = []

    def evaluate():
        assert_raw(model, before)
        calls.append(1)
        if len(calls) == 2:
            msg = "no more data"
            raise RuntimeError(msg)
        return torch.tensor(1.0)

    with pytest.raises(RuntimeError, match="no more data"):
        optimizer.step(lambda: [evaluate() for _ in range(2)])
    assert_raw(model, before)


@pytest.mark.parametrize(
    "options", [{}, {"match_norm": True}, {"inplace": True, "transform_decay": True}], ids=str
)
def test_a_refused_gradient_changes_nothing(options) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Embedding(5, 4, sparse=True))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    rule = cdg_torch.Rule(metric=METRIC, types=nn.Embedding)
    cdg_torch.attach(optimizer, model, METRIC, rules=[rule], **options)
    (model[0](torch.ones(1, 2, 3, 3)).sum() + model[1](torch.tensor([1])).sum()).backward()
    weights, grad = weights_of(model), model[0].weight.grad
    values = grad.clone()
    with pytest.raises(TypeError, match=r"the gradient of 1\.weight must be dense"):
        optimizer.step()
    assert model[0].weight.grad is grad
    assert torch.equal(grad, values)
    assert all_equal(model.parameters(), weights)


def test_in_place_mode_leaves_the_gradient_in_the_metric() -> None:
    model, optimizer, _ = setup(inplace=True)
    reference, reference_optimizer, _ = setup()
    backward(model)
    backward(reference)
    pointer = model[0].weight.grad.data_ptr()
    k = cdg_torch.riemannian_gradient(model[0].weight.grad, METRIC)
    optimizer.step()
    reference_optimizer.step()
    assert model[0].weight.grad.data_ptr() == pointer
    assert torch.equal(model[0].weight.grad, k)
    assert all_equal(model.parameters(), reference.parameters())


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"where": "update"}], ids=str)
def test_gradients_with_a_history_are_stepped_with_like_others(options) -> None:
    # Gradient penalties differentiate the gradient: p.grad then requires grad itself.
    results = []
    for with_history in (False, True):
        model, optimizer, _ = setup(**options)
        x = torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(0))
        loss = model(x)[:, :, 0].square().sum()
        grads = torch.autograd.grad(loss, list(model.parameters()), create_graph=with_history)
        for p, g in zip(model.parameters(), grads, strict=True):
            p.grad = g
        optimizer.step()
        results.append(weights_of(model))
    assert all_equal(*results)
