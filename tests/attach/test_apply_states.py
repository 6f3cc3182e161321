"""apply_() in any order: every sequence of what may happen to a gradient, against a model of it.

The model is the table in the docstring of ``Handle.apply_``, in numbers: what ``p.grad`` is, and
whether it is transformed.
"""

import itertools
import re

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import riemannian_gradient
from tests.tools.small_training import METRIC

G = torch.randn(4, 2, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
TWICE = re.compile(r"transformed already; call apply_\(\) once")
MIXED = re.compile(r"backward\(\) adds to a gradient that is in the metric already")
NONE = re.compile("every gradient is None")


class Real:
    """An attached optimizer with one parameter, whose gradient is G at every backward pass."""

    def __init__(self, inplace):
        self.model = nn.Conv1d(2, 4, 1, bias=False, dtype=torch.float64)
        self.weight = self.model.weight
        nn.init.zeros_(self.weight)
        self.optimizer = torch.optim.SGD([self.weight], lr=1.0)
        self.handle = cdg_torch.attach(self.optimizer, self.model, METRIC, inplace=inplace)

    def backward(self):
        (self.weight * G).sum().backward()

    def derive(self):
        """Differentiate without adding anything to ``p.grad``."""
        torch.autograd.grad((self.weight * G).sum(), self.weight)

    def apply(self):
        self.handle.apply_()

    def clip(self):
        if self.weight.grad is not None:
            self.weight.grad.mul_(0.5)

    def zero(self):
        self.optimizer.zero_grad(set_to_none=False)

    def none(self):
        self.optimizer.zero_grad(set_to_none=True)

    def put(self):
        self.weight.grad = G.clone()

    def step(self):
        self.optimizer.step()

    def step_with_closure(self):
        self.optimizer.step(self.backward)

    def step_with_zeroing_closure(self):
        self.optimizer.step(lambda: (self.zero(), self.backward()))

    def detach(self):
        self.handle.detach()
        options = {"inplace": self.handle.options.inplace}
        self.handle = cdg_torch.attach(self.optimizer, self.model, METRIC, **options)


class Model:
    """The table: ``grad`` is in ``p.grad``, ``raw`` is what an ``apply_()`` has put aside."""

    def __init__(self, inplace):
        self.inplace, self.grad, self.raw = inplace, None, None
        self.transformed, self.weight = False, torch.zeros_like(G)

    def backward(self):
        if self.transformed and self.grad is not None and bool(self.grad.any()):
            return MIXED
        self.transformed = False
        self.grad = G if self.grad is None else self.grad + G
        return None

    def derive(self):
        return None

    def apply(self):
        if self.grad is None:
            return NONE
        if self.transformed and bool(self.grad.any()):
            return TWICE
        self.raw, self.grad = self.grad, riemannian_gradient(self.grad, METRIC)
        self.transformed = True
        return None

    def clip(self):
        if self.grad is not None:
            self.grad = 0.5 * self.grad

    def zero(self):
        if self.grad is not None:
            self.grad = torch.zeros_like(G)

    def none(self):
        self.grad, self.transformed = None, False

    def put(self):
        self.grad, self.transformed = G, False

    def _back(self):
        # Overwritten, a gradient stays in the metric.
        if self.transformed and not self.inplace:
            self.grad, self.transformed = self.raw, False

    def step(self):
        if self.grad is None:
            return NONE
        if not self.transformed:
            self.raw, self.grad = self.grad, riemannian_gradient(self.grad, METRIC)
            self.transformed = True
        self.weight = self.weight - self.grad
        self.detach()
        return None

    def step_with_closure(self):
        self._back()
        error = self.backward() or self.step()
        self.detach()  # a failed step is a step
        return error

    def step_with_zeroing_closure(self):
        self._back()
        self.zero()
        return self.step_with_closure()

    def detach(self):
        self._back()
        self.transformed = False


EVENTS = [name for name in vars(Model) if not name.startswith("_")]


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("beginning", "length"), [((), 2), (("backward", "apply"), 3)])
def test_every_sequence_does_what_the_table_says(beginning, length, inplace) -> None:
    for rest in itertools.product(EVENTS, repeat=length):
        events = *beginning, *rest
        real, model = Real(inplace), Model(inplace)
        for number, event in enumerate(events):
            expected = getattr(model, event)()
            here = events[: number + 1]
            if expected is None:
                getattr(real, event)()
            else:
                with pytest.raises(RuntimeError, match=expected):
                    getattr(real, event)()
            grad = real.weight.grad
            assert (grad is None) == (model.grad is None), here
            if grad is not None:
                assert torch.equal(grad, model.grad), here
            assert torch.equal(real.weight, model.weight), here
