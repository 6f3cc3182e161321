"""Every argument of the wrong kind is refused by its name, whatever stands in its place."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Rule, baselines
from cdg_torch.gradient import write_gradients
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.small_training import METRIC, network
from tests.tools.training_loops import momentum_sgd

ROOT = Path(cdg_torch.__file__).parents[1]


def grad():
    return torch.arange(36.0).reshape(4, 1, 3, 3)


# What stands in the place of an argument, afresh for every call: a generator is used up.
WRONG = {
    "None": lambda: None,
    "a list": lambda: [grad()],
    "a tuple": lambda: (grad(),),
    "a generator": lambda: (g for g in [grad()]),
    "a dict": lambda: {"grad": grad()},
    "a set": lambda: {1},
    "an array": lambda: np.ones((4, 1, 3, 3)),
    "a number of NumPy's": lambda: np.float32(1.5),
    "a word": lambda: "grad",
    "a float": lambda: 1.5,
    "nan": lambda: float("nan"),
    "an int": lambda: 9,
    "True": lambda: True,
    "a tensor": grad,
    "a tensor of one number": lambda: torch.tensor(1.0),
    "a list of None": lambda: [None],
    "a list of words": lambda: ["grad"],
    "a metric": lambda: METRIC,
    "metrics": lambda: [METRIC, METRIC],
    "a class": lambda: torch.Tensor,
    "a module": nn.Identity,
}

ON_TENSOR = {"metric": METRIC, "dim": 0, "groups": 1}


def attach(**arguments):
    model = network()
    given = {"optimizer": momentum_sgd(model), "model": model, "metric": METRIC}
    return cdg_torch.attach(**{**given, **arguments})


def job(**arguments):
    write_gradients([Job(**arguments)])


# What is called, and its right arguments, made afresh by what is a function.
CALLS = {
    "riemannian_gradient": (cdg_torch.riemannian_gradient, {"grad": grad, **ON_TENSOR}),
    "apply_metric": (cdg_torch.apply_metric, {"k": grad, **ON_TENSOR}),
    "riemannian_gradients_": (
        cdg_torch.riemannian_gradients_,
        {"tensors": lambda: [grad()], "metric": METRIC, "dims": 0, "groups": 1},
    ),
    "inner_product": (cdg_torch.inner_product, {"h": grad, "k": grad, **ON_TENSOR}),
    "metric_norm": (cdg_torch.metric_norm, {"h": grad, **ON_TENSOR}),
    "dual_norm": (cdg_torch.dual_norm, {"g": grad, **ON_TENSOR}),
    "metric_power": (cdg_torch.metric_power, {"tensor": grad, "exponent": 0.5, **ON_TENSOR}),
    "metric_operand": (cdg_torch.metric_operand, {"metric": METRIC}),
    "channel_correlation": (
        cdg_torch.channel_correlation,
        {"tensor": grad, "dim": 0, "groups": 1, "pairs": "all"},
    ),
    "matched_initialisation": (cdg_torch.matched_initialisation, {"weight": grad, **ON_TENSOR}),
    "channel_profile": (cdg_torch.channel_profile, {"tensor": grad, "dim": 0, "groups": 1}),
    "blend": (cdg_torch.blend, {"metric": METRIC, "t": 0.5}),
    "attach": (attach, {"optimizer": None, "model": None, "metric": METRIC, "rules": ()}),
    "Rule": (Rule, {"metric": METRIC, "name": "*", "dim": 0, "groups": 1}),
    "LinearMetric": (cdg_torch.LinearMetric, {"handle": attach, "steps": 4}),
    "CosineMetric": (cdg_torch.CosineMetric, {"handle": attach, "steps": 4}),
    "along_input": (baselines.along_input, {"grad": grad, "metric": METRIC, "dim": 0}),
    "along_kernel": (baselines.along_kernel, {"grad": grad, "metric": METRIC}),
    "along_raster": (baselines.along_raster, {"grad": grad, "metric": METRIC}),
    "gradient_centralization": (baselines.gradient_centralization, {"grad": grad, "dim": 0}),
    "laplacian_smoothing": (baselines.laplacian_smoothing, {"grad": grad, "sigma": 1.0}),
    "write_gradients": (write_gradients, {"jobs": list}),
    "write_sharded_gradients": (write_sharded_gradients, {"jobs": list, "names": list}),
    "Job": (job, {"out": grad, "grad": grad, **ON_TENSOR}),
}
# What an argument takes, of the above; everything else is wrong.
TENSORS = ("a tensor", "a tensor of one number")
TAKES = {
    **dict.fromkeys(("grad", "k", "h", "g", "tensor", "weight", "out"), TENSORS[:1]),
    "tensors": ("a list", "a tuple"),
    "metric": ("a metric",),
    "exponent": ("a float", "an int", "a number of NumPy's"),
    "sigma": ("a float", "an int", "a number of NumPy's"),
    "steps": ("an int",),
    "name": ("a word",),
    "names": ("None",),
}
ALSO = {
    ("attach", "metric"): ("None", "a metric"),
    ("Rule", "metric"): ("None", "a metric"),
    ("Rule", "dim"): ("None", "an int"),
    ("Rule", "groups"): ("None", "an int"),
    # One number is a kernel's only one, and the only axis of nothing.
    ("along_kernel", "grad"): TENSORS,
    ("along_raster", "grad"): TENSORS,
    ("laplacian_smoothing", "grad"): TENSORS,
}
# What an error calls an argument, where it says more than the name.
CALLED = {"dims": "dim", "out": "the buffer", "grad of Job": r"tensors\[0\]"}


@pytest.mark.parametrize(
    ("function", "argument"),
    [(function, argument) for function, (_, given) in CALLS.items() for argument in given],
)
def test_what_is_of_the_wrong_kind_is_refused_by_name(function, argument) -> None:
    call, given = CALLS[function]
    right = ALSO.get((function, argument), TAKES.get(argument, ()))
    label = CALLED.get(f"{argument} of {function}", CALLED.get(argument, argument))
    for kind, make in WRONG.items():
        if kind in right:
            continue
        arguments = {
            name: value() if inspect.isroutine(value) or value is list else value
            for name, value in given.items()
            if value is not None
        }
        before = [t.clone() for t in arguments.values() if isinstance(t, torch.Tensor)]
        with pytest.raises((TypeError, ValueError), match=rf"\b{label}") as caught:
            call(**{**arguments, argument: make()})
        raised = caught.traceback[-1].path
        assert raised.is_relative_to(ROOT), f"{kind}: torch or Python says {caught.value}"
        after = [t for t in arguments.values() if isinstance(t, torch.Tensor)]
        assert all(map(torch.equal, before, after))
