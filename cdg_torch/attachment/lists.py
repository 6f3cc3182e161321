"""k = M⁻¹g for a list of gradients of every kind: the one place that calls the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from cdg_torch.checks import check_tensor
from cdg_torch.lists import write_riemannian_gradients
from cdg_torch.transform import riemannian_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_torch.attachment.plan import Action

__all__ = ["transform_list"]


def _real(tensor: Tensor) -> Tensor:
    # M is real: it acts on real and imaginary parts alike, and the new axis comes last.
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _is_dtensor(tensor: Tensor) -> bool:
    # By name: torch.distributed.tensor is slow to import, and not everybody shards.
    return any(kind.__name__ == "DTensor" for kind in type(tensor).__mro__)


def transform_list(
    tensors: Sequence[Tensor], actions: Sequence[Action], names: Sequence[str], *, inplace: bool
) -> list[Tensor]:
    """Return the gradient in the metric of every tensor, in its own layout.

    Parameters
    ----------
    tensors
        Euclidean gradients: dense, real or complex.
    actions
        Metric, axis and groups of each.
    names
        What to call each tensor in an error.
    inplace
        Overwrite the tensors and return them.

    Raises
    ------
    TypeError
        If a tensor is sparse, or of a dtype that is not served; nothing is written then.
    """
    if any(map(_is_dtensor, tensors)):
        msg = f"{names[0]} is a DTensor; sharded gradients are not served yet: gather them first"
        raise TypeError(msg)
    for tensor, name in zip(tensors, names, strict=True):
        check_tensor(_real(tensor) if tensor.layout is torch.strided else tensor, name)
    # Gradients with a history are those of a differentiable optimizer: keep the history.
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        results = []
        for tensor, (metric, dim, groups) in zip(tensors, actions, strict=True):
            k = riemannian_gradient(_real(tensor), metric, dim=dim, groups=groups)
            results.append(torch.view_as_complex(k) if tensor.is_complex() else k)
        if not inplace:
            return results
        return [tensor.copy_(k) for tensor, k in zip(tensors, results, strict=True)]
    outs = list(tensors) if inplace else [torch.empty_like(tensor) for tensor in tensors]
    write_riemannian_gradients(
        [_real(out) for out in outs],
        [_real(tensor) for tensor in tensors],
        [action.metric for action in actions],
        [action.dim for action in actions],
        [action.groups for action in actions],
    )
    return outs
