"""Training ``network()``: plainly, with a metric attached, and with the transform by hand."""

from functools import partial

import torch

import cdg_torch
from tests.tools.small_training import METRIC, SELECTED, batches, loss_of, network


class CallsSuper(torch.optim.SGD):
    """A subclass whose step calls torch's, so that torch runs the step hooks twice."""

    def step(self, closure=None):
        return super().step(closure)


def momentum_sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)


def unit_sgd(model):
    """Return an optimizer whose step is the gradient that it is given."""
    return torch.optim.SGD(model.parameters(), lr=1.0)


def transform_by_hand(model, metric=METRIC) -> None:
    """Overwrite the gradients of ``network()`` with M⁻¹g, each axis written down here."""
    for name, (dim, groups) in SELECTED.items():
        weight = model.get_parameter(name)
        if weight.grad is not None:
            weight.grad = cdg_torch.riemannian_gradient(weight.grad, metric, dim=dim, groups=groups)


def expect_step(optimizer, weights: dict, metric=METRIC) -> None:
    """Step once with rate 1 and check each weight's change against M⁻¹g along its axis, if any."""
    before = {w: w.detach().clone() for w in weights}
    grads = {w: w.grad.clone() for w in weights}
    optimizer.step()
    for w, dim in weights.items():
        k = grads[w] if dim is None else cdg_torch.riemannian_gradient(grads[w], metric, dim=dim)
        assert torch.equal(w, before[w] - k)


def closure_of(model, optimizer, batch, *hooks, **zero_grad):
    """Return what evaluates the loss of a batch and its gradients; hooks run after that."""

    def closure():
        optimizer.zero_grad(**zero_grad)
        loss = loss_of(model, batch)
        loss.backward()
        for hook in hooks:
            hook(model)
        return loss

    return closure


def train(model, optimizer, data, *hooks) -> None:
    """Train with an ordinary loop; each hook runs between backward pass and step."""
    for batch in data:
        closure_of(model, optimizer, batch, *hooks)()
        optimizer.step()


def attached_network(make_optimizer=momentum_sgd, metric=METRIC, **options):
    """Return ``network()``, its optimizer, and the handle of the metric."""
    model = network()
    optimizer = make_optimizer(model)
    return model, optimizer, cdg_torch.attach(optimizer, model, metric, **options)


def train_by_hand(make_optimizer, steps: int = 4, *hooks, metric=METRIC):
    """Train with the transform written into the loop; the hooks run just before it."""
    model = network()
    by_hand = partial(transform_by_hand, metric=metric)
    train(model, make_optimizer(model), batches(steps), *hooks, by_hand)
    return model


def train_attached(make_optimizer, steps: int = 4, *hooks, metric=METRIC, **options):
    """Train with an ordinary loop and one added line."""
    model, optimizer, _ = attached_network(make_optimizer, metric, **options)
    train(model, optimizer, batches(steps), *hooks)
    return model
