"""Whatever changes between two steps is noticed: a step is what a newly attached one would do."""

import copy

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric, Rule
from tests.tools.small_training import all_equal

FIRST, SECOND = Metric.sobolev(0.5), Metric.sobolev(3.0)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 16, 3, groups=2), nn.Linear(16, 4),
        nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3),  # treated together with the first
    )  # fmt: skip


def attached(model, metrics=(FIRST, FIRST), **options):
    rules = [Rule(metric=metrics[0], name="0.weight")]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return optimizer, cdg_torch.attach(optimizer, model, metrics[1], rules=rules, **options)


def give_gradients(model, seed) -> None:
    torch.manual_seed(seed)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, dtype=p.dtype)


def other_strides(model, _optimizer, _handle) -> None:
    p = model[0].weight
    p.grad = p.grad.to(memory_format=torch.channels_last)


def expanded(model, _optimizer, _handle) -> None:
    p = model[0].weight
    p.grad = p.grad[:, :1, :1, :1].expand_as(p)


def negated(model, _optimizer, _handle) -> None:
    p = model[2].weight
    p.grad = torch._neg_view(p.grad)


def other_dtype(model, _optimizer, _handle) -> None:
    for p in model.parameters():
        grad, p.grad = p.grad, None
        p.data = p.data.double()
        p.grad = grad.double()


def other_weights_layout(model, _optimizer, _handle) -> None:
    p = model[0].weight
    p.data = p.data.to(memory_format=torch.channels_last)


def none_for_one(model, _optimizer, _handle) -> None:
    model[2].weight.grad = None


def frozen(model, _optimizer, _handle) -> None:
    model[0].weight.requires_grad_(False)
    model[0].weight.grad = None


def in_other_groups(_model, optimizer, _handle) -> None:
    last = optimizer.param_groups[0]["params"].pop()
    optimizer.add_param_group({"params": [last], "lr": 0.3})


def fewer_held(_model, optimizer, _handle) -> None:
    optimizer.param_groups[0]["params"].pop(0)


def one_rules_metric(_model, _optimizer, handle) -> None:
    # Until now both rules' tensors had one set of coefficients. The same kernel serves.
    handle.rules[0].metric = SECOND


def no_metric(_model, _optimizer, handle) -> None:
    handle.rules[0].metric = None


def identity(_model, _optimizer, handle) -> None:
    handle.metric = Metric.l2()


def other_threads(_model, _optimizer, _handle) -> None:
    torch.set_num_threads(1 if torch.get_num_threads() > 1 else 2)


CHANGES = [
    other_strides,
    expanded,
    negated,
    other_dtype,
    other_weights_layout,
    none_for_one,
    frozen,
    in_other_groups,
    fewer_held,
    one_rules_metric,
    no_metric,
    identity,
    other_threads,
]
OPTIONS = {"": {}, "match_norm": {"match_norm": True}, "update": {"where": "update"}}


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_next_step_is_a_first_step(change, options) -> None:
    model = network()
    optimizer, handle = attached(model, **OPTIONS[options])
    for seed in range(3):
        give_gradients(model, seed)
        optimizer.step()
    give_gradients(model, 3)
    change(model, optimizer, handle)

    # The same weights, gradients, groups and metrics; nothing remembered.
    fresh = copy.deepcopy(model)
    twins = dict(zip(model.parameters(), fresh.parameters(), strict=True))
    for p, q in twins.items():
        q.requires_grad_(p.requires_grad)
        q.grad = p.grad
    groups = [
        {"params": [twins[p] for p in group["params"]], "lr": group["lr"]}
        for group in optimizer.param_groups
    ]
    metrics = (handle.rules[0].metric, handle.metric)
    other = torch.optim.SGD(groups, lr=0.1)
    rules = [Rule(metric=metrics[0], name="0.weight")]
    cdg_torch.attach(other, fresh, metrics[1], rules=rules, **OPTIONS[options])
    raw = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    optimizer.step()
    other.step()
    assert all_equal(model.parameters(), fresh.parameters())
    for p, g in zip(model.parameters(), raw, strict=True):
        assert (p.grad is None) is (g is None)
        assert g is None or torch.equal(p.grad, g)


def test_an_override_of_the_backend_is_obeyed(monkeypatch) -> None:
    model = network()
    optimizer, _ = attached(model)
    for seed in range(2):
        give_gradients(model, seed)
        optimizer.step()
    served = []
    right = cdg_torch.solve.plan.solve_gram
    monkeypatch.setattr(
        "cdg_torch.solve.plan.solve_gram", lambda *a: (served.append(1), right(*a))[1]
    )
    with cdg_torch.backend("reference"):
        optimizer.step()
    assert len(served) == 4


class Sharing(torch.optim.SGD):
    """Lets another parameter hold the first gradient it is given, as actors do with a learner."""

    learner = None
    given = None

    def step(self, closure=None):
        p = self.param_groups[0]["params"][0]
        if self.learner is None:
            self.learner, self.given = nn.Parameter(torch.zeros_like(p)), p.grad.clone()
            self.learner.grad = p.grad
        return super().step(closure)


def test_a_gradient_that_another_parameter_holds_is_not_overwritten() -> None:
    model = network()
    optimizer = Sharing(model.parameters(), lr=0.1)
    cdg_torch.attach(optimizer, model, FIRST)
    for seed in range(3):
        give_gradients(model, seed)
        optimizer.step()
    assert torch.equal(optimizer.learner.grad, optimizer.given)
