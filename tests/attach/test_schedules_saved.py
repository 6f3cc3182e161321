"""A schedule's state: saved before its first step, and with a rule that leaves layers alone."""

import pytest

import cdg_torch
from tests.tools.small_training import METRIC, network
from tests.tools.training_loops import momentum_sgd


def handle_with_a_rule_that_leaves_alone() -> cdg_torch.Handle:
    model = network()
    rules = [cdg_torch.Rule(metric=None, name="0.*")]
    return cdg_torch.attach(momentum_sgd(model), model, METRIC, rules=rules)


def test_saved_before_the_first_step() -> None:
    saved = cdg_torch.LinearMetric(handle_with_a_rule_that_leaves_alone(), steps=4).state_dict()
    assert None in saved["start"]
    other = cdg_torch.LinearMetric(handle_with_a_rule_that_leaves_alone(), steps=4)
    other.step()
    other.load_state_dict(saved)
    assert other.state_dict() == saved


def test_a_step_leaves_a_tenth_unless_told() -> None:
    schedule = cdg_torch.StepMetric(handle_with_a_rule_that_leaves_alone(), every=2)
    assert schedule.t(1) == 0.0
    assert schedule.t(2) == pytest.approx(0.9)


def test_a_handle_names_its_optimizer() -> None:
    assert "on SGD: " in repr(handle_with_a_rule_that_leaves_alone())
