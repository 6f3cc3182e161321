"""Rules and layers → what to act on: each parameter with its rule, or the reason why it has none.

Rules are declared conditions, tried in order; the first that selects a tensor wins. The model is
read as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from cdg_theory.checks import described
from cdg_theory.metric import check_metric
from cdg_torch.attachment.held import Acting, Entry, Held, inside
from cdg_torch.layers import CONVOLUTIONS, Slot, output_axis, parameter_slots

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_theory import Metric


@dataclass(slots=True, kw_only=True)
class Rule:
    """A metric, and the conditions under which it acts on a tensor: all must hold.

    ==============  ======================================================================
    field           the tensor is selected if
    ==============  ======================================================================
    ``name``        its dotted name matches this glob pattern, as ``"layer1.*"``, or is this
                    name, as ``"head.weight"``
    ``types``       the layer it belongs to is an instance of one of these modules
    ``parameter``   it is this parameter of the layer, a glob pattern: ``"weight"``, ``"*"``
    ``when``        ``when(name, layer, parameter)`` is true
    ==============  ======================================================================

    A ``name`` without ``*``, ``?`` or ``[`` is the name of one tensor, and selects it in whatever
    layer it is. Any other selects the weights of convolutions, transposed ones included, unless
    ``types`` or ``parameter`` say otherwise.

    Parameters
    ----------
    metric
        The metric, or None to leave the selected tensors alone. The one field that may be
        assigned during training: it is read at every step.
    name, types, parameter, when
        The conditions. ``types`` and ``parameter`` are None until they are given.
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

    See Also
    --------
    cdg_torch.attach : Takes a list of them.
    cdg_torch.Handle.report : Says which tensors they select.
    cdg_torch.Diagnosis.rules : Makes them from measurements.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_torch import Rule
    >>> from torch import nn
    >>> rule = Rule(metric=Metric.reweighted_h0(2.0), name="head.*", types=nn.Linear)
    >>> one = Rule(metric=Metric.reweighted_h0(2.0), name="head.mixing", dim=0)
    >>> rule.metric = None
    >>> rule.metric = 3.0
    Traceback (most recent call last):
    ...
    TypeError: metric must be a cdg_theory.Metric, got 3.0 of type float; for example ...
    """

    metric: Metric | None
    name: str = "*"
    types: type[nn.Module] | tuple[type[nn.Module], ...] | None = None
    parameter: str | None = None
    when: Callable[[str, nn.Module, Tensor | None], bool] | None = None
    dim: int | None = None
    groups: int | None = None

    # The metric is read at every step; the conditions only when the model is read.
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
        if self.types is not None and not (
            kinds and all(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in kinds)
        ):
            got = described(self.types)
            msg = f"types must be module classes such as nn.Linear, got {got}"
            raise TypeError(msg)
        for field, pattern in (
            ("name", self.name),
            ("parameter", "*" if self.parameter is None else self.parameter),
        ):
            if not isinstance(pattern, str):
                msg = f"{field} must be a glob pattern, got {described(pattern)}"
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

    def selects(self, slot: Slot) -> bool:
        """Return whether every condition holds for the parameter that stands at ``slot``."""
        return self._fails(slot) == ""

    def why_none(self, slots: Sequence[Slot]) -> str:
        """Return which condition keeps the rule from all of ``slots``, and how to write it."""
        nearest = max(slots, key=lambda slot: _CONDITIONS.index(self._fails(slot)))
        name, key, layer = nearest.name, nearest.role or nearest.key, type(nearest.layer).__name__
        kind = f"nn.{layer}" if hasattr(nn, layer) else layer
        return {
            "name": f"no name matches {self.name!r}; names are such as {name!r}",
            "types": f"{name} belongs to a {layer}, which is none of its types (convolutions, "
            f"unless given); add types={kind}",
            "parameter": f"{name} is not among the parameters that it selects (weights, unless "
            f"given); add parameter={key!r}",
            "when": f"its condition when() is false, for {name} too",
        }[self._fails(nearest)]

    def _fails(self, slot: Slot) -> str:
        """Return the first condition that does not hold for the tensor at ``slot``, or ""."""
        one = {"*", "?", "["}.isdisjoint(self.name)
        types = (nn.Module if one else CONVOLUTIONS) if self.types is None else self.types
        parameter = ("*" if one else "weight") if self.parameter is None else self.parameter
        if not fnmatchcase(slot.name, self.name):
            return "name"
        if not isinstance(slot.layer, types):
            return "types"
        # A tensor of unknown role goes by its own name, so that a rule can still reach it.
        if not fnmatchcase(slot.role or slot.key, parameter):
            return "parameter"
        if self.when is not None and not self.when(slot.name, slot.layer, slot.parameter):
            return "when"
        return ""


# In the order in which they are tried.
_CONDITIONS = ("name", "types", "parameter", "when", "")


class Selected(NamedTuple):
    """A tensor to act on in this step: the metric in force, and what the optimizer knows of it."""

    parameter: Tensor
    group: Mapping[str, Any]
    entry: Entry
    metric: Metric


def parameters_of(optimizer: Optimizer) -> set[int]:
    """Return the ids of the parameters that an optimizer holds."""
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


class Selection:
    """What happens to every parameter of a model: read once, and again when the model has changed.

    A copy reads its own model when it is first asked.
    """

    def __init__(self, model: nn.Module, rules: Sequence[Rule]) -> None:
        self.model = model
        self.rules = tuple(rules)
        self._by_id: dict[int, Entry] | None = None
        self._held: Held | None = None

    def __getstate__(self) -> tuple[Any, ...]:
        return self.model, self.rules

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        Selection.__init__(self, *state)

    def read(self) -> dict[int, Entry]:
        """Read the model as it is now: an entry for each parameter, tied ones too, by ``id``.

        The first reading, and from then on what :meth:`now` has read, is what it is compared with.
        """
        places: dict[int, list[Slot]] = {}
        for slot in parameter_slots(self.model):
            places.setdefault(id(slot.parameter), []).append(slot)
        # Each entry holds its parameter, so no other tensor can take over the id.
        by_id = {key: _entry(slots, self.rules) for key, slots in places.items()}
        if self._by_id is None:
            self._by_id = by_id
        return by_id

    def former_name(self, parameter: Tensor) -> str | None:
        """Return the name that a parameter had in the model when it was last read, if any."""
        entry = None if self._by_id is None else self._by_id.get(id(parameter))
        return None if entry is None else entry.name

    def _check_none_is_stale(
        self, optimizer: Optimizer, held: Sequence[Tensor], now: Container[int]
    ) -> None:
        """Refuse parameters in whose place the model now has others, unknown to the optimizer."""
        known = parameters_of(optimizer)
        before = self._by_id or {}
        gone = [before[id(p)] for p in held if id(p) not in now and id(p) in before]
        stale = [
            entry.name
            for entry in gone
            # A frozen one needs no optimizer, and one that is tied now has one.
            if any(q.requires_grad and id(q) not in known for q in entry.successors())
        ]
        if stale:
            msg = (
                "replaced in the model since attach(), while the optimizer still holds what stood "
                f"there before: {', '.join(stale)}; put the model's new parameters into "
                "optimizer.param_groups, or make a new optimizer and attach to that"
            )
            raise RuntimeError(msg)

    def now(self, optimizer: Optimizer, *, with_gradient: bool = True) -> list[Selected]:
        """Return the tensors to act on now, from the optimizer's groups as they are."""
        acting, _ = self.acting(optimizer, with_gradient=with_gradient)
        return [
            *map(
                Selected, acting.parameters, acting.groups, acting.entries, self.metrics_of(acting)
            )
        ]

    def acting(
        self, optimizer: Optimizer, *, with_gradient: bool = True
    ) -> tuple[Acting, list[Any]]:
        """Return the same as columns, and the same object if nothing has changed.

        Beside them the gradients, of those that are selected for having one.
        """
        groups = optimizer.param_groups
        parameters = [*chain.from_iterable([group["params"] for group in groups])]
        held = self._held
        if held is None or not held.is_current(groups, parameters):
            self._held = None  # if it fails now, so it does the next time
            held = self._hold(optimizer, parameters, with_gradient=with_gradient)
        acting = held.having(self.metrics)
        grads: list[Any] = []
        if with_gradient:
            acting, grads = held.with_gradient(acting)
        if not acting.parameters:
            self._check(optimizer, parameters, with_gradient=with_gradient)
        return acting, grads

    @property
    def metrics(self) -> list[Metric | None]:
        """The metric of each rule; the identity is left out: the very gradient goes in."""
        return [None if _is_identity(rule.metric) else rule.metric for rule in self.rules]

    def metrics_of(self, acting: Acting) -> tuple[Metric, ...]:
        """Return the metric of each of these tensors."""
        metrics: Any = self.metrics
        return tuple([metrics[entry.rule] for entry in acting.entries])

    def _check(
        self, optimizer: Optimizer, parameters: Sequence[Tensor], *, with_gradient: bool
    ) -> dict[int, Entry]:
        """Refuse parameters that the model no longer has; return the model as it is now."""
        held = [p for p in parameters if p.grad is not None or p.requires_grad or not with_gradient]
        by_id = self._by_id
        if by_id is None or any(not _is_current(by_id.get(id(p))) for p in held):
            by_id = self.read()
            if held and all(id(p) not in by_id for p in held):
                msg = (
                    "none of the optimizer's parameters belongs to the model any more: they have "
                    "been replaced since attach(), so nothing would be transformed; detach, and "
                    "attach again to the optimizer and the model that are trained"
                )
                raise RuntimeError(msg)
            self._check_none_is_stale(optimizer, held, by_id)
        self._by_id = by_id
        return by_id

    def _hold(self, optimizer: Optimizer, parameters: list[Tensor], *, with_gradient: bool) -> Held:
        by_id = self._check(optimizer, parameters, with_gradient=with_gradient)
        groups = optimizer.param_groups
        each = [(p, group, by_id.get(id(p))) for group in groups for p in group["params"]]
        known = [entry for _, _, entry in each if entry is not None]
        places = [(s.owner, s.key, entry.parameter) for entry in known for s in entry.slots]
        # What is outside may come into the model: then every place counts, empty ones too.
        modules = [*self.model.modules()] if len(known) < len(each) else []
        ruled = [(p, group, e) for p, group, e in each if e is not None and e.rule is not None]
        columns = map(tuple, zip(*ruled, strict=True)) if ruled else ((), (), ())
        held = Held([*groups], parameters, places, modules, inside(modules), Acting(*columns))
        # Read again each time: lazy layers, and frozen parameters that the model no longer has.
        if all(map(_is_current, known)):
            self._held = held
        return held


def _is_current(entry: Entry | None) -> bool:
    """Whether the model still holds this parameter where it was found."""
    if entry is None or entry.provisional:
        return False
    return all(s.owner._parameters.get(s.key) is entry.parameter for s in entry.slots)


def _is_identity(metric: Metric | None) -> bool:
    return metric is not None and metric.is_multiple_of_l2 and metric.mean == 1


class _Reading(NamedTuple):
    """How one slot reads its tensor: the rule that selects it and the axis, or why none does."""

    rule: int | None
    axis: tuple[int, int] | None
    reason: str


def _read(slot: Slot, shape: tuple[int, ...], rules: Sequence[Rule]) -> _Reading:
    known = output_axis(slot.layer, slot.role)
    index = next((i for i, rule in enumerate(rules) if rule.selects(slot)), None)
    kind = type(slot.layer).__name__
    if index is None:
        axis = None if known is None else (known.dim, known.groups)
        return _Reading(None, axis, slot.note or f"no rule selects the {slot.key} of a {kind}")
    rule = rules[index]
    if rule.dim is not None:
        dim, groups = rule.dim, rule.groups or 1
        if not -len(shape) <= dim < len(shape):
            msg = f"dim={dim} of the rule is not an axis of {slot.name}, whose shape is {shape}"
            raise ValueError(msg)
        dim %= len(shape)
    elif known is None:
        unknown = f"no output-channel axis is known for a {kind}; a Rule with dim= says it"
        return _Reading(None, None, slot.note or unknown)
    else:
        if known.ndim != len(shape):
            msg = (
                f"{slot.name} has shape {shape}, but the {slot.role} of a {kind} has {known.ndim} "
                "axes: something has flattened or cut it, and its output channels cannot be told "
                "any more; use FSDP2 (fully_shard), which keeps them, or select it with a Rule "
                "with dim="
            )
            raise ValueError(msg)
        dim, groups = known.dim, rule.groups or known.groups
    if shape[dim] % groups or groups < 1:
        msg = f"groups={groups} of the rule does not divide axis {dim} of {slot.name}, {shape}"
        raise ValueError(msg)
    return _Reading(index, (dim, groups), "")


def _entry(slots: Sequence[Slot], rules: Sequence[Rule]) -> Entry:
    """Return the entry of one parameter, which may stand in several places of the model."""
    name, parameter, places = slots[0].name, slots[0].parameter, tuple(slots)
    assert parameter is not None
    if slots[0].is_lazy:
        reason = "not initialized yet: read again after the first forward pass"
        return Entry(name, parameter, places, reason=reason, provisional=True)
    shape = tuple(parameter.shape)
    readings = [_read(slot, shape, rules) for slot in slots]
    acting = next((reading for reading in readings if reading.rule is not None), None)
    if acting is None:
        return Entry(name, parameter, places, reason=readings[0].reason)
    assert acting.axis is not None
    assert acting.rule is not None
    dim, groups = acting.axis
    if rules[acting.rule].dim is None:
        for slot, reading in zip(slots, readings, strict=True):
            if reading.axis not in {None, acting.axis}:
                reason = (
                    f"tied to {slot.name}, which reads its output channels along another axis; "
                    "a Rule with dim= decides"
                )
                return Entry(name, parameter, places, reason=reason)
    # Whatever the weight of the mean: a lone channel has no neighbour to be smoothed with.
    if shape[dim] == groups:
        reason = "one output channel per group: nothing to smooth"
        return Entry(name, parameter, places, reason=reason)
    return Entry(name, parameter, places, acting.rule, dim, groups)
