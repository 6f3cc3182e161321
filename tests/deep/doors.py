"""Every public way into the library, with arguments that are right: what `fuzz` puts wrong."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
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
    theirs: tuple[str, ...] = ()


def _door(
    call: Any, *, same: tuple[str, ...] = (), theirs: tuple[str, ...] = (), **arguments: Any
) -> Door:
    """Return a door whose arguments are copied for every call."""
    return Door(call, lambda: deepcopy(arguments), same, theirs)


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


def _schedule() -> cdg_torch.MetricSchedule:
    return cdg_torch.LinearMetric(_attached(), steps=3)


def _enter_backend(name: Any) -> None:
    with cdg_torch.backend(name):
        cdg_torch.riemannian_gradient(torch.ones(3), Metric.l2())


def _subclass(kind: Any, params: Any, metric: Any, model: Any, **options: Any) -> Any:
    return kind(params, lr=0.1, metric=metric, model=model, **options)


def _subclass_arguments() -> dict[str, Any]:
    model, _ = trained()
    more = {"where": "gradient", "rules": (), "inplace": False}
    return {"params": model.parameters(), "metric": SOBOLEV, "model": model, **more}


def _attach_arguments() -> dict[str, Any]:
    model, optimizer = trained()
    switches = ("inplace", "match_norm", "transform_decay", "stats", "verbose")
    more = {"rules": (), "where": "gradient", "require_gradients": True}
    given = {"optimizer": optimizer, "model": model, "metric": SOBOLEV}
    return {**given, **more, **dict.fromkeys(switches, False)}


def _assign_metric(handle: cdg_torch.Handle, metric: Any) -> None:
    handle.metric = metric


def _assign_to_rule(handle: cdg_torch.Handle, metric: Any) -> None:
    """Assign a metric to the rule itself, as a schedule does."""
    handle.rules[0].metric = metric


def _of_weights(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    weights = torch.cat([weight.flatten() for weight in model.parameters()])
    return (weights * batch.mean()).square().sum()


def _diagnose_arguments() -> dict[str, Any]:
    given = {"model": nn.Linear(3, 9), "batches": list(torch.ones(2, 4, 3)), "loss": _of_weights}
    return {**given, "boundary": "natural", "level": 0.05, "training_batches": 4, "seed": 0}


def _head_arguments() -> dict[str, Any]:
    model, optimizer = trained()
    given = {"optimizer": optimizer, "model": model, "name": "0.weight", "length": 2.0}
    return {**given, "derivative_order": 1, "boundary": "natural", "where": "gradient"}


SOBOLEV = Metric.sobolev(1.0)
GRAD, ROWS = torch.arange(24.0).reshape(4, 6), np.arange(6.0).reshape(3, 2)
ENDS: dict[str, Any] = {"boundary": "natural", "spacing": "normalized"}
AXIS: dict[str, Any] = {"dim": 0, "groups": 1}
ON_GRAD: dict[str, Any] = {"grad": GRAD, "metric": SOBOLEV}
ON_ROWS: dict[str, Any] = {"grad": ROWS, "metric": SOBOLEV}
SHARES, SPECTRA = np.full(3, 0.5), {"signal": np.ones(3), "noise": np.ones(3)}
SAMPLED: dict[str, Any] = {"boundary": "natural", "n": 5}

DOORS: dict[str, Door] = {
    "Metric": _door(
        Metric, mean=1.0, fluctuation=1.0, derivative=1.0, curvature=1.0, **ENDS
    ),
    "Metric.reweighted_h0": _door(Metric.reweighted_h0, lam=2.0, same=("fluctuation",)),
    "Metric.sobolev": _door(Metric.sobolev, lam=2.0, **ENDS, same=("derivative",)),
    "Metric.ordinary_sobolev": _door(
        Metric.ordinary_sobolev, lam=2.0, **ENDS, same=("derivative",)
    ),
    "Metric.biharmonic": _door(Metric.biharmonic, lam=2.0, **ENDS, same=("curvature",)),
    "Metric.spline": _door(Metric.spline, lam=2.0, **ENDS, same=("curvature",)),
    "riemannian_gradient": _door(cdg_torch.riemannian_gradient, **ON_GRAD, **AXIS),
    "apply_metric": _door(cdg_torch.apply_metric, k=GRAD, metric=SOBOLEV, **AXIS),
    "metric_norm": _door(cdg_torch.metric_norm, h=GRAD, metric=SOBOLEV, **AXIS),
    "dual_norm": _door(cdg_torch.dual_norm, g=GRAD, metric=SOBOLEV, **AXIS),
    "metric_power": _door(
        cdg_torch.metric_power, tensor=GRAD, metric=SOBOLEV, exponent=0.5, **AXIS
    ),
    "inner_product": _door(cdg_torch.inner_product, h=GRAD, k=GRAD, metric=SOBOLEV, **AXIS),
    "riemannian_gradients_": _door(
        cdg_torch.riemannian_gradients_,
        tensors=[GRAD, GRAD.clone()], metric=SOBOLEV, dims=[0, 1], groups=1, same=("dim",),
    ),
    "metric_operand": _door(cdg_torch.metric_operand, metric=SOBOLEV),
    "backend": _door(_enter_backend, name="reference", same=("backend",)),
    "blend": _door(cdg_torch.blend, metric=SOBOLEV, t=0.5),
    "channel_correlation": _door(
        cdg_torch.channel_correlation, tensor=GRAD, pairs="neighbours", **AXIS
    ),
    "Metric.of_length": _door(Metric.of_length, length=2.0, derivative_order=1, boundary="natural"),
    "matched_initialisation": _door(
        cdg_torch.matched_initialisation, weight=GRAD, metric=SOBOLEV, **AXIS
    ),
    "channel_profile": _door(cdg_torch.channel_profile, tensor=GRAD, **AXIS),
    "correlation_scale": _door(correlation_scale, shape=(4, 6), pairs="all", **AXIS),
    "baselines.laplacian_smoothing": _door(baselines.laplacian_smoothing, grad=GRAD, sigma=1.0),
    "baselines.gradient_centralization": _door(
        baselines.gradient_centralization, grad=GRAD, dim=0
    ),
    "baselines.along_input": _door(baselines.along_input, **ON_GRAD, dim=0),
    "baselines.along_kernel": _door(baselines.along_kernel, grad=GRAD[None], metric=SOBOLEV),
    "baselines.along_raster": _door(baselines.along_raster, **ON_GRAD),
    "Rule": _door(
        cdg_torch.Rule,
        metric=SOBOLEV, name="*", types=nn.Linear, parameter="weight", when=None, **AXIS,
    ),
    "diagnose": Door(cdg_torch.diagnose, _diagnose_arguments, theirs=("batches", "loss")),
    "ordered_head": Door(cdg_torch.ordered_head, _head_arguments),
    "attach": Door(cdg_torch.attach, _attach_arguments),
    "attached": Door(cdg_torch.attached, lambda: {"optimizer": trained()[1]}),
    **{
        kind.__name__: Door(partial(_subclass, kind), _subclass_arguments, theirs=("params",))
        for kind in (cdg_torch.SGD, cdg_torch.Adam, cdg_torch.AdamW)
    },
    "Handle.metric": Door(_assign_metric, lambda: {"handle": _attached(), "metric": SOBOLEV}),
    "Rule.metric": Door(_assign_to_rule, lambda: {"handle": _attached(), "metric": SOBOLEV}),
    "Handle.load_state_dict": Door(
        lambda handle, state: handle.load_state_dict(state),
        lambda: {"handle": _attached(), "state": _attached().state_dict()},
    ),
    "MetricSchedule.load_state_dict": Door(
        lambda schedule, state: schedule.load_state_dict(state),
        lambda: {"schedule": _schedule(), "state": _schedule().state_dict()},
    ),
    "ConstantMetric": Door(cdg_torch.ConstantMetric, lambda: {"handle": _attached()}),
    "LinearMetric": Door(cdg_torch.LinearMetric, lambda: {"handle": _attached(), "steps": 3}),
    "CosineMetric": Door(cdg_torch.CosineMetric, lambda: {"handle": _attached(), "steps": 3}),
    "StepMetric": Door(
        cdg_torch.StepMetric, lambda: {"handle": _attached(), "every": 2, "factor": 0.5}
    ),
    "certify": _door(
        certify,
        solve=np.positive, metric=Metric.l2(), n=3, columns=2, dtype="float64",
        accumulator="float64", algorithm="closing", seed=0, theirs=("solve",),
    ),
    "ledger.verify": _door(ledger.verify, ids=[]),
    "discrete.riemannian_gradient": _door(discrete.riemannian_gradient, **ON_ROWS),
    "discrete.spectral_gradient": _door(discrete.spectral_gradient, **ON_ROWS),
    "discrete.sharded_gradient": _door(
        discrete.sharded_gradient, blocks=[ROWS, np.ones((2, 2))], metric=SOBOLEV
    ),
    "discrete.shard_plan": _door(discrete.shard_plan, metric=SOBOLEV, sizes=(3, 2)),
    "discrete.graph_laplacian": _door(discrete.graph_laplacian, **SAMPLED),
    "discrete.laplacian_eigenvalues": _door(discrete.laplacian_eigenvalues, **SAMPLED),
    "discrete.gram_power": _door(discrete.gram_power, metric=SOBOLEV, n=5, exponent=0.5),
    "discrete.inner_product": _door(discrete.inner_product, h=ROWS, k=ROWS, metric=SOBOLEV),
    **{
        f"discrete.{name}": _door(
            getattr(discrete, name), **more, **SPECTRA, same=("signal", "noise")
        )
        for name, more in (
            ("risk", {"factors": SHARES}), ("best_scale", {"factors": SHARES}),
            ("best_factors", {}), ("best_stopping", {"metric": SOBOLEV, "loss_curvature": 1.0}),
        )
    },
    "discrete.early_stopping": _door(
        discrete.early_stopping, metric=SOBOLEV, n=3, time=1.0, loss_curvature=1.0
    ),
    "discrete.to_modes": _door(discrete.to_modes, u=ROWS, boundary="natural"),
    "discrete.from_modes": _door(discrete.from_modes, modes=ROWS, boundary="natural"),
    **{
        f"discrete.{name}": _door(getattr(discrete, name), metric=SOBOLEV, n=5)
        for name in (
            "gram_matrix", "gram_operator", "inverse_matrix", "eigenvalues", "variance_kept",
            "sweep_factors",
        )
    },
}  # fmt: skip
