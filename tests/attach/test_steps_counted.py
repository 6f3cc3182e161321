"""handle.steps counts the steps in which something was transformed, and the report says it."""

import copy
import pickle

import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from tests.tools.small_training import METRIC, batches, loss_of, network
from tests.tools.training_loops import attached_network, closure_of, momentum_sgd, train

DATA = batches(3)
OPTIONS = [{}, {"where": "update"}, {"inplace": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_plain_steps_and_the_report(options) -> None:
    model, optimizer, handle = attached_network(**options)
    for count, batch in enumerate(DATA):
        plural = "" if count == 1 else "s"
        assert str(handle.report()).endswith(f"\n{count} step{plural} transformed so far")
        assert handle.steps == count == handle.report().steps
        train(model, optimizer, [batch])
    handle.detach()
    train(model, optimizer, DATA)
    assert handle.steps == 3


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_closure_counts_once(options) -> None:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.01, max_iter=3)
    handle = cdg_torch.attach(optimizer, model, METRIC, **options)
    calls = []
    optimizer.step(closure_of(model, optimizer, DATA[0], calls.append))
    assert len(calls) > 1
    assert handle.steps == 1


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_failed_and_skipped_steps_do_not_count(options) -> None:
    model, optimizer, handle = attached_network(**options)
    with pytest.raises(RuntimeError, match="every gradient is None"):
        optimizer.step()

    def fails():
        loss_of(model, DATA[0]).backward()
        msg = "no more data"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="no more data"):
        optimizer.step(fails)
    assert handle.steps == 0
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
    for batch, bad in zip(DATA, (False, True, False), strict=True):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, batch)).backward()
        if bad:
            model[0].weight.grad[0, 0, 0, 0] = float("inf")
        scaler.step(optimizer)
        scaler.update()
    assert handle.steps == 2


def test_a_step_that_transforms_nothing_does_not_count() -> None:
    model, optimizer, handle = attached_network()
    model[7].weight.grad = torch.ones_like(model[7].weight)
    optimizer.step()
    assert handle.steps == 0
    handle.metric = Metric.l2()  # the very gradient goes in
    train(model, optimizer, DATA)
    assert handle.steps == 0
    handle.metric = METRIC
    train(model, optimizer, DATA)
    assert handle.steps == 3


def test_gradients_that_were_transformed_ahead_count_at_the_step() -> None:
    model, optimizer, handle = attached_network()
    loss_of(model, DATA[0]).backward()
    handle.apply_()
    assert handle.steps == 0
    optimizer.step()
    assert handle.steps == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_begins_at_zero(duplicate) -> None:
    model = network()
    optimizer = momentum_sgd(model)
    handle = cdg_torch.attach(optimizer, model, METRIC)
    train(model, optimizer, DATA)
    twin = cdg_torch.attached(duplicate(optimizer))
    assert twin.steps == 0
    train(twin.model, twin.optimizer, DATA[:1])
    assert (twin.steps, handle.steps) == (1, 3)
