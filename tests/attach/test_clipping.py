"""The order is unscale → clip → transform → step; apply_() and dual_norm() serve the others."""

from functools import partial

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network, same
from tests.tools.training_loops import (
    attached_network,
    closure_of,
    momentum_sgd,
    train,
    train_attached,
    train_by_hand,
    transform_by_hand,
)


def clip(model) -> None:
    clip_grad_norm_(model.parameters(), 0.1)


def test_clipping_comes_before_the_transform() -> None:
    assert same(train_attached(momentum_sgd, 4, clip), train_by_hand(momentum_sgd, 4, clip))


@pytest.mark.parametrize("inplace", [False, True])
def test_apply_then_clip(inplace) -> None:
    reference = network()
    train(reference, momentum_sgd(reference), batches(4), transform_by_hand, clip)
    model, optimizer, handle = attached_network(inplace=inplace)
    for batch in batches(4):
        closure_of(model, optimizer, batch)()
        raw = model[0].weight.grad
        values = raw.clone()
        handle.apply_()
        clip(model)
        optimizer.step()
        if not inplace:
            assert model[0].weight.grad is raw
            assert torch.equal(raw, values)
    assert same(model, reference)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_apply_under_a_scaler_that_skips_a_step(set_to_none) -> None:
    def run(attached):
        model = network()
        optimizer = momentum_sgd(model)
        transform = partial(transform_by_hand, model)
        if attached:
            transform = cdg_torch.attach(optimizer, model, METRIC).apply_
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
        for index, batch in enumerate(batches(4)):
            optimizer.zero_grad(set_to_none=set_to_none)
            scaler.scale(loss_of(model, batch)).backward()
            if index == 1:
                model[0].weight.grad[0, 0, 0, 0] = float("nan")
            scaler.unscale_(optimizer)
            transform()
            clip(model)
            scaler.step(optimizer)
            scaler.update()
        return model

    assert same(run(attached=True), run(attached=False))


def test_apply_twice_is_refused() -> None:
    model, _, handle = attached_network()
    loss_of(model, batches(1)[0]).backward()
    handle.apply_()
    with pytest.raises(RuntimeError, match=r"transformed already; call apply_\(\) once after each"):
        handle.apply_()


def test_apply_without_gradients_is_refused() -> None:
    *_, handle = attached_network()
    with pytest.raises(RuntimeError, match=r"every gradient is None.*backward\(\) has not run"):
        handle.apply_()


def test_apply_has_no_meaning_for_updates() -> None:
    *_, handle = attached_network(where="update")
    with pytest.raises(ValueError, match='needs where="gradient"'):
        handle.apply_()


def test_detach_after_apply_brings_the_raw_gradients_back() -> None:
    model, _, handle = attached_network()
    loss_of(model, batches(1)[0]).backward()
    raw = model[0].weight.grad
    handle.apply_()
    assert model[0].weight.grad is not raw
    handle.detach()
    assert model[0].weight.grad is raw


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 1e9])
def test_dual_norm_is_the_length_of_the_gradient_in_the_metric(scale) -> None:
    model = network().double()
    handle = cdg_torch.attach(momentum_sgd(model), model, METRIC)
    inputs, targets = batches(1)[0]
    (scale * loss_of(model, (inputs.double(), targets))).backward()
    raw = [p.grad.clone() for p in model.parameters()]
    norm = handle.dual_norm()
    transform_by_hand(model)
    # ‖g‖² in the dual metric is gᵀM⁻¹g: the raw gradient times the transformed one
    square = sum((g * p.grad).sum() for g, p in zip(raw, model.parameters(), strict=True))
    torch.testing.assert_close(norm, square.sqrt(), rtol=1e-13, atol=0)
