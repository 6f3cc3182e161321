"""A list of gradients, each handed to the implementation that serves it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import torch

from cdg_torch.solve.backends import Backend, choose
from cdg_torch.solve.columns import is_injective
from cdg_torch.solve.jobs import Tasks
from cdg_torch.solve.reference import solve_gram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from cdg_theory import Metric

_KERNELS = {"cpu": "cdg_torch.solve.cpu.run_cpu", "gpu": "cdg_torch.solve.gpu.run_gpu"}


def along_rows(tensor: Tensor, dim: int, groups: int) -> Tensor:
    """Return a float64 copy with the rows of every group in front: (n, ..., groups, ...)."""
    blocks = (*tensor.shape[:dim], groups, -1, *tensor.shape[dim + 1 :])
    return tensor.reshape(blocks).movedim(dim + 1, 0).to(torch.float64)


def _write_reference(out: Tensor, grad: Tensor, metric: Metric, dim: int, groups: int) -> None:
    result = solve_gram(along_rows(grad, dim, groups), metric)
    out.copy_(result.movedim(0, dim + 1).flatten(dim, dim + 1))


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Who serves which gradients of a list: it depends on all but their addresses and numbers.

    ================  =====================================================================
    field             meaning
    ================  =====================================================================
    ``moved``         gradients to be copied first, since the buffer's strides are not theirs
    ``by_reference``  index, metric, axis and groups of what the reference serves
    ``by_kernels``    for each dtype and device: the backend, the dtype, indices, tasks
    ================  =====================================================================
    """

    moved: tuple[int, ...]
    by_reference: tuple[tuple[int, Metric, int, int], ...]
    by_kernels: tuple[tuple[Backend, torch.dtype, tuple[int, ...], Tasks], ...]

    def write(self, outs: Sequence[Tensor], grads: Sequence[Tensor]) -> None:
        """Write M⁻¹g of every gradient, for a list like the one that this was made for."""
        sources = grads
        if self.moved:
            sources = list(grads)
            for i in self.moved:
                sources[i] = outs[i].copy_(grads[i])
        for i, metric, dim, groups in self.by_reference:
            _write_reference(outs[i], grads[i], metric, dim, groups)
        for backend, dtype, members, tasks in self.by_kernels:
            # Here, because Numba and Triton are slow to import.
            kernels = import_module(_KERNELS[backend])
            into = [outs[i] for i in members]
            of = into if sources is outs else [sources[i] for i in members]
            kernels.run(into, of, tasks, dtype)


def batches_of(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    metrics: Sequence[Metric],
    dims: Sequence[int],
    groups: Sequence[int],
) -> Batches:
    """Decide who serves which gradients: arguments checked, ``dims`` not negative.

    ``outs[i]`` is the same memory as ``grads[i]`` or none of it.
    """
    batches: defaultdict[tuple[Backend, torch.device, torch.dtype], list[int]] = defaultdict(list)
    moved, by_reference = [], []
    for i, (out, grad) in enumerate(zip(outs, grads, strict=True)):
        if grad.numel() == 0:
            continue
        chosen = choose(grad)
        shape, strides = out.shape, out.stride()
        if chosen == "reference" or not is_injective(shape, strides):
            # For memory that overlaps itself, copy_ knows what to refuse.
            by_reference.append((i, metrics[i], dims[i], groups[i]))
            continue
        if out is not grad and grad.stride() != strides:
            moved.append(i)
        batches[chosen, grad.device, grad.dtype].append(i)
    by_kernels = []
    for (chosen, _, dtype), members in batches.items():
        tasks = Tasks(
            (outs[i].shape, outs[i].stride(), metrics[i], dims[i], groups[i]) for i in members
        )
        by_kernels.append((chosen, dtype, tuple(members), tasks))
    return Batches(tuple(moved), tuple(by_reference), tuple(by_kernels))


def write_all(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    metrics: Sequence[Metric],
    dims: Sequence[int],
    groups: Sequence[int],
) -> None:
    """Write M⁻¹g of every gradient, as :func:`batches_of` decides."""
    batches_of(outs, grads, metrics, dims, groups).write(outs, grads)
