"""Metric schedules stay in the convex cone and end at no smoothing, not at λ → 0 (T1, T3)."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cdg_torch
from cdg_torch import Metric, blend
from tests.tools.small_training import METRIC, batches, network
from tests.tools.strategies import metrics
from tests.tools.training_loops import (
    attached_network,
    closure_of,
    expect_step,
    momentum_sgd,
    unit_sgd,
)


@given(metric=metrics(), t=st.floats(0, 1))
def test_every_blend_is_a_metric_between(metric, t) -> None:
    mixed = blend(metric, t)
    for name, end in (("mean", 1.0), ("fluctuation", 1.0), ("derivative", 0.0)):
        start, value = getattr(metric, name), getattr(mixed, name)
        # two products and a sum, each rounded once
        assert value == pytest.approx((1 - t) * start + t * end, rel=4 * 2**-53)
    assert (mixed.boundary, mixed.spacing) == (metric.boundary, metric.spacing)


@given(exponents=st.tuples(*[st.floats(-140, 140)] * 3), t=st.floats(0, 1))
def test_a_curvature_is_blended_too_or_left_out_where_it_is_next_to_nothing(exponents, t) -> None:
    beta, gamma, delta = (10.0**exponent for exponent in exponents)
    delta = max(delta, 1e-99 * max(beta, gamma))
    mixed = blend(Metric(1.0, beta, gamma, delta), t)
    if mixed.curvature:
        assert mixed.curvature == pytest.approx((1 - t) * delta, rel=4 * 2**-53)
    else:
        others = max(mixed.fluctuation, mixed.derivative)
        assert (1 - t) * delta < max(1e-100 * others, 1e-150) * (1 + 4 * 2**-53)


@given(metric=metrics())
def test_the_ends_are_exact(metric) -> None:
    assert blend(metric, 0.0) == metric
    end = blend(metric, 1.0)
    assert (end.mean, end.fluctuation, end.derivative) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_t_outside_is_refused(t) -> None:
    with pytest.raises(ValueError, match=r"t must be (in \[0, 1\]|finite), got"):
        blend(METRIC, t)


def handle_of(metric=METRIC, **options):
    model = network()
    return cdg_torch.attach(momentum_sgd(model), model, metric, **options)


SCHEDULES = {
    "constant": (cdg_torch.ConstantMetric, {}, [0, 0, 0, 0, 0, 0]),
    "linear": (cdg_torch.LinearMetric, {"steps": 4}, [0, 0.25, 0.5, 0.75, 1, 1]),
    "cosine": (
        cdg_torch.CosineMetric,
        {"steps": 4},
        [0, (2 - 2**0.5) / 4, 0.5, (2 + 2**0.5) / 4, 1, 1],
    ),
    "step": (cdg_torch.StepMetric, {"every": 2, "factor": 0.5}, [0, 0, 0.5, 0.5, 0.75, 0.75]),
    "stop": (cdg_torch.StepMetric, {"every": 3, "factor": 0}, [0, 0, 0, 1, 1, 1]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_course_of_each_schedule(name) -> None:
    kind, options, course = SCHEDULES[name]
    handle = handle_of()
    schedule = kind(handle, **options)
    for t in course:
        found = handle.metric
        assert found.derivative == pytest.approx((1 - t) * METRIC.derivative, abs=1e-15)
        assert found.fluctuation == pytest.approx((1 - t) * METRIC.fluctuation + t, abs=1e-15)
        schedule.step()
    if course[-1] == 1:
        assert handle.metric.is_multiple_of_l2


def test_every_rule_moves_and_none_stays_none() -> None:
    other = Metric.sobolev(4.0)
    rules = [cdg_torch.Rule(metric=None, name="3.*"), cdg_torch.Rule(metric=other, name="0.*")]
    handle = handle_of(rules=rules)
    schedule = cdg_torch.LinearMetric(handle, steps=2)
    schedule.step()
    assert [rule.metric for rule in handle.rules] == [None, blend(other, 0.5), blend(METRIC, 0.5)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_checkpoints(name, tmp_path) -> None:
    kind, options, _ = SCHEDULES[name]
    handle = handle_of()
    schedule = kind(handle, **options)
    for _ in range(3):
        schedule.step()
    torch.save(schedule.state_dict(), tmp_path / "schedule.pt")
    state = torch.load(tmp_path / "schedule.pt", weights_only=True)
    # Resumed on a handle that was attached with some other metric: the checkpoint's start counts.
    resumed_handle = handle_of(Metric.l2())
    resumed = kind(resumed_handle, **options)
    resumed.load_state_dict(state)
    assert resumed_handle.metric == handle.metric
    for one in (schedule, resumed):
        one.step()
    assert resumed_handle.metric == handle.metric
    state["start"].append(None)
    with pytest.raises(ValueError, match="has 2 rules, this handle has 1"):
        resumed.load_state_dict(state)


def test_the_step_uses_the_scheduled_metric() -> None:
    model, optimizer, handle = attached_network(unit_sgd)
    schedule = cdg_torch.LinearMetric(handle, steps=2)
    for t in (0.0, 0.5, 1.0, 1.0):
        closure_of(model, optimizer, batches(1)[0])()
        expect_step(optimizer, {model[0].weight: 0}, blend(METRIC, t))
        schedule.step()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda h: cdg_torch.LinearMetric(h, steps=0), "steps must be a whole number >= 1, got 0"),
        (lambda h: cdg_torch.CosineMetric(h, steps=2.5), r"steps must be a whole .*, got 2\.5"),
        (lambda h: cdg_torch.StepMetric(h, every=True), "every must be a whole .*, got True"),
        (lambda h: cdg_torch.StepMetric(h, every=1, factor=1.0), r"factor must be in \[0, 1\)"),
        (lambda h: cdg_torch.StepMetric(h, every=1, factor=-0.1), r"factor must be in \[0, 1\)"),
        (lambda h: cdg_torch.StepMetric(h, every=1, factor=math.nan), "factor must be finite"),
    ],
)
def test_bad_schedules_are_refused(make, message) -> None:
    handle = handle_of()
    with pytest.raises(ValueError, match=message):
        make(handle)
    assert handle.metric == METRIC
