"""A closure is followed: the transform comes after every evaluation, on raw gradients."""

import pytest
import torch

import cdg_torch
from tests.tools.small_training import (
    METRIC,
    all_equal,
    batches,
    loss_of,
    network,
    same,
    weights_of,
)
from tests.tools.training_loops import (
    attached_network,
    closure_of,
    momentum_sgd,
    train_by_hand,
    transform_by_hand,
)


@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("as_keyword", [True, False])
def test_sgd_with_a_closure_equals_the_loop_by_hand(set_to_none, as_keyword) -> None:
    model, optimizer, _ = attached_network()
    for batch in batches(4):
        closure = closure_of(model, optimizer, batch, set_to_none=set_to_none)
        loss = optimizer.step(closure=closure) if as_keyword else optimizer.step(closure)
        assert isinstance(loss, torch.Tensor)
    assert same(model, train_by_hand(momentum_sgd))


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_equals_a_closure_that_transforms_by_hand(line_search) -> None:
    options = {"lr": 0.1, "max_iter": 5, "line_search_fn": line_search}

    def run(attached: bool):
        model, evaluations = network(), []
        optimizer = torch.optim.LBFGS(model.parameters(), **options)
        if attached:
            cdg_torch.attach(optimizer, model, METRIC)
        hooks = [evaluations.append, *([] if attached else [transform_by_hand])]
        for batch in batches(3):
            optimizer.step(closure_of(model, optimizer, batch, *hooks))
        return model, len(evaluations)

    (model, count), (reference, expected) = run(attached=True), run(attached=False)
    assert same(model, reference)
    assert count == expected > 3


def test_a_closure_that_accumulates_adds_to_raw_gradients() -> None:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.0, max_iter=3)
    cdg_torch.attach(optimizer, model, METRIC)
    (batch,) = batches(1)
    model.eval()
    seen = []

    def closure():
        loss = loss_of(model, batch)
        loss.backward()
        seen.append(model[0].weight.grad.clone())
        return loss

    optimizer.step(closure)
    for count, grad in enumerate(seen, start=1):
        torch.testing.assert_close(grad, count * seen[0], rtol=1e-5, atol=0)


def test_a_closure_that_backward_skipped_is_no_error() -> None:
    model, optimizer, _ = attached_network()
    before = weights_of(model)
    optimizer.step(lambda: None)
    assert all_equal(model.parameters(), before)


class IgnoresClosure(torch.optim.Optimizer):
    def step(self, closure=None):
        """Do nothing at all."""


def test_a_closure_that_is_not_called_is_an_error() -> None:
    model = network()
    optimizer = IgnoresClosure(model.parameters(), {})
    cdg_torch.attach(optimizer, model, METRIC)
    with pytest.raises(RuntimeError, match="was given a closure and did not call it"):
        optimizer.step(lambda: loss_of(model, batches(1)[0]))
