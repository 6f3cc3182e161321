"""A step that calls itself is one step: the gradient in the metric comes once, not M⁻² of it."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric

METRIC = Metric.sobolev(2.0)


class AfterClosure(torch.optim.SGD):
    """Evaluates the closure, then steps without it."""

    def step(self, closure=None):
        if closure is None:
            return super().step()
        with torch.enable_grad():
            closure()
        return self.step()


class Passing(torch.optim.SGD):
    """Hands the closure on to a step of its own."""

    within = False

    def step(self, closure=None):
        if self.within:
            return super().step(closure)
        self.within = True
        try:
            return self.step(closure)
        finally:
            self.within = False


class Doubling(Passing):
    """Steps twice; a second closure is its own."""

    def step(self, closure=None):
        if self.within:
            return torch.optim.SGD.step(self, closure)
        self.within = True
        try:
            self.step(closure)
            return self.step(None if closure is None else lambda: closure())
        finally:
            self.within = False


OPTIONS = {
    "gradient": {},
    "inplace": {"inplace": True},
    "update": {"where": "update", "transform_decay": True},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("closed", [True, False], ids=["closure", "backward"])
@pytest.mark.parametrize(
    ("kind", "times"),
    [(torch.optim.SGD, 1), (AfterClosure, 1), (Passing, 1), (Doubling, 2)],
)
def test_one_transform(kind, times, closed, options) -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(4, 6, 1, bias=False).double()
    optimizer = kind(layer.parameters(), lr=0.5)
    handle = cdg_torch.attach(optimizer, layer, METRIC, **options)
    for count in range(1, 4):
        before, gradient = layer.weight.detach().clone(), torch.randn_like(layer.weight)

        def closure(gradient=gradient):
            layer.weight.grad = gradient.clone()
            return torch.tensor(0.0)

        optimizer.step(closure) if closed else (closure(), optimizer.step())
        wanted = before - 0.5 * times * cdg_torch.riemannian_gradient(gradient, METRIC)
        torch.testing.assert_close(layer.weight.detach(), wanted)
        assert handle.steps == count


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_step_that_fails_leaves_the_next_one_whole(options) -> None:
    class Failing(torch.optim.SGD):
        fails = True

        def step(self, closure=None):
            if self.fails:
                msg = "once"
                raise OSError(msg)
            return super().step(closure)

    layer = nn.Conv1d(4, 6, 1, bias=False).double()
    optimizer = Failing(layer.parameters(), lr=0.5)
    cdg_torch.attach(optimizer, layer, METRIC, **options)
    before, gradient = layer.weight.detach().clone(), torch.randn_like(layer.weight)
    layer.weight.grad = gradient.clone()
    with pytest.raises(OSError, match="once"):
        optimizer.step()
    optimizer.fails = False
    layer.weight.grad = gradient.clone()
    optimizer.step()
    wanted = before - 0.5 * cdg_torch.riemannian_gradient(gradient, METRIC)
    torch.testing.assert_close(layer.weight.detach(), wanted)
