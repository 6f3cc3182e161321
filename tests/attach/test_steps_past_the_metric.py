"""A step is in the metric, or refused before it changes a weight: whatever way it is reached."""

import types
from functools import partial

import pytest
import torch
from torch.optim import SGD

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
    train_attached,
    train_by_hand,
    transform_by_hand,
)
from tests.tools.wrappers import SAM, Lookahead

sgd = partial(SGD, lr=0.1, momentum=0.9)
Twice = type("Twice", (SGD,), {"step": lambda self, closure=None: SGD.step(self, closure)})


def lookahead(model):
    return Lookahead(sgd(model.parameters()))


def sam(model):
    return SAM(model.parameters(), SGD, lr=0.1)


def test_a_wrapper_that_makes_its_own_hooks_is_in_the_metric() -> None:
    assert same(train_attached(lookahead), train_by_hand(lookahead))


@pytest.mark.parametrize("to", ["wrapper", "base"])
@pytest.mark.parametrize("form", ["closure", "two steps"])
def test_sam_is_in_the_metric_or_says_how(form, to) -> None:
    """With a closure either way; in two steps on its base optimizer, and refused elsewhere."""

    def run(attached):
        model = network().eval()
        optimizer = sam(model)
        if attached:
            inner = optimizer if to == "wrapper" else optimizer.base_optimizer
            handle = cdg_torch.attach(inner, model, METRIC)
        for batch in batches(3):
            evaluate = closure_of(model, optimizer, batch)
            evaluate()
            if attached and form == "closure":
                optimizer.step(evaluate)
                continue
            optimizer.first_step(zero_grad=True)
            evaluate()
            if not attached:
                transform_by_hand(model)
            optimizer.second_step(zero_grad=True)
        if attached:
            assert handle.steps == 3
        return model

    if (form, to) != ("two steps", "wrapper"):
        assert same(run(attached=True), run(attached=False))
        return
    with pytest.raises(
        RuntimeError,
        match=r"the SGD that is optimizer\.base_optimizer of a SAM steps outside .*"
        r"attach\(optimizer\.base_optimizer, model, metric\) instead",
    ):
        run(attached=True)


def reassigned(optimizer):
    optimizer.step = types.MethodType(type(optimizer).step, optimizer)
    return optimizer.step


# A step that goes around the one that attach() has put there; and what is known before attach().
OWN = {
    "the step of the class": (lambda _: None, lambda o, _: type(o).step(o)),
    "a bound method from before": (lambda o: o.step, lambda _, kept: kept()),
    "a step put in its place": (lambda _: None, lambda o, _: reassigned(o)()),
}
INNER = {
    "the inner optimizer's": (lambda _: None, lambda o, _: inside(o).step()),
    "the inner optimizer's class's": (lambda _: None, lambda o, _: SGD.step(inside(o))),
}
ALONE = {
    "SGD": lambda m: sgd(m.parameters()),
    "calls the inherited step": lambda m: Twice(m.parameters(), lr=0.1),
    "cdg_torch.SGD": lambda m: cdg_torch.SGD(m, lr=0.1, metric=METRIC),
}
AROUND = {
    "Lookahead": lookahead,
    "Lookahead of Lookahead": lambda m: Lookahead(lookahead(m)),
    "in a list": lambda m: with_inner(m, lambda inner: [inner]),
    "in a dictionary": lambda m: with_inner(m, lambda inner: {"main": inner}),
}
PAST = {
    f"{maker}, {way}": (make, *ways[way])
    for makers, ways in ((ALONE, OWN), (AROUND, OWN | INNER), ({"SAM": sam}, INNER))
    for maker, make in makers.items()
    for way in ways
}


def with_inner(model, pack):
    optimizer = sgd(model.parameters())
    optimizer.others = pack(sgd(model[0].parameters()))
    return optimizer


def inside(optimizer):
    for value in vars(optimizer).values():
        parts = value.values() if isinstance(value, dict) else value
        for part in parts if isinstance(value, dict | list) else [value]:
            if isinstance(part, torch.optim.Optimizer):
                return inside(part)
    return optimizer


@pytest.mark.parametrize("options", [{}, {"where": "update"}, {"inplace": True}], ids=str)
@pytest.mark.parametrize("way", PAST)
def test_a_step_past_the_metric_is_refused_and_changes_nothing(way, options) -> None:
    make, before, go = PAST[way]
    model = network()
    optimizer = make(model)
    if (handle := cdg_torch.attached(optimizer)) is not None:
        handle.detach()
    known = before(optimizer)
    handle = cdg_torch.attach(optimizer, model, METRIC, **options)
    loss_of(model, batches(1)[0]).backward()
    weights, grads = weights_of(model), [p.grad.clone() for p in model.parameters()]
    with pytest.raises(RuntimeError, match="its gradients would go in untransformed"):
        go(optimizer, known)
    assert all_equal(model.parameters(), weights)
    assert all_equal([p.grad for p in model.parameters()], grads)
    assert handle.steps == 0
    handle.detach()
    go(optimizer, known)  # and then it is nobody's business
    assert not all_equal(model.parameters(), weights)


def test_a_step_that_leads_nowhere_is_noticed_by_the_handle() -> None:
    model, optimizer, handle = attached_network()
    optimizer.step = lambda: None
    assert not handle.is_attached
    assert "detached" in repr(handle)
    for use in (handle.report, handle.apply_, handle.stats, handle.dual_norm):
        with pytest.raises(RuntimeError, match=r"optimizer\.step has been replaced since attach"):
            use()
    handle.detach()
    assert optimizer.step() is None
    del optimizer.step
    handle = cdg_torch.attach(optimizer, model, METRIC)
    ours = optimizer.step
    optimizer.step = lambda: ours()
    handle.report()


def test_a_metric_inside_a_metric_is_refused() -> None:
    model = network()
    outer = lookahead(model)
    inner = outer._base_optimizer
    handle = cdg_torch.attach(inner, model, METRIC)
    with pytest.raises(
        RuntimeError, match=r"attached to optimizer\._base_optimizer already.*twice"
    ):
        cdg_torch.attach(outer, model, METRIC)
    handle.detach()
    cdg_torch.attach(outer, model, METRIC)
    with pytest.raises(RuntimeError, match=r"an optimizer that holds this SGD inside.*twice"):
        cdg_torch.attach(inner, model, METRIC)


class InBackward(torch.optim.Optimizer):
    """Changes the weights in ``fused_backward()``, as LOMO does."""


def test_an_optimizer_that_does_not_step_is_refused() -> None:
    model = network()
    with pytest.raises(TypeError, match=r"InBackward has no step\(\) of its own"):
        cdg_torch.attach(InBackward(model.parameters(), {}), model, METRIC)


def test_optimizers_inside_that_share_nothing_step_as_they_like() -> None:
    model, other = network(), network()
    optimizer = sgd(model.parameters())
    optimizer.other = sgd(other.parameters())
    # A wrapper that the optimizer knows is outside of it, not inside.
    optimizer.wrapper = Lookahead(optimizer)
    cdg_torch.attach(optimizer, model, METRIC)
    for one in (model, other):
        loss_of(one, batches(1)[0]).backward()
    optimizer.other.step()
    optimizer.wrapper.step()


def test_a_failed_step_leaves_the_guard_in_place() -> None:
    model, optimizer, _ = attached_network()

    def fails():
        msg = "no more data"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="no more data"):
        optimizer.step(fails)
    loss_of(model, batches(1)[0]).backward()
    with pytest.raises(RuntimeError, match="past the metric"):
        type(optimizer).step(optimizer)


def test_detached_in_the_middle_of_a_step_there_is_no_guard() -> None:
    model, optimizer, handle = attached_network()

    def closure():
        loss_of(model, batches(1)[0]).backward()
        handle.detach()

    optimizer.step(closure)
    assert not optimizer._optimizer_step_pre_hooks


class ForwardBackward(torch.optim.Optimizer):
    """Is given two functions, neither of them as ``closure``."""

    def step(self, forward, *, backward):
        loss = forward()
        backward(loss)
        for p in self.param_groups[0]["params"]:
            p.data -= 0.1 * p.grad
        return loss


def test_gradients_are_followed_whatever_the_argument_is_called() -> None:
    def run(attached):
        model = network()
        optimizer = ForwardBackward(model.parameters(), {})
        if attached:
            cdg_torch.attach(optimizer, model, METRIC)
        for batch in batches(3):
            optimizer.zero_grad()

            def backward(loss):
                loss.backward()
                if not attached:
                    transform_by_hand(model)

            optimizer.step(partial(loss_of, model, batch), backward=backward)
        return model

    assert same(run(attached=True), run(attached=False))
