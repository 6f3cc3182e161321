"""Arithmetic on lists of tensors, in place: one call of torch for a list, where it takes lists."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cdg_torch.solve.plan import PLAIN

Tensors = list[Tensor] | tuple[Tensor, ...]
Places = list[list[int]]
# Those of each group as the rows of one tensor, where they lie at equal distances in memory.
Rows = Sequence[Tensor | None]


def are_plain(*lists: Tensors) -> bool:
    """Whether all tensors are torch's own: a subclass may not know what to do with a list.

    Nor does torch with an empty one.
    """
    return all(tensors and {*map(type, tensors)} <= PLAIN for tensors in lists)


def subtract_(tensors: Tensors, others: Tensors) -> None:
    """Subtract other tensors, one from each."""
    if are_plain(tensors, others):
        torch._foreach_sub_(tensors, others)
        return
    for tensor, other in zip(tensors, others, strict=True):
        tensor.sub_(other)


def gather(tensors: Tensors, group: Sequence[int], rows: Tensor | None) -> bool:
    """Copy those of a group into rows, by one call, and return whether this could be done."""
    first = tensors[group[0]]
    if rows is None or not first.is_contiguous():
        return False
    torch.stack([tensors[i] for i in group], out=rows.view(len(group), *first.shape))
    return True


def copy_alike(tensors: Tensors, places: Places, into: Tensors, rows: Rows) -> None:
    """Copy tensors, those of a group at once where they are to be the rows of one."""
    each = zip(places, rows, strict=True)
    rest = [i for group, one in each if not gather(tensors, group, one) for i in group]
    if rest:
        torch._foreach_copy_([into[i] for i in rest], [tensors[i] for i in rest])


def subtract_alike(
    tensors: Tensors, others: Tensors, places: Places, rows: Rows, room: Rows
) -> None:
    """Subtract other tensors, one from each, those of a group at once where they are rows of one.

    ``room`` is for the rows of the others.
    """
    rest = []
    for group, one, other in zip(places, rows, room, strict=True):
        if one is None or other is None or not gather(others, group, other):
            rest += group
        else:
            one.sub_(other)
    if rest:
        subtract_([tensors[i] for i in rest], [others[i] for i in rest])


def multiply_(tensors: Tensors, factor: float | Tensor) -> None:
    """Multiply all by one number, which may lie on a device."""
    if isinstance(factor, Tensor):
        factor = factor.reshape(())  # a learning rate may be a tensor of shape (1,)
    if are_plain(tensors):
        torch._foreach_mul_(tensors, factor)
        return
    for tensor in tensors:
        tensor.mul_(factor)
