"""k = M⁻¹g for a list of gradients of every kind: the one place that calls the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from cdg_torch.checks import check_tensor, is_dtensor
from cdg_torch.gradient import write_gradients
from cdg_torch.solve import Job

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_torch.attachment.buffers import Buffers
    from cdg_torch.attachment.selection import Action


def _real(tensor: Tensor) -> Tensor:
    # M is real: it acts on real and imaginary parts alike, and the new axis comes last.
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def transform_list(
    tensors: Sequence[Tensor],
    actions: Sequence[Action],
    names: Sequence[str],
    buffers: Buffers | None = None,
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
    buffers
        Where the results get their memory; None: the tensors are overwritten and returned.

    Raises
    ------
    TypeError
        If a tensor is sparse, or of a dtype that is not served; nothing is written then.
    ValueError
        If a DTensor is placed in a way that is not served; nothing is written then.
    """
    is_sharded = [is_dtensor(tensor) for tensor in tensors]
    if not any(is_sharded):
        return _transform_whole(tensors, actions, names, buffers)
    results = list(tensors)
    for transform, kind in ((_transform_sharded, True), (_transform_whole, False)):
        chosen = [i for i, sharded in enumerate(is_sharded) if sharded is kind]
        some = transform(
            [tensors[i] for i in chosen],
            [actions[i] for i in chosen],
            [names[i] for i in chosen],
            buffers,
        )
        for i, result in zip(chosen, some, strict=True):
            results[i] = result
    return results


def _transform_sharded(
    tensors: Sequence[Tensor],
    actions: Sequence[Action],
    names: Sequence[str],
    buffers: Buffers | None,
) -> list[Tensor]:
    """Do it for DTensors."""
    # Here, because torch.distributed.tensor is slow to import.
    from cdg_torch.sharded import write_sharded_gradients

    outs = list(tensors) if buffers is None else buffers.like(tensors)
    jobs = [Job(o, t, *a) for o, t, a in zip(outs, tensors, actions, strict=True)]
    write_sharded_gradients(jobs, names)
    return outs


def _transform_whole(
    tensors: Sequence[Tensor],
    actions: Sequence[Action],
    names: Sequence[str],
    buffers: Buffers | None,
) -> list[Tensor]:
    """Do it for tensors that lie on this rank alone."""
    for tensor, name in zip(tensors, names, strict=True):
        check_tensor(_real(tensor) if tensor.layout is torch.strided else tensor, name)
    outs = list(tensors) if buffers is None else buffers.like(tensors)
    each = zip(outs, tensors, actions, strict=True)
    write_gradients([Job(_real(out), _real(tensor), *action) for out, tensor, action in each])
    return outs
