"""Slips that used to go through, or died of something else, are refused in words."""

from dataclasses import asdict
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import cdg_torch
from cdg_theory import Metric, certify, discrete, ledger
from cdg_torch import Rule, baselines
from cdg_torch.correlation import correlation_scale
from tests.tools.small_training import METRIC, network
from tests.tools.training_loops import momentum_sgd

GRAD = torch.arange(24.0).reshape(4, 6)


def in_place(**options):
    cdg_torch.riemannian_gradients_([GRAD.clone()], METRIC, **options)


def attach(**options):
    model = network()
    optimizer = momentum_sgd(model)
    try:
        cdg_torch.attach(optimizer, model, METRIC, **options)
    finally:
        assert cdg_torch.attached(optimizer) is None
        assert not optimizer._optimizer_step_pre_hooks


gradient_of = partial(cdg_torch.riemannian_gradient, metric=METRIC)
correlation_of = partial(cdg_torch.channel_correlation, GRAD, 0)
centralized = partial(baselines.gradient_centralization, GRAD)


def operand(*numbers):
    return cdg_torch.riemannian_gradient(GRAD, torch.tensor(numbers, dtype=torch.float64))


def nested():
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)


TYPES = {
    # True == 1 and 1.0 == 1, and a cache that had seen 1 let them through
    "dims=True": (lambda: in_place(dims=True), "dim must be an int, got True"),
    "dims=0.0": (lambda: in_place(dims=0.0), "dim must be an int, got 0.0 of type fl"),
    "no list": (lambda: cdg_torch.riemannian_gradients_(None, METRIC), "tensors must be"),
    "no metric": (lambda: cdg_torch.metric_operand(3.0), "metric must be a cdg_theory.M"),
    "nested": (lambda: gradient_of(nested()), "grad must be one dense block"),
    # any true object switched an option on, and only then was printed or not
    "inplace": (lambda: attach(inplace="no"), "inplace must be True or False, got 'no'"),
    "verbose": (lambda: attach(verbose=np.ones(2)), "verbose must be True or False"),
    "rules": (lambda: attach(rules=[METRIC]), "rules must be a list of cdg_torch.Rule"),
    # a tensor has no truth of its own
    "rule": (
        lambda: cdg_torch.Rule(metric=METRIC, parameter=GRAD),
        "parameter must be a glob pattern",
    ),
    "blend": (lambda: cdg_torch.blend(METRIC, "half"), "t must be a real number"),
    "blend of what": (lambda: cdg_torch.blend(None, 0.5), "metric must be"),
    "schedule": (lambda: cdg_torch.LinearMetric(None, steps=3), "handle must be what"),
    "kernel": (lambda: baselines.along_kernel(GRAD.long(), METRIC), "got torch.int64"),
    "sigma": (lambda: baselines.laplacian_smoothing(GRAD, None), "sigma must be a real"),
    "correlation": (lambda: correlation_of(groups=1.0), "groups must be an int, got 1.0"),
    "gram": (lambda: discrete.gram_matrix(10.0, 3), "metric must be a cdg_theory.Metric"),
    "number for an id": (lambda: ledger.verify(5), "ids must be theorem ids or a list of them"),
}
POWER = "exponent must leave the powers of M within float64, got 1e\\+300"
VALUES = {
    # an index of 0.5 was cut to 0, and one of -1 counted from the end
    "operand 0.5": (lambda: operand(1, 1, 1, 0.5, 0), r"metric is the operand .*0 or 1"),
    "operand -1": (lambda: operand(1, 1, 1, -1, 0), "cdg_torch.metric_operand"),
    "operand nan": (lambda: operand(1, 1, 1, np.nan, 0), "metric is the operand"),
    "power of an operand": (lambda: cdg_torch.metric_power(GRAD, METRIC, 1e300), POWER),
    "where": (lambda: attach(where=[]), "where must be one of 'gradient', 'update'"),
    # 0 was taken for "what the layer says"
    "groups=0": (lambda: Rule(metric=METRIC, groups=0), "groups must be >= 1, got 0"),
    "groups=-1": (lambda: Rule(metric=METRIC, groups=-1), "None takes what the layer"),
    # modulo made an axis of any number, and of half of one
    "centralized": (lambda: centralized(dim=3), "dim must be an axis of grad, got dim=3"),
    "input": (lambda: baselines.along_input(GRAD, METRIC, dim=-1), "must be 0 or 1"),
    "scale": (lambda: correlation_scale((4, 6), 0, pairs="some"), "pairs must be one"),
    "modes": (lambda: discrete.to_modes(np.ones(3), "other"), "boundary must be one of"),
    "an array": (lambda: Metric(boundary=np.ones(2)), "boundary must be one of"),
    "a large int": (lambda: Metric(10**400), "mean must be finite, got 1000"),
    "seed": (lambda: certify(len, METRIC, 3, seed=-1), "seed must be a whole number"),
}


@pytest.mark.parametrize("slip", [*TYPES, *VALUES])
def test_refused(slip) -> None:
    call, message = (TYPES | VALUES)[slip]
    in_place(dims=1, groups=1)
    with pytest.raises(TypeError if slip in TYPES else ValueError, match=message):
        call()


BROKEN = {
    "nothing": {},
    "a list": [],
    "no metrics": {"metrics": None},
    "too few": {"metrics": []},
    "a word": {"metrics": ["sobolev"]},
    "a field short": {"metrics": [{"mean": 1.0}]},
    "a field more": {"metrics": [{**asdict(METRIC), "extra": 1}]},
    "weights of a wrong type": {"metrics": [{**asdict(METRIC), "mean": "1", "derivative": "1"}]},
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_state_dict_changes_nothing(broken) -> None:
    model = nn.Conv2d(2, 4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = cdg_torch.attach(optimizer, model, METRIC)
    with pytest.raises(
        (TypeError, ValueError),
        match=r"state.* (got|has) .*(state_dict\(\)|assign)|no metric|state must be",
    ):
        handle.load_state_dict(BROKEN[broken])
    assert handle.metric == METRIC
    schedule = cdg_torch.LinearMetric(handle, steps=4)
    schedule.step()
    before = schedule.state_dict()
    for last_step in (-1, 0.5, None, True):
        with pytest.raises(ValueError, match=r"state\['last_step'\] must be a whole number >= 0"):
            schedule.load_state_dict({**before, "last_step": last_step})
    assert schedule.state_dict() == before
