"""Whether an attached metric acts on anything that its optimizer holds."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdg_torch.attachment.selection import parameters_of
from cdg_torch.notices import say

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_torch.attachment.held import Entry
    from cdg_torch.attachment.selection import Selection

# Every optimizer that has a metric attached, by its id.
ATTACHED: weakref.WeakValueDictionary[int, Optimizer] = weakref.WeakValueDictionary()


def _some(entries: Sequence[Entry]) -> str:
    more = f" and {len(entries) - 2} more" if len(entries) > 3 else ""
    shown = entries if not more else entries[:2]
    return ", ".join(entry.name for entry in shown) + more


def check_acts(optimizer: Optimizer, selection: Selection) -> bool:
    """Say so if the metric acts on no tensor of the optimizer; return whether that can be told yet.

    An error says where the tensors are that it selects. It is a warning where this may be meant:
    they are frozen, or another optimizer that has a metric holds them, or this one holds one single
    parameter.
    """
    entries = selection.read()
    if any(entry.provisional for entry in entries.values()):
        return False  # lazy layers are read after their first forward pass
    selected = {
        key: entry
        for key, entry in entries.items()
        if entry.rule is not None and selection.rules[entry.rule].metric is not None
    }
    held = parameters_of(optimizer)
    others = [other for other in ATTACHED.values() if other is not optimizer]
    elsewhere = set().union(*map(parameters_of, others))
    places: dict[str, list[Entry]] = {"frozen": [], "in another optimizer that has a metric": []}
    places["in no optimizer that has a metric"] = lost = []
    for key, entry in selected.items():
        if not entry.parameter.requires_grad:
            places["frozen"].append(entry)
        elif key in held:
            return True
        elif key in elsewhere:
            places["in another optimizer that has a metric"].append(entry)
        else:
            lost.append(entry)
    if not selected:
        return True  # metric=None for all of them, until one is assigned
    kind = type(optimizer).__name__
    where = "; ".join(f"{_some(found)}: {place}" for place, found in places.items() if found)
    msg = (
        f"the metric acts on nothing in this {kind}: none of the tensors that the metric selects "
        f"is trained by it ({where})"
    )
    if lost and len(held) > 1:
        msg += (
            "; attach to the optimizer that holds them, or after the add_param_group() that brings "
            "them; rules= select other tensors"
        )
        raise ValueError(msg)
    say(f"{msg}; if that is meant, ignore cdg_torch.CDGWarning")
    return True
