"""Every public way into the library, with arguments that are right: what `fuzz` puts wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

import cdg_torch
from cdg_theory import Metric, certify, discrete, ledger
from cdg_torch import baselines
from cdg_torch.correlation import correlation_scale


@dataclass(frozen=True, slots=True)
class Door:
    """A public callable: ``call(**make())`` is right; ``make`` returns new objects each time.

    ``same`` holds other names by which an error may call an argument. ``theirs`` are arguments
    that others judge, torch or the solver that is given: the refusal is theirs.
    """

    call: Callable[..., Any]
    make: Callable[[], dict[str, Any]]
    same: tuple[str, ...] = ()
    theirs: frozenset[str] = frozenset()


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return a small network after a step, with gradients of the next one."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 2, 2), nn.Linear(3, 2)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(2, 1, 3, 3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


def _attached() -> cdg_torch.Handle:
    model, optimizer = trained()
    return cdg_torch.attach(optimizer, model, Metric.sobolev(1.0))


def _grad() -> torch.Tensor:
    return torch.arange(24.0).reshape(4, 6)


def _enter_backend(name: Any) -> None:
    with cdg_torch.backend(name):
        cdg_torch.riemannian_gradient(torch.ones(3), Metric.l2())


def _subclass(kind: Any, params: Any, metric: Any, model: Any, **options: Any) -> Any:
    return kind(params, lr=0.1, metric=metric, model=model, **options)


def _subclass_arguments() -> dict[str, Any]:
    model, _ = trained()
    return {
        "params": model.parameters(),
        "metric": Metric.sobolev(1.0),
        "model": model,
        "where": "gradient",
        "rules": (),
        "inplace": False,
    }


def _attach_arguments() -> dict[str, Any]:
    model, optimizer = trained()
    return {
        "optimizer": optimizer,
        "model": model,
        "metric": Metric.sobolev(1.0),
        "rules": (),
        "inplace": False,
        "where": "gradient",
        "match_norm": False,
        "transform_decay": False,
        "require_gradients": True,
        "stats": False,
        "verbose": False,
    }


def _assign_metric(handle: cdg_torch.Handle, metric: Any) -> None:
    handle.metric = metric


def _load(state: Any, handle: cdg_torch.Handle) -> None:
    handle.load_state_dict(state)


def _load_schedule(state: Any, schedule: cdg_torch.MetricSchedule) -> None:
    schedule.load_state_dict(state)


def _loop(handle: cdg_torch.Handle, metric: Any) -> None:
    """Assign a metric to the rule itself, as a schedule does."""
    handle.rules[0].metric = metric


WEIGHTS = {"mean": 1.0, "fluctuation": 1.0, "derivative": 1.0}
ENDS = {"boundary": "natural", "spacing": "normalized"}


def _strength() -> dict[str, Any]:
    return {"lam": 2.0, **ENDS}


def _tensor_door(call: Any, name: str, **more: Any) -> Door:
    return Door(
        call, lambda: {name: _grad(), "metric": Metric.sobolev(1.0), "dim": 0, "groups": 1, **more}
    )


def _rows() -> dict[str, Any]:
    return {"metric": Metric.sobolev(1.0), "n": 5}


DOORS: dict[str, Door] = {
    "Metric": Door(Metric, lambda: {**WEIGHTS, **ENDS}),
    "Metric.reweighted_h0": Door(Metric.reweighted_h0, lambda: {"lam": 2.0}, ("fluctuation",)),
    "Metric.sobolev": Door(Metric.sobolev, _strength, ("derivative",)),
    "Metric.ordinary_sobolev": Door(Metric.ordinary_sobolev, _strength, ("derivative",)),
    "riemannian_gradient": _tensor_door(cdg_torch.riemannian_gradient, "grad"),
    "apply_metric": _tensor_door(cdg_torch.apply_metric, "k"),
    "metric_norm": _tensor_door(cdg_torch.metric_norm, "h"),
    "dual_norm": _tensor_door(cdg_torch.dual_norm, "g"),
    "metric_power": _tensor_door(cdg_torch.metric_power, "tensor", exponent=0.5),
    "inner_product": Door(
        cdg_torch.inner_product,
        lambda: {
            "h": _grad(),
            "k": _grad(),
            "metric": Metric.sobolev(1.0),
            "dim": 0,
            "groups": 1,
        },
    ),
    "riemannian_gradients_": Door(
        cdg_torch.riemannian_gradients_,
        lambda: {
            "tensors": [_grad(), _grad()],
            "metric": Metric.sobolev(1.0),
            "dims": [0, 1],
            "groups": 1,
        },
        ("dim",),
    ),
    "metric_operand": Door(cdg_torch.metric_operand, lambda: {"metric": Metric.sobolev(1.0)}),
    "backend": Door(_enter_backend, lambda: {"name": "reference"}, ("backend",)),
    "blend": Door(cdg_torch.blend, lambda: {"metric": Metric.sobolev(1.0), "t": 0.5}),
    "channel_correlation": Door(
        cdg_torch.channel_correlation,
        lambda: {"tensor": _grad(), "dim": 0, "groups": 1, "pairs": "neighbours"},
    ),
    "correlation_scale": Door(
        correlation_scale, lambda: {"shape": (4, 6), "dim": 0, "groups": 1, "pairs": "all"}
    ),
    "baselines.laplacian_smoothing": Door(
        baselines.laplacian_smoothing, lambda: {"grad": _grad(), "sigma": 1.0}
    ),
    "baselines.gradient_centralization": Door(
        baselines.gradient_centralization, lambda: {"grad": _grad(), "dim": 0}
    ),
    "baselines.along_input": Door(
        baselines.along_input, lambda: {"grad": _grad(), "metric": Metric.sobolev(1.0), "dim": 0}
    ),
    "baselines.along_kernel": Door(
        baselines.along_kernel, lambda: {"grad": _grad()[None], "metric": Metric.sobolev(1.0)}
    ),
    "baselines.along_raster": Door(
        baselines.along_raster, lambda: {"grad": _grad(), "metric": Metric.sobolev(1.0)}
    ),
    "Rule": Door(
        cdg_torch.Rule,
        lambda: {
            "metric": Metric.l2(),
            "name": "*",
            "types": nn.Linear,
            "parameter": "weight",
            "when": None,
            "dim": 0,
            "groups": 1,
        },
    ),
    "attach": Door(cdg_torch.attach, _attach_arguments),
    "attached": Door(cdg_torch.attached, lambda: {"optimizer": trained()[1]}),
    "SGD": Door(
        partial(_subclass, cdg_torch.SGD), _subclass_arguments, theirs=frozenset({"params"})
    ),
    "Adam": Door(
        partial(_subclass, cdg_torch.Adam), _subclass_arguments, theirs=frozenset({"params"})
    ),
    "AdamW": Door(
        partial(_subclass, cdg_torch.AdamW), _subclass_arguments, theirs=frozenset({"params"})
    ),
    "Handle.metric": Door(_assign_metric, lambda: {"handle": _attached(), "metric": Metric.l2()}),
    "Rule.metric": Door(_loop, lambda: {"handle": _attached(), "metric": Metric.l2()}),
    "Handle.load_state_dict": Door(
        _load, lambda: {"handle": _attached(), "state": _attached().state_dict()}
    ),
    "MetricSchedule.load_state_dict": Door(
        _load_schedule,
        lambda: {
            "schedule": cdg_torch.LinearMetric(_attached(), steps=3),
            "state": cdg_torch.LinearMetric(_attached(), steps=3).state_dict(),
        },
    ),
    "ConstantMetric": Door(cdg_torch.ConstantMetric, lambda: {"handle": _attached()}),
    "LinearMetric": Door(cdg_torch.LinearMetric, lambda: {"handle": _attached(), "steps": 3}),
    "CosineMetric": Door(cdg_torch.CosineMetric, lambda: {"handle": _attached(), "steps": 3}),
    "StepMetric": Door(
        cdg_torch.StepMetric, lambda: {"handle": _attached(), "every": 2, "factor": 0.5}
    ),
    "certify": Door(
        certify,
        lambda: {
            "solve": lambda g: g,
            "metric": Metric.l2(),
            "n": 3,
            "columns": 2,
            "dtype": "float64",
            "accumulator": "float64",
            "algorithm": "closing",
            "seed": 0,
        },
        theirs=frozenset({"solve"}),
    ),
    "ledger.verify": Door(ledger.verify, lambda: {"ids": ["T1.definite-discrete"][:0]}),
    "discrete.riemannian_gradient": Door(
        discrete.riemannian_gradient,
        lambda: {"grad": np.arange(6.0).reshape(3, 2), "metric": Metric.sobolev(1.0)},
    ),
    "discrete.spectral_gradient": Door(
        discrete.spectral_gradient,
        lambda: {"grad": np.arange(6.0).reshape(3, 2), "metric": Metric.sobolev(1.0)},
    ),
    "discrete.sharded_gradient": Door(
        discrete.sharded_gradient,
        lambda: {
            "blocks": [np.arange(6.0).reshape(3, 2), np.ones((2, 2))],
            "metric": Metric.sobolev(1.0),
        },
    ),
    "discrete.shard_plan": Door(
        discrete.shard_plan, lambda: {"metric": Metric.sobolev(1.0), "sizes": (3, 2)}
    ),
    "discrete.graph_laplacian": Door(
        discrete.graph_laplacian, lambda: {"boundary": "natural", "n": 5}
    ),
    "discrete.laplacian_eigenvalues": Door(
        discrete.laplacian_eigenvalues, lambda: {"boundary": "natural", "n": 5}
    ),
    "discrete.to_modes": Door(
        discrete.to_modes, lambda: {"u": np.ones((3, 2)), "boundary": "natural"}
    ),
    "discrete.from_modes": Door(
        discrete.from_modes, lambda: {"modes": np.ones((3, 2)), "boundary": "natural"}
    ),
    **{
        f"discrete.{name}": Door(getattr(discrete, name), _rows)
        for name in (
            "gram_matrix",
            "gram_operator",
            "inverse_matrix",
            "eigenvalues",
            "variance_kept",
            "sweep_factors",
        )
    },
}
