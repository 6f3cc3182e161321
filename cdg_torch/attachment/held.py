"""What an optimizer holds of a model: read once, and at every step asked whether it is still so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, repeat
from operator import attrgetter, is_, methodcaller
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from cdg_torch.layers import Slot

if TYPE_CHECKING:
    from cdg_theory import Metric

# In C, without a call of Python for each of a thousand modules.
_PARAMETERS, _MODULES, _VALUES = (
    attrgetter("_parameters"),
    attrgetter("_modules"),
    methodcaller("values"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A parameter with the rule that acts on it, or the reason why none does.

    ``rule`` is an index: the rule's metric is read at every step.
    """

    name: str
    parameter: nn.Parameter
    slots: tuple[Slot, ...]
    rule: int | None = None
    dim: int = 0
    groups: int = 1
    reason: str = ""
    provisional: bool = False

    def successors(self) -> list[Tensor]:
        """Return what stands in its places now, other than itself."""
        found = (slot.owner._parameters.get(slot.key) for slot in self.slots)
        return [p for p in found if p is not None and p is not self.parameter]


@dataclass(frozen=True, eq=False)
class Acting:
    """The tensors to act on, as one list for each property; one object while they stay the same.

    ===============  =========================================================
    ``parameters``   the tensors
    ``groups``       of each, the optimizer's group
    ``entries``      of each, what the model says
    ===============  =========================================================
    """

    parameters: tuple[Tensor, ...]
    groups: tuple[Mapping[str, Any], ...]
    entries: tuple[Entry, ...]

    def those(self, keep: Sequence[bool]) -> Acting:
        """Return some of them."""
        return Acting(
            tuple(compress(self.parameters, keep)),
            tuple(compress(self.groups, keep)),
            tuple(compress(self.entries, keep)),
        )


@dataclass(slots=True, eq=False)
class Held:
    """The parameters of a model that an optimizer trains, and everything this was read from.

    =============  ====================================================================
    ``groups``     the optimizer's groups
    ``all``        their parameters, one after the other
    ``places``     where the model had them: module, key, parameter
    ``modules``    all modules, if some are outside: they might come into the model
    ``inside``     and what was in the places of these, empty ones too
    ``ruled``      those that a rule selects
    ``acting``     those of them whose rule has a metric, by which rules have one
    ``present``    those of them that have a gradient, and which they are
    =============  ====================================================================
    """

    groups: list[Any]
    all: list[Tensor]
    places: list[tuple[nn.Module, str, nn.Parameter]]
    modules: list[nn.Module]
    inside: list[object]
    ruled: Acting
    acting: tuple[list[bool], Acting] | None = None
    present: tuple[Acting, list[bool], Acting] | None = None

    def is_current(self, groups: Sequence[Any], parameters: Sequence[Tensor]) -> bool:
        """Whether optimizer and model are as they were. It is asked at every step: loops."""
        if not (_same(groups, self.groups) and _same(parameters, self.all)):
            return False
        try:
            for module, key, parameter in self.places:
                if module._parameters[key] is not parameter:
                    return False
        except KeyError:
            return False
        return not self.modules or _same(inside(self.modules), self.inside)

    def having(self, metrics: Sequence[Metric | None]) -> Acting:
        """Return the tensors whose rule has a metric."""
        keep = [metric is not None for metric in metrics]
        if self.acting is None or self.acting[0] != keep:
            ruled = [keep[entry.rule or 0] for entry in self.ruled.entries]
            self.acting = keep, self.ruled if all(ruled) else self.ruled.those(ruled)
        return self.acting[1]

    def with_gradient(self, acting: Acting) -> tuple[Acting, list[Any]]:
        """Return those that have a gradient, and their gradients."""
        grads = [p.grad for p in acting.parameters]
        if not any(map(is_, grads, repeat(None))):
            return acting, grads
        keep = [grad is not None for grad in grads]
        if self.present is None or self.present[0] is not acting or self.present[1] != keep:
            self.present = acting, keep, acting.those(keep)
        return self.present[2], [*compress(grads, keep)]


def _same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))


def inside(modules: Sequence[nn.Module]) -> list[object]:
    """Return the parameters and the modules of which each module is made, and None for a place."""
    tables = chain(map(_PARAMETERS, modules), map(_MODULES, modules))
    return [*chain.from_iterable(map(_VALUES, tables))]
