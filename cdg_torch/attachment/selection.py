"""What happens to every parameter, and why: read from the model as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from cdg_torch.layers import Slot, output_axis, parameter_slots

if TYPE_CHECKING:
    from cdg_theory import Metric
    from cdg_torch.attachment.rules import Rule


class Action(NamedTuple):
    """One tensor's share of the work: k = M⁻¹g along ``dim``, block by block."""

    metric: Metric
    dim: int
    groups: int


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A parameter with the rule that acts on it, or the reason why none does.

    The rule's metric is not copied here: it is read at every step.
    """

    name: str
    parameter: nn.Parameter
    slots: tuple[Slot, ...]
    rule: Rule | None = None
    dim: int = 0
    groups: int = 1
    reason: str = ""
    provisional: bool = False

    @property
    def is_current(self) -> bool:
        """Whether the model still holds this parameter where it was found."""
        if self.provisional:
            return False
        # A loop, not all(): this runs for every parameter at every step.
        for slot in self.slots:  # noqa: SIM110
            if slot.owner._parameters.get(slot.key) is not self.parameter:
                return False
        return True

    @property
    def action(self) -> Action | None:
        """What to do at this step; None where the metric is the identity, or there is none."""
        metric = None if self.rule is None else self.rule.metric
        if metric is None or (metric.is_multiple_of_l2 and metric.mean == 1):
            return None
        return Action(metric, self.dim, self.groups)


class Plan:
    """The entries of a model's parameters, by name and by identity."""

    def __init__(self, entries: Sequence[Entry], matched: Iterable[int]) -> None:
        self.entries = tuple(entries)
        # Each entry holds its parameter, so no other tensor can take over the id.
        self._by_id = {id(entry.parameter): entry for entry in entries}
        self.matched_rules = frozenset(matched)

    def entry(self, parameter: Tensor) -> Entry | None:
        """Return the entry of a parameter; None if the model has no such parameter."""
        return self._by_id.get(id(parameter))


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one slot reads its tensor."""

    rule: Rule | None
    axis: tuple[int, int] | None
    reason: str


def _read(slot: Slot, parameter: nn.Parameter, rules: Sequence[Rule]) -> _Reading:
    """Return the first rule that selects the slot, with its axis, or why none does."""
    known = output_axis(slot.layer, slot.role)
    rule = next((rule for rule in rules if rule.selects(slot, parameter)), None)
    kind = type(slot.layer).__name__
    if rule is None:
        axis = None if known is None else (known.dim, known.groups)
        return _Reading(None, axis, slot.note or f"no rule selects the {slot.key} of a {kind}")
    shape = tuple(parameter.shape)
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
    return _Reading(rule, (dim, groups), "")


def _entry(slots: Sequence[Slot], parameter: nn.Parameter, rules: Sequence[Rule]) -> Entry:
    """Return the entry of one parameter, which may stand in several places of the model."""
    first = slots[0]
    places = tuple(slots)
    if first.is_lazy:
        reason = "not initialized yet: read again after the first forward pass"
        return Entry(first.name, parameter, places, reason=reason, provisional=True)
    readings = [_read(slot, parameter, rules) for slot in slots]
    acting = next((reading for reading in readings if reading.rule is not None), None)
    if acting is None:
        return Entry(first.name, parameter, places, reason=readings[0].reason)
    assert acting.axis is not None
    assert acting.rule is not None
    dim, groups = acting.axis
    if acting.rule.dim is None:
        for slot, reading in zip(slots, readings, strict=True):
            if reading.axis not in {None, acting.axis}:
                reason = (
                    f"tied to {slot.name}, which reads its output channels along another axis; "
                    "a Rule with dim= decides"
                )
                return Entry(first.name, parameter, places, reason=reason)
    # Whatever the weight of the mean: a lone channel has no neighbour to be smoothed with.
    if parameter.shape[dim] == groups:
        reason = "one output channel per group: nothing to smooth"
        return Entry(first.name, parameter, places, reason=reason)
    return Entry(first.name, parameter, places, acting.rule, dim, groups)


def make_plan(model: nn.Module, rules: Sequence[Rule]) -> Plan:
    """Read the model and decide about every one of its parameters; tied ones count once.

    Raises
    ------
    ValueError
        If a selected tensor has not the axes that its layer, or its rule, speaks of.
    """
    places: dict[int, list[Slot]] = {}
    matched: set[int] = set()
    for slot in parameter_slots(model):
        places.setdefault(id(slot.parameter), []).append(slot)
    entries = []
    for slots in places.values():
        parameter = slots[0].parameter
        assert parameter is not None
        entries.append(_entry(slots, parameter, rules))
        if not slots[0].is_lazy:
            matched |= {
                index
                for index, rule in enumerate(rules)
                if any(rule.selects(slot, parameter) for slot in slots)
            }
    return Plan(entries, matched)
