"""Mixed precision: a GradScaler changes no weight, overflow steps are skipped, fused or not."""

from functools import partial

import pytest
import torch

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network, same, weights_of
from tests.tools.training_loops import attached_network, train_attached, transform_by_hand

KINDS = {
    "SGD": lambda model, **kw: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, **kw),
    "AdamW": lambda model, **kw: torch.optim.AdamW(model.parameters(), lr=0.01, **kw),
    "Adam, decay": lambda model, **kw: torch.optim.Adam(
        model.parameters(), lr=0.01, weight_decay=0.1, **kw
    ),
}


def train(kind, *, scaled, path, unscale=False, **options):
    make = partial(KINDS[kind], **({path: True} if path else {}))
    model, optimizer, _ = attached_network(make, **options)
    # A power of two: scaling and unscaling are exact, so the weights must agree bit for bit.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2, enabled=scaled)
    for batch in batches(4):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, batch)).backward()
        if unscale:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5, foreach=False)
        scaler.step(optimizer)
        scaler.update()
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["", "foreach", "fused"])
@pytest.mark.parametrize("unscale", [False, True])
def test_same_weights_with_and_without_the_scaler(kind, path, unscale) -> None:
    def clip(model) -> None:
        if unscale:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5, foreach=False)

    plain = train_attached(partial(KINDS[kind], **({path: True} if path else {})), 4, clip)
    assert same(train(kind, scaled=True, path=path, unscale=unscale), plain)


@pytest.mark.parametrize("path", ["", "fused"])
def test_decay_that_is_transformed_is_scaled_with_the_gradient(path) -> None:
    plain = train("Adam, decay", scaled=False, path=path, transform_decay=True)
    scaled = train("Adam, decay", scaled=True, path=path, transform_decay=True)
    for p, q in zip(plain.parameters(), scaled.parameters(), strict=True):
        # (Sg + Sλw) / S rounds like g + λw only up to the last bit of each of 4 Adam steps,
        # whose size is at most the learning rate.
        torch.testing.assert_close(p, q, rtol=0, atol=4 * 0.01 * 1e-3)
    untransformed = train("Adam, decay", scaled=False, path=path)
    assert not same(plain, untransformed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["", "fused"])
@pytest.mark.parametrize("where", ["gradient", "update"])
def test_overflow_steps_are_skipped(kind, path, where) -> None:
    model = network()
    optimizer = KINDS[kind](model, **({path: True} if path else {}))
    cdg_torch.attach(optimizer, model, METRIC, where=where)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    first, second = batches(2)
    for batch, overflow in ((first, False), (second, True)):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, batch)).backward()
        if overflow:
            with torch.no_grad():
                model[0].weight.grad[0, 0, 0, 0] = float("inf")
        # Unfused, the scaler itself has unscaled the raw gradients; fused, they stay scaled.
        scale = 1.0 if path else scaler.get_scale()
        grads = [p.grad / scale for p in model.parameters()]
        before = weights_of(model)
        scaler.step(optimizer)
        scaler.update()
        moved = [not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True)]
        assert any(moved) is not overflow
        if overflow:
            for p, g in zip(model.parameters(), grads, strict=True):
                torch.testing.assert_close(p.grad, g, rtol=0, atol=0, equal_nan=True)
    assert scaler.get_scale() == 2.0**9


@pytest.mark.parametrize("path", ["foreach", "fused"])
def test_bfloat16_weights_see_the_gradient_rounded_once(path) -> None:
    model = network().bfloat16().eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, **{path: True})
    cdg_torch.attach(optimizer, model, METRIC)
    inputs, targets = batches(1)[0]
    loss_of(model, (inputs.bfloat16(), targets)).backward()
    raw = model[0].weight.grad.clone()
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(model[0].weight.grad.clone()))
    optimizer.step()
    exact = cdg_torch.riemannian_gradient(raw.double(), METRIC)
    assert seen[0].dtype is torch.bfloat16
    # one unit in the last place of bfloat16 at the largest entry
    assert (seen[0].double() - exact).abs().max() <= 2**-8 * exact.abs().max()
    assert torch.equal(model[0].weight.grad, raw)


def test_bfloat16_autocast() -> None:
    def run(attached):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        if attached:
            cdg_torch.attach(optimizer, model, METRIC)
        for batch in batches(3):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(model, batch)
            loss.backward()
            if not attached:
                transform_by_hand(model)
            optimizer.step()
        return model

    assert same(run(attached=True), run(attached=False))
