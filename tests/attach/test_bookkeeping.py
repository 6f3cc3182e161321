"""What an attached step does in Python, beside torch's own, does not grow with the tensors.

Counted, not timed: the calls of Python functions that a step makes with a metric and without.
"""

import sys
from collections import Counter

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from cdg_torch.solve import plan

FEW, MANY = 20, 60


def convolutions(count):
    return nn.Sequential(*[nn.Conv2d(2, 4, 1 + 2 * (i % 2), bias=False) for i in range(count)])


def nothing_more(_model, _parameters):
    """Add nothing."""


def one_outside(_model, parameters):
    parameters.append(nn.Parameter(torch.ones(3)))


def another_model(_model, parameters):
    parameters += convolutions(3).parameters()


OTHERS = {"": nothing_more, "one outside": one_outside, "another model's": another_model}
KINDS = {
    "plain": {},
    "inplace": {"inplace": True},
    "match_norm": {"match_norm": True},
    "update": {"where": "update"},
}


def calls(step) -> Counter:
    """Count what a function calls: functions of Python, and those of C by name."""
    found = Counter()

    def watch(frame, event, function) -> None:
        if event == "call" and frame.f_code.co_name != "<listcomp>":  # calls until Python 3.12
            found["Python"] += 1
        elif event == "c_call":
            found[function.__name__] += 1

    sys.setprofile(watch)
    try:
        step()
    finally:
        sys.setprofile(None)
    return found


def third_step(count, others, options, *, schedule=False) -> Counter:
    """Count the calls of a third step, ``options`` None without a metric, every gradient new."""
    torch.manual_seed(0)
    model = convolutions(count)
    parameters = [*model.parameters()]
    others(model, parameters)
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, foreach=True)
    moving = None
    if options is not None:
        handle = cdg_torch.attach(optimizer, model, Metric.sobolev(1.0), **options)
        moving = cdg_torch.LinearMetric(handle, steps=9) if schedule else None
    for _ in range(3):
        for p in parameters:
            p.grad = torch.randn_like(p)
        found = calls(optimizer.step)
        if moving is not None:
            moving.step()
    return found


@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", [False, True], ids=["", "schedule"])
def test_calls_do_not_grow_with_the_tensors(kind, others, schedule, monkeypatch) -> None:
    made = []
    monkeypatch.setattr(plan, "kept_plan", lambda s: made.append(s) or plan.make_plan(s))
    add = OTHERS[others]
    plain = third_step(MANY, add, None) - third_step(FEW, add, None)
    few, many = (third_step(n, add, KINDS[kind], schedule=schedule) for n in (FEW, MANY))
    # Of 40 more tensors: no Python function more, of C but the look into each module's table.
    grown = many - few
    grown.subtract(plain)
    assert grown.pop("Python", 0) == 0
    assert {name for name, more in grown.items() if more > 8} <= {"get"}
    assert grown["get"] <= 2 * (MANY - FEW)
    # Two optimizers, each planned once for all its steps (the list that solves, and its record).
    assert len(made) <= 4


def test_an_outside_parameter_costs_a_look_at_the_modules() -> None:
    within, outside = (third_step(MANY, OTHERS[name], {}) for name in ("", "one outside"))
    more = outside - within
    assert more["Python"] <= 3
    assert sum(more.values()) <= 6 * MANY
