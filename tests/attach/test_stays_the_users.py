"""The optimizer stays the user's own: class, repr, state, schedulers, hooks; detach undoes all."""

import inspect
from functools import partial

import pytest
import torch
from torch.optim import lr_scheduler

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network, same
from tests.tools.training_loops import (
    CallsSuper,
    attached_network,
    closure_of,
    momentum_sgd,
    train,
    train_attached,
    train_by_hand,
    transform_by_hand,
)

SCHEDULERS = {
    "LambdaLR": {"lr_lambda": lambda epoch: 0.9**epoch},
    "MultiplicativeLR": {"lr_lambda": lambda _: 0.9},
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [1, 3]},
    "ConstantLR": {},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 4},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10},
    "PolynomialLR": {},
    "ReduceLROnPlateau": {},
    "SequentialLR": None,
    "ChainedScheduler": None,
}


def make_scheduler(name, optimizer):
    if SCHEDULERS[name] is not None:
        return getattr(lr_scheduler, name)(optimizer, **SCHEDULERS[name])
    parts = [lr_scheduler.LinearLR(optimizer), lr_scheduler.StepLR(optimizer, 1)]
    if name == "SequentialLR":
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[2])
    return lr_scheduler.ChainedScheduler(parts)


def test_every_scheduler_of_torch_is_listed() -> None:
    kinds = {
        name
        for name, kind in vars(lr_scheduler).items()
        if inspect.isclass(kind)
        and issubclass(kind, lr_scheduler.LRScheduler)
        and not name.startswith("_")
    }
    assert kinds - {"LRScheduler"} == set(SCHEDULERS)


@pytest.mark.parametrize("order", ["scheduler first", "attach first"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers(name: str, order: str) -> None:
    # filterwarnings = error: a scheduler that does not see the step would warn and fail here.
    def run(attached: bool):
        model = network()
        optimizer = momentum_sgd(model)
        if attached and order == "attach first":
            cdg_torch.attach(optimizer, model, METRIC)
        scheduler = make_scheduler(name, optimizer)
        if attached and order == "scheduler first":
            cdg_torch.attach(optimizer, model, METRIC)
        rates = []
        for batch in batches(4):
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
            scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            rates.append(optimizer.param_groups[0]["lr"])
        return rates

    assert run(attached=True) == run(attached=False)


def test_class_repr_state_and_groups_are_those_of_the_plain_optimizer() -> None:
    model, plain_model = network(), network()
    optimizer, plain = momentum_sgd(model), momentum_sgd(plain_model)
    handle = cdg_torch.attach(optimizer, model, METRIC)
    assert type(optimizer) is torch.optim.SGD
    assert repr(optimizer) == repr(plain)
    assert inspect.signature(optimizer.step) == inspect.signature(plain.step)
    for one, other in ((model, optimizer), (plain_model, plain)):
        loss_of(one, batches(1)[0]).backward()
        other.step()
    assert optimizer.state_dict().keys() == plain.state_dict().keys()
    assert optimizer.state_dict()["param_groups"] == plain.state_dict()["param_groups"]
    assert optimizer.defaults == plain.defaults
    kinds = {key for state in optimizer.state.values() for key in state}
    assert kinds == {key for state in plain.state.values() for key in state}
    assert cdg_torch.attached(optimizer) is handle


def test_user_hooks_still_run() -> None:
    model = network()
    optimizer = momentum_sgd(model)
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    cdg_torch.attach(optimizer, model, METRIC)
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    loss_of(model, batches(1)[0]).backward()
    optimizer.step()
    assert calls == ["before", "after"]


@pytest.mark.parametrize("scheduler", ["none", "before", "after"])
def test_detach_leaves_the_plain_optimizer(scheduler: str) -> None:
    def run(detach_at_once: bool):
        model = network()
        optimizer = momentum_sgd(model)
        if scheduler == "before":
            lr_scheduler.StepLR(optimizer, 1)
        before = set(vars(optimizer))
        if detach_at_once:
            handle = cdg_torch.attach(optimizer, model, METRIC)
            if scheduler == "after":
                lr_scheduler.StepLR(optimizer, 1)
            handle.detach()
            handle.detach()
            assert not handle.is_attached
            assert cdg_torch.attached(optimizer) is None
            assert scheduler == "after" or set(vars(optimizer)) == before
            assert not optimizer._optimizer_step_pre_hooks
            assert not optimizer._optimizer_step_post_hooks
        train(model, optimizer, batches(3))
        return model

    assert same(run(detach_at_once=True), run(detach_at_once=False))


def test_attach_again_after_detach() -> None:
    model = network()
    optimizer = momentum_sgd(model)
    cdg_torch.attach(optimizer, model, METRIC).detach()
    lr_scheduler.ConstantLR(optimizer, factor=1.0)
    cdg_torch.attach(optimizer, model, METRIC).detach()
    cdg_torch.attach(optimizer, model, METRIC)
    train(model, optimizer, batches(4))
    assert same(model, train_by_hand(momentum_sgd))


def test_a_second_attach_is_refused() -> None:
    model, optimizer, _ = attached_network()
    with pytest.raises(RuntimeError, match="attached to this optimizer already"):
        cdg_torch.attach(optimizer, model, METRIC)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "NAdam", "Adagrad"])
def test_any_optimizer_equals_the_loop_by_hand(name: str) -> None:
    def make(model):
        return getattr(torch.optim, name)(model.parameters(), lr=0.01, weight_decay=0.1)

    assert same(train_attached(make), train_by_hand(make))


class ThirdParty(torch.optim.Optimizer):
    """Sign descent, by somebody else."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.01})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(p.grad.sign(), alpha=group["lr"])
        return loss


def test_third_party_optimizer() -> None:
    def make(model):
        return ThirdParty(model.parameters())

    assert same(train_attached(make), train_by_hand(make))


class SharpnessAware:
    """A wrapper that moves along the gradient, evaluates again there, and steps its inner one."""

    def __init__(self, inner, between=None):
        self.inner, self.between = inner, between or (lambda: None)

    def step(self, closure):
        closure()
        parameters = [p for group in self.inner.param_groups for p in group["params"]]
        moves = [0.05 * p.grad for p in parameters]
        torch._foreach_add_([p.data for p in parameters], moves)
        closure()
        torch._foreach_sub_([p.data for p in parameters], moves)
        self.between()
        self.inner.step()


def test_a_wrapper_that_steps_an_inner_optimizer() -> None:
    def run(attached: bool):
        model = network()
        inner = momentum_sgd(model)
        wrapper = SharpnessAware(inner, None if attached else lambda: transform_by_hand(model))
        if attached:
            cdg_torch.attach(inner, model, METRIC)
        for batch in batches(3):
            wrapper.step(closure_of(model, inner, batch))
        return model

    assert same(run(attached=True), run(attached=False))


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"where": "update"}], ids=str)
@pytest.mark.parametrize("with_closure", [False, True])
def test_a_step_that_calls_super_transforms_once(options, with_closure) -> None:
    momentum_sgd(network())  # torch puts its hooks on a class when the class is first used

    def run(kind):
        make = partial(kind, lr=0.1)
        model, optimizer, _ = attached_network(lambda m: make(m.parameters()), **options)
        for batch in batches(3):
            closure = closure_of(model, optimizer, batch)
            if with_closure:
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
        return model

    assert same(run(CallsSuper), run(torch.optim.SGD))
