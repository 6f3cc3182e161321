"""Slips that used to go through, or died of something else, are refused in words."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

import cdg_torch
from cdg_theory import Metric, certify, discrete, ledger
from cdg_torch import Rule, baselines
from cdg_torch.correlation import correlation_scale
from tests.tools.small_training import METRIC, momentum_sgd, network

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


def operand(*numbers):
    return cdg_torch.riemannian_gradient(GRAD, torch.tensor(numbers, dtype=torch.float64))


def nested():
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)


SLIPS = {
    # True == 1 and 1.0 == 1, and a cache that had seen 1 let them through
    "dims=True": (lambda: in_place(dims=True), TypeError, "dim must be an int, got True"),
    "dims=0.0": (lambda: in_place(dims=0.0), TypeError, "dim must be an int, got 0.0 of type fl"),
    "no list": (
        lambda: cdg_torch.riemannian_gradients_(None, METRIC),
        TypeError,
        "tensors must be",
    ),
    # an index of 0.5 was cut to 0, and one of -1 counted from the end
    "operand 0.5": (
        lambda: operand(1, 1, 1, 0.5, 0),
        ValueError,
        r"metric is the operand .*0 or 1",
    ),
    "operand -1": (lambda: operand(1, 1, 1, -1, 0), ValueError, "cdg_torch.metric_operand"),
    "operand nan": (lambda: operand(1, 1, 1, np.nan, 0), ValueError, "metric is the operand"),
    "no metric": (
        lambda: cdg_torch.metric_operand(3.0),
        TypeError,
        "metric must be a cdg_theory.M",
    ),
    "nested": (
        lambda: cdg_torch.riemannian_gradient(nested(), METRIC),
        TypeError,
        "grad must be one dense block",
    ),
    "power of an operand": (
        lambda: cdg_torch.metric_power(GRAD, METRIC, 1e300),
        ValueError,
        "exponent must leave the powers of M within float64, got 1e\\+300",
    ),
    # any true object switched an option on, and only then was printed or not
    "inplace": (lambda: attach(inplace="no"), TypeError, "inplace must be True or False, got 'no'"),
    "verbose": (lambda: attach(verbose=np.ones(2)), TypeError, "verbose must be True or False"),
    "where": (lambda: attach(where=[]), ValueError, "where must be one of 'gradient', 'update'"),
    "rules": (lambda: attach(rules=[METRIC]), TypeError, "rules must be a list of cdg_torch.Rule"),
    # 0 was taken for "what the layer says"
    "groups=0": (lambda: Rule(metric=METRIC, groups=0), ValueError, "groups must be >= 1, got 0"),
    "groups=-1": (lambda: Rule(metric=METRIC, groups=-1), ValueError, "None takes what the layer"),
    "blend": (lambda: cdg_torch.blend(METRIC, "half"), TypeError, "t must be a real number"),
    "blend of what": (lambda: cdg_torch.blend(None, 0.5), TypeError, "metric must be"),
    "schedule": (lambda: cdg_torch.LinearMetric(None, steps=3), TypeError, "handle must be what"),
    # modulo made an axis of any number, and of half of one
    "centralized": (
        lambda: baselines.gradient_centralization(GRAD, dim=3),
        ValueError,
        "dim must be an axis of grad, got dim=3",
    ),
    "input": (lambda: baselines.along_input(GRAD, METRIC, dim=-1), ValueError, "must be 0 or 1"),
    "kernel": (lambda: baselines.along_kernel(GRAD.long(), METRIC), TypeError, "got torch.int64"),
    "sigma": (lambda: baselines.laplacian_smoothing(GRAD, None), TypeError, "sigma must be a real"),
    "scale": (lambda: correlation_scale((4, 6), 0, pairs="some"), ValueError, "pairs must be one"),
    "correlation": (
        lambda: cdg_torch.channel_correlation(GRAD, 0, groups=1.0),
        TypeError,
        "groups must be an int, got 1.0",
    ),
    "modes": (
        lambda: discrete.to_modes(np.ones(3), "other"),
        ValueError,
        "boundary must be one of",
    ),
    "gram": (
        lambda: discrete.gram_matrix(10.0, 3),
        TypeError,
        "metric must be a cdg_theory.Metric",
    ),
    "an array": (lambda: Metric(boundary=np.ones(2)), ValueError, "boundary must be one of"),
    "a large int": (lambda: Metric(10**400), ValueError, "mean must be finite, got 1000"),
    "seed": (lambda: certify(len, METRIC, 3, seed=-1), ValueError, "seed must be a whole number"),
    "one id": (lambda: ledger.verify("T5"), TypeError, "ids must be a list of theorem ids"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_refused(slip) -> None:
    call, error, message = SLIPS[slip]
    in_place(dims=1, groups=1)
    with pytest.raises(error, match=message):
        call()


BROKEN = {
    "nothing": {},
    "a list": [],
    "no metrics": {"metrics": None},
    "too few": {"metrics": []},
    "a word": {"metrics": ["sobolev"]},
    "a field short": {"metrics": [{"mean": 1.0}]},
    "a field more": {"metrics": [{**asdict(METRIC), "extra": 1}]},
    "a weight of a wrong type": {
        "metrics": [
            dict.fromkeys(("mean", "fluctuation", "derivative"), "1")
            | {"boundary": "natural", "spacing": "unit"}
        ]
    },
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
