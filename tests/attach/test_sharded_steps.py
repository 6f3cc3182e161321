"""apply_() ahead of a step, and gradients with a history, where tensors are sharded."""

import importlib

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from tests.tools.needs_torch import needs_fsdp2_on_cpus
from tests.tools.ranks import on_ranks

METRIC = Metric(1.0, 0.5, 0.2)


def sharded(**options):
    importlib.import_module("torch.distributed.fsdp")  # torch does not load it by itself
    torch.manual_seed(0)
    model = nn.Conv1d(2, 6, 1, bias=False).double()
    torch.distributed.fsdp.fully_shard(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, **options)
    return model, optimizer, cdg_torch.attach(optimizer, model, METRIC)


def backward(model):
    model(torch.ones(1, 2, 3, dtype=torch.float64)).sin().sum().backward()


def applied():
    """Return what backward() says after apply_(), or how far the next step is from the metric's."""
    results = []
    for zero in (None, False, True):
        model, optimizer, handle = sharded()
        backward(model)
        handle.apply_()
        if zero is not None:
            optimizer.zero_grad(set_to_none=zero)
        try:
            backward(model)
        except RuntimeError as error:
            results.append(str(error))
            continue
        raw, before = model.weight.grad.full_tensor(), model.weight.full_tensor().detach().clone()
        optimizer.step()
        k = cdg_torch.riemannian_gradient(raw, METRIC)
        results.append(float((before - k - model.weight.full_tensor().detach()).abs().max()))
    return results


def differentiated():
    model, optimizer, _ = sharded(differentiable=True)
    backward(model)
    grad = model.weight.grad
    model.weight.grad = grad * torch.ones((), dtype=torch.float64, requires_grad=True)
    with pytest.raises(TypeError, match="the gradient of weight is a DTensor that requires grad"):
        optimizer.step()
    return True


@needs_fsdp2_on_cpus
def test_a_backward_pass_after_apply_is_noticed_where_fsdp_adds_past_autograd() -> None:
    for added, added_to_zero, gap in on_ranks(2, applied):
        assert "call zero_grad(set_to_none=True) before it" in added
        assert added_to_zero == added
        assert gap < 1e-14


@needs_fsdp2_on_cpus
def test_differentiable_steps_of_sharded_tensors_are_refused() -> None:
    assert on_ranks(2, differentiated) == [True, True]
