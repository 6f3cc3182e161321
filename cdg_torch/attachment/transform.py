"""M⁻¹ of a list of tensors: dense, complex or sharded, with their history or without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cdg_torch.attachment.buffers import Buffers
from cdg_torch.attachment.held import Acting, Entry
from cdg_torch.attachment.lists import Tensors
from cdg_torch.checks import check_tensor, is_dtensor
from cdg_torch.gradient import riemannian_gradient, write_gradients
from cdg_torch.solve import Job

if TYPE_CHECKING:
    from cdg_theory import Metric


def in_metric(
    acting: Acting,
    metrics: Sequence[Metric],
    tensors: Sequence[Tensor],
    noun: str,
    buffers: Buffers | None,
) -> tuple[Tensors, list[Job]]:
    """Return M⁻¹t of every tensor t: dense, complex or sharded, each in its own layout.

    ``buffers`` gives the memory; without, the tensors are overwritten. Where autograd records, it
    sees the transform, and refuses sharded tensors with a history. Beside the results: the jobs
    that were done for all tensors but these.
    """
    tensors = list(map(in_memory, tensors))
    each = [*zip(tensors, metrics, acting.entries, strict=True)]
    recorded = torch.is_grad_enabled()
    if recorded:
        outs: Tensors = [
            torch.empty_like(t) if is_dtensor(t) else _in_graph(t, m, e) for t, m, e in each
        ]
    else:
        outs = tensors if buffers is None else buffers.like(tensors)
    whole: list[Job] = []
    sharded: list[Job] = []
    names = []
    for out, (t, metric, entry) in zip(outs, each, strict=True):
        if is_dtensor(t):
            sharded.append(Job(out, t, metric, entry.dim, entry.groups))
            names.append(f"the {noun} of {entry.name}")
        elif not recorded:
            whole.append(Job(_real(out), _real(t), metric, entry.dim, entry.groups))
    if sharded:
        # Here, because torch.distributed.tensor is slow to import.
        from cdg_torch.sharded import write_sharded_gradients

        write_sharded_gradients(sharded, names)
    write_gradients(whole)
    return outs, [] if sharded else whole


def _in_graph(tensor: Tensor, metric: Metric, entry: Entry) -> Tensor:
    out = riemannian_gradient(_real(tensor), metric, dim=entry.dim, groups=entry.groups)
    return torch.view_as_complex(out) if tensor.is_complex() else out


def check_served(tensor: Tensor, name: str) -> None:
    """Refuse what is sparse or of a dtype that is not served; a sharded one is checked later."""
    if not is_dtensor(tensor):
        check_tensor(_real(tensor), name)


def in_memory(tensor: Tensor) -> Tensor:
    """Return the tensor with the conjugation or negation done that torch has put off."""
    late = tensor.is_conj() or tensor.is_neg()
    return tensor.resolve_conj().resolve_neg() if late else tensor


def _real(tensor: Tensor) -> Tensor:
    # M is real: it acts on real and imaginary parts alike, and the new axis comes last.
    tensor = in_memory(tensor)
    dense = tensor.is_complex() and tensor.layout is torch.strided and not is_dtensor(tensor)
    return torch.view_as_real(tensor) if dense else tensor
