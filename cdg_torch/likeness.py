"""Whether the tensors of a step have the layouts and places of those of the step before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

try:
    from torch._C._dynamo.guards import TensorGuards
except ImportError:  # no promise of torch's: without it the same is asked in Python
    TensorGuards = None  # type: ignore[assignment, misc]


def _described(tensor: Tensor) -> tuple[Any, ...]:
    """Return all that a likeness is of."""
    return (
        type(tensor), tensor.dtype, tensor.device, tensor.layout, tensor.shape, tensor.stride(),
        tensor.requires_grad, tensor.is_neg(), tensor.is_conj(), tensor.is_inference(),
    )  # fmt: skip


class Likeness:
    """What tensors were like: class, dtype, device, layout, shape, strides, whether they need grad.

    And what their numbers stand for: a pending negation or conjugation is another likeness. It
    keeps no tensor alive. This is the check with which compiled functions tell whether they may
    run once more, and takes a twentieth of what the same questions take in Python.

    Examples
    --------
    >>> import torch
    >>> likeness = Likeness([torch.zeros(2, 3)])
    >>> likeness.holds([torch.ones(2, 3)]), likeness.holds([torch.ones(3, 2).t()])
    (True, False)
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.count = len(tensors)
        if TensorGuards is None:
            self._described = [*map(_described, tensors)]
            return
        # Otherwise it would take shapes and strides for what may change.
        shapes: Any = [[*tensor.shape] for tensor in tensors]
        strides: Any = [[*tensor.stride()] for tensor in tensors]
        self._guards = TensorGuards(
            *tensors, dynamic_dims_sizes=shapes, dynamic_dims_strides=strides
        )

    def holds(self, tensors: Sequence[Tensor]) -> bool:
        """Return whether these, no two of them the same, are what the others were like."""
        if len(tensors) != self.count:
            return False
        if TensorGuards is None:
            return [*map(_described, tensors)] == self._described
        return bool(self._guards.check(*tensors))
