"""Arithmetic on lists of tensors, in place: one call of torch for a list, where it takes lists."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cdg_torch.solve.plan import PLAIN


def are_plain(*lists: Sequence[Tensor]) -> bool:
    """Whether all tensors are torch's own: a subclass may not know what to do with a list.

    Nor does torch with an empty one.
    """
    return all(tensors and {*map(type, tensors)} <= PLAIN for tensors in lists)


def subtract_(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> None:
    """Subtract other tensors, one from each."""
    if are_plain(tensors, others):
        torch._foreach_sub_(tensors, others)
        return
    for tensor, other in zip(tensors, others, strict=True):
        tensor.sub_(other)


def multiply_(tensors: Sequence[Tensor], factor: float | Tensor) -> None:
    """Multiply all by one number, which may lie on a device."""
    if are_plain(tensors):
        torch._foreach_mul_(tensors, factor)
        return
    for tensor in tensors:
        tensor.mul_(factor)


def scale_(tensors: Sequence[Tensor], factors: Sequence[Tensor]) -> None:
    """Multiply by numbers on the device, one for each tensor."""
    if are_plain(tensors, factors):
        torch._foreach_mul_(tensors, factors)
        return
    for tensor, factor in zip(tensors, factors, strict=True):
        tensor.mul_(factor)
