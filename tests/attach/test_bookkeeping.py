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
METRIC = Metric.ordinary_sobolev(1.0)  # on its way to no smoothing, the same kernel serves it


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
        handle = cdg_torch.attach(optimizer, model, METRIC, **options)
        moving = cdg_torch.LinearMetric(handle, steps=9) if schedule else None
    for _ in range(3):
        for p in parameters:
            p.grad = torch.randn_like(p)
        found = calls(optimizer.step)
        if moving is not None:
            moving.step()
    return found


# Functions of Python, whatever the number of tensors: about four fifths of these.
FIXED = {"plain": 80, "inplace": 75, "match_norm": 90, "update": 110}
SCHEDULE = 40
# Of C, for each tensor: none; with parameters outside, looks into the tables of each module. With
# an older torch Python does not know how many own a tensor, and it is asked, once for each buffer.
OWNERS = "_use_count"
LOOKS = {"values", "len"}


@pytest.mark.filterwarnings("ignore::cdg_torch.CDGWarning")  # another model's convolutions
@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", [False, True], ids=["", "schedule"])
def test_calls_do_not_grow_with_the_tensors(kind, others, schedule, monkeypatch) -> None:
    made = []
    monkeypatch.setattr(plan, "kept_plan", lambda s: made.append(s) or plan.make_plan(s))
    add, more = OTHERS[others], MANY - FEW
    third_step(FEW, add, KINDS[kind], schedule=schedule)  # coefficients, and what is imported late
    made.clear()
    grown = third_step(MANY, add, KINDS[kind], schedule=schedule)
    few, bare = third_step(FEW, add, KINDS[kind], schedule=schedule), third_step(FEW, add, None)
    grown.subtract(few)
    grown.subtract(third_step(MANY, add, None))
    grown.update(bare)
    assert few["Python"] - bare["Python"] <= FIXED[kind] + SCHEDULE * schedule
    assert grown["Python"] <= 0
    assert grown.pop(OWNERS, 0) <= 2 * more
    looks = {name for name, count in grown.items() if count > 0}
    assert looks <= (LOOKS if others else set())
    assert sum(grown[name] for name in looks) <= 2 * more
    # Two optimizers, each planned at its first step: once by who solves, once by who keeps it.
    assert len(made) == 4


# Passes over all tensors: torch's guards, copies, differences, and gathers of those that are alike.
PASSES = {
    "plain": {"check": 2},
    "inplace": {"check": 1},
    "match_norm": {"check": 2, "stack": 2},
    "update": {"check": 1, "stack": 4, "_foreach_sub_": 1},
}


@pytest.mark.parametrize("schedule", [False, True], ids=["", "schedule"])
@pytest.mark.parametrize("kind", KINDS)
def test_passes_over_all_tensors(kind, schedule) -> None:
    found = third_step(FEW, nothing_more, KINDS[kind], schedule=schedule)
    found.subtract(third_step(FEW, nothing_more, None))
    names = {"check", "stack"} | {name for name in found if name.startswith("_foreach")}
    assert {name: found[name] for name in names if found[name]} == PASSES[kind]


def test_another_models_parameters_cost_no_call() -> None:
    def more(count):
        return lambda _, parameters: parameters.extend(
            nn.Parameter(torch.ones(2, 3)) for _ in range(count)
        )

    grown = third_step(FEW, more(MANY), {})
    grown.subtract(third_step(FEW, more(FEW), {}))
    grown.subtract(third_step(FEW, more(MANY), None))
    grown.update(third_step(FEW, more(FEW), None))
    assert not {name: count for name, count in grown.items() if count > 0}
