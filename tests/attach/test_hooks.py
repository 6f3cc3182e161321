"""Step hooks keep their order: attaching counts as one more hook, registered at that moment.

The table of the page "In your training loop" says what each hook sees, and is read here.
"""

import re
from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network
from tests.tools.training_loops import CallsSuper, closure_of, momentum_sgd

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "supported.md"


def documented() -> dict[str, str]:
    section = PAGE.read_text().split("## What a hook sees")[1].split("\n#")[0]
    rows = re.findall(r"^\| (.*?) \| \{math\}`(.*?)` \|$", section, flags=re.MULTILINE)
    return {what: {"g": "raw", "k": "transformed"}[symbol] for what, symbol in rows}


@pytest.mark.parametrize("scheduler", ["none", "before", "after"])
@pytest.mark.parametrize("with_closure", [False, True])
def test_what_each_hook_sees(with_closure, scheduler) -> None:
    model = network()
    optimizer = momentum_sgd(model)
    weight = model[0].weight
    seen, raws = {}, []

    def spy(name):
        return lambda *_: seen.update({name: weight.grad})

    if scheduler == "before":
        lr_scheduler.ConstantLR(optimizer)
    optimizer.register_step_pre_hook(spy("pre hook, registered before `attach`"))
    optimizer.register_step_post_hook(spy("post hook, registered before `attach`"))
    cdg_torch.attach(optimizer, model, METRIC)
    optimizer.register_step_pre_hook(spy("pre hook, registered after `attach`"))
    optimizer.register_step_post_hook(spy("post hook, registered after `attach`"))
    if scheduler == "after":
        lr_scheduler.ConstantLR(optimizer)
    everywhere = [
        register_optimizer_step_pre_hook(spy("global pre hook")),
        register_optimizer_step_post_hook(spy("global post hook")),
    ]
    (batch,) = batches(1)
    closure = closure_of(model, optimizer, batch, lambda _: raws.append(weight.grad))
    try:
        closure()
        optimizer.step(*([closure] if with_closure else []))
    finally:
        for hook in everywhere:
            hook.remove()
    seen["`p.grad` after `step()`"] = weight.grad
    raw, found = raws[-1], {}
    transformed = cdg_torch.riemannian_gradient(raw, METRIC)
    assert not torch.equal(transformed, raw)
    for name, grad in seen.items():
        if with_closure and "pre" in name:
            # Before the closure has run there is nothing but the last raw gradient.
            assert grad is raws[0]
            continue
        found[name] = "raw" if grad is raw else "transformed"
        assert grad is raw or torch.equal(grad, transformed)
    table = documented()
    assert set(seen) == set(table)
    assert found == {name: table[name] for name in found}


def test_a_hook_may_replace_the_closure() -> None:
    model = network()
    optimizer = momentum_sgd(model)
    weight, called = model[0].weight, []

    def scaled(_optimizer, args, kwargs):
        closure = args[1]

        def both():
            closure()
            weight.grad.mul_(2.0)
            called.append(weight.grad.clone())

        return (args[0], both, *args[2:]), kwargs

    optimizer.register_step_pre_hook(scaled)
    cdg_torch.attach(optimizer, model, METRIC)
    before = weight.detach().clone()
    optimizer.param_groups[0].update(momentum=0.0, weight_decay=0.0, lr=1.0)
    optimizer.step(lambda: loss_of(model, batches(1)[0]).backward())
    assert torch.equal(weight, before - cdg_torch.riemannian_gradient(called[0], METRIC))


@pytest.mark.parametrize("when", ["outside", "in the closure"])
def test_hooks_come_and_go(when) -> None:
    model = network()
    optimizer = momentum_sgd(model)
    calls, late = [], []
    once = optimizer.register_step_pre_hook(lambda *_: (calls.append("once"), once.remove())[1])
    handle = cdg_torch.attach(optimizer, model, METRIC)

    def register(_model):
        if not late:
            late.append(optimizer.register_step_post_hook(lambda *_: calls.append("late")))

    if when == "outside":
        register(model)
    for _ in range(2):
        optimizer.step(closure_of(model, optimizer, batches(1)[0], register))
    assert calls == ["once", "late", "late"]
    assert len(optimizer._optimizer_step_post_hooks) == 1
    handle.detach()
    assert not optimizer._optimizer_step_pre_hooks


def test_hooks_on_raw_gradients_are_called_once_where_the_step_is_inherited() -> None:
    momentum_sgd(network())  # torch puts its hooks on a class when the class is first used
    model = network()
    optimizer = CallsSuper(model.parameters(), lr=0.1)
    weight, seen = model[0].weight, {"older": [], "younger": []}
    optimizer.register_step_pre_hook(lambda *_: seen["older"].append(weight.grad))
    cdg_torch.attach(optimizer, model, METRIC)
    optimizer.register_step_pre_hook(lambda *_: seen["younger"].append(weight.grad))
    loss_of(model, batches(1)[0]).backward()
    optimizer.step()
    assert [grad is weight.grad for grad in seen["older"]] == [True]
    assert [grad is weight.grad for grad in seen["younger"]] == [False, False]


def test_a_failing_step_leaves_the_hooks_in_place() -> None:
    model = network()
    optimizer = momentum_sgd(model)
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("pre"))
    cdg_torch.attach(optimizer, model, METRIC)
    optimizer.register_step_post_hook(lambda *_: calls.append("post"))

    def fails():
        msg = "no more data"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="no more data"):
        optimizer.step(fails)
    assert calls == ["pre"]
    loss_of(model, batches(1)[0]).backward()
    optimizer.step()
    assert calls == ["pre", "pre", "post"]
