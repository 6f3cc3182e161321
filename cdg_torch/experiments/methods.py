"""What is compared: a base optimizer, a metric, and where and along which axis it acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from cdg_theory import Metric
from cdg_theory.checks import described, one_of
from cdg_torch.attachment import Rule, attach
from cdg_torch.baselines import along_kernel, along_raster, gradient_centralization
from cdg_torch.experiments.directions import transform_gradients
from cdg_torch.layers import CONVOLUTIONS, output_axis, parameter_slots

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

__all__ = ["OPTIMIZERS", "Direction", "Method"]

Direction = Literal["output", "input", "kernel", "raster"]

# The learning rate comes from the run; everything else is the same for every method.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
    "adam": lambda parameters, lr: torch.optim.Adam(parameters, lr=lr),
    "adam-half": lambda parameters, lr: torch.optim.Adam(parameters, lr=lr, betas=(0.5, 0.999)),
    "adamw": lambda parameters, lr: torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01),
}


def _input_rules(model: nn.Module, metric: Metric) -> list[Rule]:
    """Return one rule per convolution with several input channels, along that axis."""
    rules = []
    for slot in parameter_slots(model):
        output = output_axis(slot.layer, slot.role) if slot.role == "weight" else None
        if output is None or not isinstance(slot.layer, CONVOLUTIONS):
            continue
        # Axes 0 and 1 of a convolution's weight are its channels, whichever way round.
        axis = 1 - output.dim
        assert slot.parameter is not None
        if slot.parameter.shape[axis] > 1:
            rules.append(Rule(metric=metric, name=slot.name, dim=axis))
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
    ``centralize``    take off the mean over all but output channels; excludes a metric
    ``where``         smooth the ``"gradient"``, or the ``"update"`` the optimizer makes
    ``match_norm``    rescale to the norm before: comparison at equal update norm
    ================  ==================================================================

    Raises
    ------
    ValueError
        If the optimizer or the direction is unknown, or options exclude each other.

    Examples
    --------
    >>> method = Method.parse({"name": "H⁰", "metric": {"fluctuation": 10.0}})
    >>> method.metric
    Metric(mean=1.0, fluctuation=10.0, derivative=0.0, boundary='natural', spacing='normalized')
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

    def __post_init__(self) -> None:
        plain = self.direction in {"output", "input"} and not self.centralize
        if not plain and (self.where != "gradient" or self.match_norm):
            msg = (
                f"{self.name}: where and match_norm are served along channels only; leave them "
                "out, or take direction 'output' or 'input'"
            )
            raise ValueError(msg)
        if self.centralize and self.metric is not None:
            msg = f"{self.name}: centralize and a metric exclude each other; leave one out"
            raise ValueError(msg)
        for field, choices in (
            ("optimizer", tuple(OPTIMIZERS)),
            ("direction", get_args(Direction)),
            ("where", ("gradient", "update")),
        ):
            one_of(field, getattr(self, field), choices)

    @property
    def is_baseline(self) -> bool:
        """Whether the optimizer is fed the raw gradient."""
        return self.metric is None and not self.centralize

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
        return table

    def make_optimizer(self, model: nn.Module, lr: float) -> Optimizer:
        """Return the optimizer for a model, with the metric attached."""
        optimizer = OPTIMIZERS[self.optimizer](model.parameters(), lr)
        if self.centralize:
            transform_gradients(
                optimizer, model, lambda gradient, dim: gradient_centralization(gradient, dim=dim)
            )
        elif self.metric is None:
            pass
        elif self.direction in {"kernel", "raster"}:
            along = along_kernel if self.direction == "kernel" else along_raster
            metric = self.metric
            transform_gradients(optimizer, model, lambda gradient, _: along(gradient, metric))
        else:
            rules = _input_rules(model, self.metric) if self.direction == "input" else []
            attach(
                optimizer,
                model,
                None if self.direction == "input" else self.metric,
                rules=rules,
                where=self.where,
                match_norm=self.match_norm,
            )
        return optimizer
