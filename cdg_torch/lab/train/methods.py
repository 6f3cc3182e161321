"""The compared methods: a base optimizer, a metric, and along which axis and where it acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from cdg_theory import Metric
from cdg_theory.checks import described, one_of
from cdg_torch.attachment import Rule, attach, attached
from cdg_torch.lab.baselines import along_kernel, along_raster, gradient_centralization
from cdg_torch.lab.train.directions import step_along
from cdg_torch.lab.train.ordered.treatment import Treatment
from cdg_torch.layers import convolution_weights
from cdg_torch.schedules import CosineMetric, LinearMetric

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from cdg_torch.schedules import MetricSchedule

Direction = Literal["output", "input", "kernel", "raster"]
Layers = Literal["all", "first", "rest"]

# The learning rate comes from the run; everything else is the same for every method.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": partial(torch.optim.SGD, momentum=0.9),
    "adam": torch.optim.Adam,
    "adam-half": partial(torch.optim.Adam, betas=(0.5, 0.999)),
    "adamw": partial(torch.optim.AdamW, weight_decay=0.01),
}


# How far towards no smoothing the metric moves over all steps of a run.
SCHEDULES = {"linear": LinearMetric, "cosine": CosineMetric}


def _rules(model: nn.Module, method: Method) -> list[Rule]:
    """Return one rule for each convolution that the method's metric acts on."""
    rules: list[Rule] = []
    for place, (slot, output) in enumerate(convolution_weights(model)):
        if method.layers != "all" and (place == 0) != (method.layers == "first"):
            continue
        # Axes 0 and 1 of a convolution's weight are its channels, whichever way round.
        axis = 1 - output.dim if method.direction == "input" else output.dim
        assert slot.parameter is not None
        if slot.parameter.shape[axis] > 1:
            own = axis if method.direction == "input" else None
            rules.append(Rule(metric=method.metric, name=slot.name, dim=own))
    return rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A base optimizer and what is done to its gradients.

    ================  ==================================================================
    field             meaning
    ================  ==================================================================
    ``name``          what tables and figures call it
    ``optimizer``     ``"sgd"`` (momentum 0.9), ``"adam"``, ``"adam-half"`` (β₁ = 0.5, as
                      DCGAN has it), or ``"adamw"`` (decay 0.01)
    ``metric``        a :class:`cdg_theory.Metric`, or None for the base optimizer
    ``direction``     ``"output"`` channels, as in the paper, ``"input"`` channels, the
                      ``"kernel"`` axes one after the other, or the whole tensor as one
                      column, ``"raster"``
    ``layers``        ``"all"`` convolutions, the ``"first"`` one, or the ``"rest"``
    ``schedule``      None: the metric stays; ``"linear"`` or ``"cosine"``: it moves to no
                      smoothing over the run
    ``centralize``    take off the mean over all but output channels; excludes a metric
    ``where``         smooth the ``"gradient"``, or the ``"update"`` the optimizer makes
    ``match_norm``    rescale to the norm before: comparison at equal update norm
    ``ordered``       a :class:`~cdg_torch.lab.train.ordered.treatment.Treatment`, of
                      networks with ordered outputs; excludes a metric of convolutions
    ================  ==================================================================

    Raises
    ------
    ValueError
        If the optimizer or the direction is unknown, or options exclude each other.

    Examples
    --------
    >>> method = Method.parse({"name": "H⁰", "metric": {"fluctuation": 10.0}})
    >>> method.metric
    Metric(mean=1.0, fluctuation=10.0, derivative=0.0, curvature=0.0, boundary='natural', ...)
    >>> Method.parse(method.as_dict()) == method
    True
    """

    name: str
    optimizer: str = "sgd"
    metric: Metric | None = None
    direction: Direction = "output"
    where: Literal["gradient", "update"] = "gradient"
    match_norm: bool = False
    centralize: bool = False
    layers: Layers = "all"
    schedule: str | None = None
    ordered: Treatment | None = None

    def __post_init__(self) -> None:
        along_channels = self.direction in {"output", "input"} and self.metric is not None
        options = {"where": "gradient", "match_norm": False, "layers": "all", "schedule": None}
        changed = [name for name, default in options.items() if getattr(self, name) != default]
        if changed and not along_channels:
            msg = (
                f"{self.name}: {' and '.join(changed)} is served for a metric along channels "
                "only; leave it out, or give a metric and direction 'output' or 'input'"
            )
            raise ValueError(msg)
        if self.centralize and self.metric is not None:
            msg = f"{self.name}: centralize and a metric exclude each other; leave one out"
            raise ValueError(msg)
        if self.ordered is not None and (self.metric is not None or self.centralize):
            msg = f"{self.name}: ordered has a metric of its own; leave metric and centralize out"
            raise ValueError(msg)
        for field, choices in (
            ("optimizer", tuple(OPTIMIZERS)),
            ("direction", get_args(Direction)),
            ("where", ("gradient", "update")),
            ("layers", get_args(Layers)),
        ):
            one_of(field, getattr(self, field), choices)
        if self.schedule is not None:
            one_of("schedule", self.schedule, tuple(SCHEDULES))

    @property
    def is_baseline(self) -> bool:
        """Whether the optimizer is fed the raw gradient."""
        plain = self.ordered is None or self.ordered.is_plain
        return self.metric is None and not self.centralize and plain

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Method:
        """Return the method that a table of plain values describes.

        Raises
        ------
        TypeError
            If a value is of the wrong type.
        ValueError
            If a key is unknown or a value is none of the choices.
        """
        if not isinstance(table, Mapping):
            msg = f"methods must be tables, [[methods]], got {described(table)}"
            raise TypeError(msg)
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(table) - known):
            msg = f"unknown keys of a method: {unknown}; known are {sorted(known)}"
            raise ValueError(msg)
        values = dict(table)
        if not isinstance(values.get("name"), str) or not values["name"]:
            msg = f"name of a method must be a word, got {described(values.get('name'))}"
            raise TypeError(msg)
        for switch in {"match_norm", "centralize"} & set(values):
            if not isinstance(values[switch], bool):
                msg = f"{switch} must be true or false, got {described(values[switch])}"
                raise TypeError(msg)
        weights = values.get("metric")
        if weights is not None:
            known = {field.name for field in fields(Metric)}
            if not isinstance(weights, Mapping) or not set(weights) <= known:
                msg = f"metric must be a table of {sorted(known)}, got {described(weights)}"
                raise ValueError(msg)
            values["metric"] = Metric(**weights)
        if values.get("ordered") is not None:
            values["ordered"] = Treatment.parse(values["ordered"])
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that :meth:`parse` reads; those at their default are left out.

        So that a field that is added one day does not change what older records are called.
        """
        table = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        if self.metric is not None:
            table["metric"] = asdict(self.metric)
            if not self.metric.curvature:
                del table["metric"]["curvature"]
        if self.ordered is not None:
            table["ordered"] = self.ordered.as_dict()
        return table

    def make_optimizer(self, model: nn.Module, lr: float) -> Optimizer:
        """Return the optimizer for a model, with the metric attached."""
        optimizer = OPTIMIZERS[self.optimizer](model.parameters(), lr=lr)
        metric = self.metric
        if self.centralize:
            step_along(optimizer, model, lambda g, dim: gradient_centralization(g, dim=dim))
        elif metric is not None and self.direction in {"kernel", "raster"}:
            along = along_kernel if self.direction == "kernel" else along_raster
            step_along(optimizer, model, lambda g, _: along(g, metric))
        elif metric is not None:
            everywhere = self.direction == "output" and self.layers == "all"
            attach(
                optimizer,
                model,
                metric if everywhere else None,
                rules=[] if everywhere else _rules(model, self),
                where=self.where,
                match_norm=self.match_norm,
            )
        return optimizer

    def make_schedule(self, optimizer: Optimizer, steps: int) -> MetricSchedule | None:
        """Return the schedule of the metric over so many steps; None if the metric stays."""
        if self.schedule is None:
            return None
        handle = attached(optimizer)
        assert handle is not None  # a schedule needs a metric, see above
        return SCHEDULES[self.schedule](handle, steps=steps)
