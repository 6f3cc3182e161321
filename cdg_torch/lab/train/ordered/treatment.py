"""What is compared on ordered outputs: the metric on a layer, controls without one, and rivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from cdg_theory import Metric
from cdg_theory.checks import described, finite_number, one_of, whole_number
from cdg_theory.metric import Boundary

Kind = Literal["none", "h0", "measured", "first", "second", "fitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    r"""What is done to one layer, to the targets and to the loss.

    ==============  ====================================================================
    field           meaning
    ==============  ====================================================================
    ``metric``      ``"none"``; ``"h0"``, :math:`P+\lambda(I-P)`; ``"measured"``, H⁰ whose
                    λ theorem 14 gives from signal and noise before training; ``"first"`` and
                    ``"second"`` order, :meth:`cdg_theory.Metric.of_length`; ``"fitted"``
                    to the trained head of plain descent, see :func:`smoother_of_fit`
    ``strength``    λ of H⁰, or the factor of the measured one; the length ℓ in channels; of a
                    fitted metric ν/s
    ``layer``       ``"head"``, the last layer, or ``"hidden"``, the one below
    ``acts``        the metric transforms the layer's gradient, or what ``where`` says
    ``where``       ``"gradient"`` or ``"update"``
    ``matched``     the layer's initial weights are made as smooth as the metric
    ``decay``       weight decay of the layer, untransformed
    ``rate``        the layer's learning rate over that of the others
    ``penalty``     :math:`\tfrac12` this times :math:`\langle w,Mw\rangle` in the loss
    ``smoothing``   label smoothing: this share of each target over all bins alike
    ``spread``      standard deviation, in outputs, of a Gaussian that targets are spread
                    or smoothed with
    ``coarse``      so many neighbouring bins become one
    ``parametric``  the usual head with a few outputs instead of bins: the cosine and sine
                    of an angle, a mixture of five discretised logistics for levels
    ==============  ====================================================================

    Raises
    ------
    TypeError, ValueError
        If a value is of the wrong type or none of the choices, or fields exclude each other.

    Examples
    --------
    >>> full = Treatment(metric="second", strength=6.0, matched=True, decay=1e-3)
    >>> Treatment.parse(full.as_dict()) == full
    True
    """

    metric: Kind = "none"
    strength: float = 0.0
    layer: Literal["head", "hidden"] = "head"
    acts: bool = True
    where: Literal["gradient", "update"] = "gradient"
    matched: bool = False
    decay: float | None = None
    rate: float = 1.0
    penalty: float = 0.0
    smoothing: float = 0.0
    spread: float = 0.0
    coarse: int = 1
    parametric: bool = False

    def __post_init__(self) -> None:
        one_of("metric", self.metric, get_args(Kind))
        one_of("layer", self.layer, ("head", "hidden"))
        one_of("where", self.where, ("gradient", "update"))
        for name in ("strength", "rate", "penalty", "smoothing", "spread"):
            value = finite_number(name, getattr(self, name), cure="a number >= 0")
            if value < 0:
                msg = f"{name} must be >= 0, got {value}"
                raise ValueError(msg)
        if self.decay is not None:
            finite_number("decay", self.decay, cure="a number >= 0")
        whole_number("coarse", self.coarse, least=1)
        for name in ("acts", "matched", "parametric"):
            if not isinstance(getattr(self, name), bool):
                msg = f"{name} must be true or false, got {described(getattr(self, name))}"
                raise TypeError(msg)
        if (self.metric == "none") != (self.strength == 0):
            msg = f"a metric has a strength > 0, and only a metric; got {self.metric!r} with "
            msg += f"strength {self.strength}"
            raise ValueError(msg)
        if self.metric == "none" and (self.matched or self.penalty):
            msg = "matched and penalty need a metric; name one, with acts = false if it is only "
            msg += "for them"
            raise ValueError(msg)

    @property
    def is_plain(self) -> bool:
        """Whether this is the optimizer and the loss as they come."""
        return self == Treatment()

    @property
    def role(self) -> str:
        """``"base"``; ``"metric"`` if one acts; ``"rival"``, another prior; else ``"control"``."""
        if self.is_plain:
            return "base"
        if self.metric != "none" and self.acts:
            return "metric"
        return (
            "rival"
            if self.penalty or self.spread or self.coarse > 1 or self.parametric
            else "control"
        )

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Treatment:
        """Return the treatment that a table of plain values describes.

        Raises
        ------
        TypeError, ValueError
            As the class, or if a key is unknown.
        """
        if not isinstance(table, Mapping):
            msg = f"ordered must be a table, got {described(table)}"
            raise TypeError(msg)
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(table) - known):
            msg = f"unknown keys of a treatment: {unknown}; known are {sorted(known)}"
            raise ValueError(msg)
        return cls(**table)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that :meth:`parse` reads; those at their default are left out."""
        return {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }


def member(kind: Kind, strength: float, boundary: Boundary) -> Metric:
    """Return the metric of a treatment, of every kind but a fitted one.

    Raises
    ------
    ValueError
        If the kind is another.
    """
    one_of("kind", kind, ("h0", "first", "second"))
    if kind == "h0":
        return Metric.reweighted_h0(strength)
    return Metric.of_length(
        strength, derivative_order=1 if kind == "first" else 2, boundary=boundary
    )


def smoother_of_fit(fit: Metric, first: float, strength: float) -> Metric:
    r"""Return :math:`(M_1 + cM/\mu_1)/(1+c)` with mean 1: the best smoother if M is the prior.

    Columns of covariance :math:`\sigma^2M^{-1}`, seen in white noise ν, are best smoothed by
    :math:`I+\tfrac{\nu}{\sigma^2}M` (theorem 15). The strength is :math:`c=\nu\mu_1/\sigma^2`,
    noise over signal in the lowest mode, which is left as it is.

    =============  ============  ===========================================================
    symbol         argument      meaning
    =============  ============  ===========================================================
    M              ``fit``       the fitted metric
    :math:`\mu_1`  ``first``     its eigenvalue of the lowest mode but the mean
    c              ``strength``  > 0
    =============  ============  ===========================================================
    """
    c, share = strength, strength / (first * (1 + strength))
    return Metric(
        1.0,
        1 / (1 + c) + share * fit.fluctuation,
        share * fit.derivative,
        share * fit.curvature,
        boundary=fit.boundary,
        spacing=fit.spacing,
    )
