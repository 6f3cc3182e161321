"""Arithmetic on lists of tensors, in place: one call of torch for a list, where it takes lists."""

from __future__ import annotations

import torch
from torch import Tensor

from cdg_torch.solve.plan import PLAIN

Tensors = list[Tensor] | tuple[Tensor, ...]


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


def multiply_(tensors: Tensors, factor: float | Tensor) -> None:
    """Multiply all by one number, which may lie on a device."""
    if isinstance(factor, Tensor):
        factor = factor.reshape(())  # a learning rate may be a tensor of shape (1,)
    if are_plain(tensors):
        torch._foreach_mul_(tensors, factor)
        return
    for tensor in tensors:
        tensor.mul_(factor)
