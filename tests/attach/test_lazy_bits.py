"""A gradient that torch has conjugated or negated in name only is transformed as what it means."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric

METRIC = Metric(1.0, 0.5, 0.2)


def conjugated(shape):
    return torch.randn(shape, dtype=torch.complex64).conj()


def negated(shape):
    return torch._neg_view(torch.randn(shape))


@pytest.mark.parametrize(
    "options",
    [{}, {"inplace": True}, {"match_norm": True}, {"stats": True}, {"where": "update"}],
    ids=str,
)
@pytest.mark.parametrize("make", [conjugated, negated])
def test_the_step_is_that_of_the_same_numbers_in_memory(make, options) -> None:
    weights = []
    for materialised in (False, True):
        torch.manual_seed(0)
        dtype = torch.complex64 if make is conjugated else torch.float32
        model = nn.Conv1d(2, 4, 3, dtype=dtype)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        handle = cdg_torch.attach(optimizer, model, METRIC, **options)
        lazy = make(model.weight.shape)
        grad = lazy.clone() if materialised else lazy
        assert (grad.is_conj() or grad.is_neg()) is not materialised
        model.weight.grad = grad
        length = handle.dual_norm()
        optimizer.step()
        assert options.get("inplace") or model.weight.grad is grad
        weights.append((model.weight.detach().clone(), length))
    assert all(torch.equal(lazy, plain) for lazy, plain in zip(*weights, strict=True))
