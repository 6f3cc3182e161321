"""Which tensors a metric acts on: declared conditions, tried in order, the first match wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from torch import Tensor, nn

from cdg_theory.checks import described
from cdg_theory.metric import check_metric
from cdg_torch.layers import CONVOLUTIONS

if TYPE_CHECKING:
    from cdg_theory import Metric
    from cdg_torch.layers import Slot

Predicate = Callable[[str, nn.Module, Tensor], bool]


@dataclass(slots=True, kw_only=True)
class Rule:
    """A metric, and the conditions a tensor must meet, all of them, for it to act.

    ==============  ======================================================================
    field           the tensor is selected if
    ==============  ======================================================================
    ``name``        its dotted name matches this glob pattern, as ``"layer1.*"``
    ``types``       the layer it belongs to is an instance of one of these modules
    ``parameter``   it is this parameter of the layer, a glob pattern: ``"weight"``, ``"*"``
    ``when``        ``when(name, layer, parameter)`` is true
    ==============  ======================================================================

    Parameters
    ----------
    metric
        The metric, or None to leave the selected tensors alone. The one field that may be
        assigned during training: it is read at every step.
    name, types, parameter, when
        The conditions. By default: the weight of any convolution, transposed ones included.
    dim, groups
        The output-channel axis, and the number of contiguous blocks along it, for tensors whose
        layer does not say. None takes what the layer says.

    Raises
    ------
    TypeError
        If ``metric`` is neither a metric nor None, or a condition is of the wrong type.
    ValueError
        If ``groups`` is less than 1.
    AttributeError
        If another field than ``metric`` is assigned.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> rule = Rule(metric=Metric.reweighted_h0(2.0), name="head.*", types=nn.Linear)
    >>> rule.metric = None
    >>> rule.metric = 3.0
    Traceback (most recent call last):
    ...
    TypeError: metric must be a cdg_theory.Metric, got 3.0 of type float; for example ...
    """

    metric: Metric | None
    name: str = "*"
    types: type[nn.Module] | tuple[type[nn.Module], ...] = CONVOLUTIONS
    parameter: str = "weight"
    when: Predicate | None = None
    dim: int | None = None
    groups: int | None = None

    def __setattr__(self, field: str, value: object) -> None:
        if field == "metric":
            if value is not None:
                check_metric(value)
        elif hasattr(self, field):
            msg = f"{field} of a Rule is fixed, only its metric may be assigned; make a new Rule"
            raise AttributeError(msg)
        object.__setattr__(self, field, value)

    def __post_init__(self) -> None:
        kinds = self.types if isinstance(self.types, tuple) else (self.types,)
        if not kinds or not all(
            isinstance(kind, type) and issubclass(kind, nn.Module) for kind in kinds
        ):
            got = described(self.types)
            msg = f"types must be module classes such as nn.Linear, got {got}"
            raise TypeError(msg)
        for field in ("name", "parameter"):
            if not isinstance(getattr(self, field), str):
                msg = f"{field} must be a glob pattern, got {described(getattr(self, field))}"
                raise TypeError(msg)
        if self.when is not None and not callable(self.when):
            msg = (
                f"when must be callable as when(name, layer, parameter), got {described(self.when)}"
            )
            raise TypeError(msg)
        for field in ("dim", "groups"):
            value = getattr(self, field)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                msg = f"{field} must be an int or None, got {described(value)}"
                raise TypeError(msg)
        if self.groups is not None and self.groups < 1:
            msg = f"groups must be >= 1, got {self.groups}; None takes what the layer says"
            raise ValueError(msg)

    def selects(self, slot: Slot, parameter: Tensor) -> bool:
        """Return whether every condition holds for a parameter standing at ``slot``."""
        # A tensor of unknown role goes by its own name, so that a rule can still reach it.
        return (
            isinstance(slot.layer, self.types)
            and fnmatchcase(slot.role or slot.key, self.parameter)
            and fnmatchcase(slot.name, self.name)
            and (self.when is None or bool(self.when(slot.name, slot.layer, parameter)))
        )
