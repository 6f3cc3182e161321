"""A list of gradients, each handed to the implementation that serves it."""

from __future__ import annotations

from collections import defaultdict
from importlib import import_module
from typing import TYPE_CHECKING

import torch

from cdg_torch.backends import Backend, choose
from cdg_torch.kernels.layout import is_injective
from cdg_torch.reference import solve_gram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from cdg_theory import Metric

__all__ = ["along_rows", "write_all"]

_KERNELS = {"cpu": "cdg_torch.kernels.run_cpu", "gpu": "cdg_torch.kernels.run_gpu"}


def along_rows(tensor: Tensor, dim: int, groups: int) -> Tensor:
    """Return a float64 copy with the rows of every group in front: (n, ..., groups, ...)."""
    blocks = (*tensor.shape[:dim], groups, -1, *tensor.shape[dim + 1 :])
    return tensor.reshape(blocks).movedim(dim + 1, 0).to(torch.float64)


def _write_reference(out: Tensor, grad: Tensor, metric: Metric, dim: int, groups: int) -> None:
    result = solve_gram(along_rows(grad, dim, groups), metric)
    out.copy_(result.movedim(0, dim + 1).flatten(dim, dim + 1))


def write_all(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    metrics: Sequence[Metric],
    dims: Sequence[int],
    groups: Sequence[int],
) -> None:
    """Write M⁻¹g of every gradient: arguments checked, ``dims`` not negative.

    ``outs[i]`` is the same memory as ``grads[i]`` or none of it.
    """
    batches: defaultdict[tuple[Backend, torch.device, torch.dtype], list[int]] = defaultdict(list)
    sources, by_reference = list(grads), []
    for i, (out, grad) in enumerate(zip(outs, grads, strict=True)):
        if grad.numel() == 0:
            continue
        chosen = choose(grad)
        shape, strides = out.shape, out.stride()
        if chosen == "reference" or not is_injective(shape, strides):
            # For memory that overlaps itself, copy_ knows what to refuse.
            by_reference.append(i)
            continue
        if out is not grad and grad.stride() != strides:
            sources[i] = out.copy_(grad)
        batches[chosen, grad.device, grad.dtype].append(i)
    for i in by_reference:
        _write_reference(outs[i], grads[i], metrics[i], dims[i], groups[i])
    for (chosen, _, dtype), members in batches.items():
        tasks = tuple(
            (outs[i].shape, outs[i].stride(), metrics[i], dims[i], groups[i]) for i in members
        )
        # Here, because Numba and Triton are slow to import.
        kernels = import_module(_KERNELS[chosen])
        kernels.run([outs[i] for i in members], [sources[i] for i in members], tasks, dtype)
