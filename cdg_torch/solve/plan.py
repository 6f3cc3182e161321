"""A list of gradients as one plan: which implementation serves which tensor, and with what numbers.

From step to step only addresses and numbers change. All else is the list's *signature*; a plan is
made for a signature once and kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.checks import described
from cdg_torch.checks import (
    check_arguments,
    check_axis,
    check_dtype,
    check_memory,
    check_tensor,
)
from cdg_torch.devices import has_float64
from cdg_torch.likeness import Likeness
from cdg_torch.solve.backends import Backend, choose, forced
from cdg_torch.solve.blocked import write_blocked
from cdg_torch.solve.columns import Part, check_no_overlap, is_injective
from cdg_torch.solve.reference import from_rows, solve_gram, to_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Job(NamedTuple):
    r"""One tensor's share of a list: write :math:`k = M^{-1}g` along an axis, block by block.

    ===========  ===========  ================================================================
    symbol       field        meaning
    ===========  ===========  ================================================================
    :math:`k`    ``out``      where the result goes: the same memory as ``grad``, or none of it
    :math:`g`    ``grad``     Euclidean gradient, of the shape, dtype and device of ``out``
    :math:`M`    ``metric``   a :class:`cdg_theory.Metric`
    (axis)       ``dim``      the output-channel axis
    (blocks)     ``groups``   contiguous blocks along it, each with a metric of its own
    ===========  ===========  ================================================================
    """

    out: Tensor
    grad: Tensor
    metric: Metric
    dim: int = 0
    groups: int = 1


def check_jobs(jobs: object) -> None:
    """Refuse what is not a list of jobs.

    Raises
    ------
    TypeError
        If it is no sequence, or one of them is not a :class:`Job`.
    """
    if not isinstance(jobs, Sequence):
        msg = f"jobs must be a list of cdg_torch.solve.Job, got {described(jobs)}"
        raise TypeError(msg)
    for i, job in enumerate(jobs):
        if type(job) is not Job:
            msg = (
                f"jobs[{i}] must be a cdg_torch.solve.Job, got {described(job)}; "
                "Job(out, grad, metric) makes one"
            )
            raise TypeError(msg)


class Memory(NamedTuple):
    """What a plan needs to know of one gradient and its buffer, without their addresses."""

    dtype: torch.dtype
    device: torch.device
    shape: torch.Size
    strides: tuple[int, ...]
    out_strides: tuple[int, ...]


class Signature(NamedTuple):
    """All that a plan depends on. It is taken at every step, so it must be quick.

    ``memories`` are plain tuples with the fields of :class:`Memory`; ``metrics`` is one metric if
    all jobs have the same: its hash is not quick enough to take for every gradient.
    """

    memories: tuple[tuple[Any, ...], ...]
    metrics: Metric | tuple[Metric, ...]
    dims: tuple[int, ...]
    groups: tuple[int, ...]
    backend: Backend | None
    threads: int


PLAIN = {Tensor, torch.nn.Parameter}
# Index in the list, metric, axis and groups.
Served = tuple[tuple[int, Metric, int, int], ...]
# One field of every job.
Columns = tuple[Any, ...]


def _is_plain(
    outs: Columns, grads: Columns, metrics: Columns, dims: Columns, groups: Columns
) -> bool:
    """Whether a signature tells all of these jobs that checks and plans depend on."""
    tensors = grads if all(map(is_, outs, grads)) else outs + grads
    # True equals 1, so that a plan kept for 1 would let it pass.
    return (
        {*map(type, dims), *map(type, groups)} == {int}
        and {*map(type, metrics)} == {Metric}
        and {*map(type, tensors)} <= PLAIN
        and not any(t.is_neg() or t.is_nested or t.layout is not torch.strided for t in tensors)
    )


def _check_buffer(out: Any, grad: Tensor, name: str) -> None:
    if out is not grad:
        buffer = f"the buffer for {name}"
        check_tensor(out, buffer)
        found, wanted = (f"{tuple(t.shape)}, {t.dtype}, {t.device}" for t in (out, grad))
        if found != wanted:
            msg = f"{buffer} must be like it, {wanted}; got {found}; torch.empty_like makes one"
            raise ValueError(msg)
    check_no_overlap(out.shape, out.stride(), name)


def _signature(
    outs: Columns, grads: Columns, metrics: Columns, dims: Columns, groups: Columns
) -> Signature:
    memories = []
    for i, (out, grad) in enumerate(zip(outs, grads, strict=True)):
        dtype, device, shape, strides = grad.dtype, grad.device, grad.shape, grad.stride()
        if out is grad:
            into = strides
        else:
            if out.dtype != dtype or out.shape != shape or out.device != device:
                _check_buffer(out, grad, f"tensors[{i}]")
            into = out.stride()
        memories.append((dtype, device, shape, strides, into))
    first = metrics[0]
    some = first if all(metric is first for metric in metrics) else metrics
    return Signature(tuple(memories), some, dims, groups, forced(), torch.get_num_threads())


# Where the kernels of a backend are, and what plans a list for them.
_KERNELS = {
    "cpu": ("cdg_torch.solve.cpu.run_cpu", "tile_plan"),
    "gpu": ("cdg_torch.solve.gpu.run_gpu", "launch_plan"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Who serves which gradients of a list.

    ================  =====================================================================
    field             meaning
    ================  =====================================================================
    ``moved``         gradients to be copied first, since the buffer's strides are not theirs
    ``by_reference``  index, metric, axis and groups of what the reference serves
    ``by_torch``      the same of what plain PyTorch in blocks serves
    ``elsewhere``     the same of what lies where float64 does not exist: solved in main memory
    ``by_kernels``    for each dtype and device: the kernels' own plan, and what it serves
    ================  =====================================================================
    """

    moved: tuple[int, ...]
    by_reference: Served
    by_torch: Served
    elsewhere: Served
    by_kernels: tuple[tuple[Any, NDArray[np.int64]], ...]

    def run(
        self,
        outs: Sequence[Tensor],
        grads: Sequence[Tensor],
        sources: NDArray[np.int64] | None = None,
        places: NDArray[np.int64] | None = None,
    ) -> None:
        """Write M⁻¹g of every gradient, for a list with the signature that this was made for.

        ``sources`` and ``places`` are where gradients and results lie, if they are buffers that
        nobody else has: then no write to the results need be counted.

        Raises
        ------
        WithoutMemoryError
            If kernels would have to read or write a tensor that has no memory; nothing is written.
        """
        if sources is None:
            sources = self._addresses(grads)
        in_place = outs is grads or all(map(is_, outs, grads))
        shared = places is None
        if places is None:
            places = sources if in_place else self._addresses(outs)
        for i in self.moved:
            outs[i].copy_(grads[i])
        if self.moved:
            moved = [*self.moved]
            sources = sources.copy()
            sources[moved] = places[moved]
        for i, metric, dim, groups in self.by_reference:
            k = solve_gram(to_rows(grads[i], dim, groups), metric)
            outs[i].copy_(from_rows(k, dim))
        for i, metric, dim, groups in self.by_torch:
            write_blocked(outs[i], grads[i], metric, dim, groups)
        for i, metric, dim, groups in self.elsewhere:
            k = grads[i].to("cpu", copy=True)
            solve([Job(k, k, metric, dim, groups)])
            outs[i].copy_(k)
        for kernels, members in self.by_kernels:
            of = sources[members]
            kernels.run(of if in_place else places[members], of)
        if shared:
            _count_writes(outs)

    def revalued(self, follows: Mapping[Metric, Metric]) -> Plan | None:
        """Return the plan for the same tensors, each metric replaced; None if all is to be redone.

        Tensors of equal metrics must have equal ones now.
        """
        kernels = []
        for own, members in self.by_kernels:
            other = own.revalued(follows)
            if other is None:
                return None
            kernels.append((other, members))

        def with_theirs(served: Served) -> Served:
            return tuple((i, follows[metric], dim, groups) for i, metric, dim, groups in served)

        return Plan(
            self.moved,
            with_theirs(self.by_reference),
            with_theirs(self.by_torch),
            with_theirs(self.elsewhere),
            tuple(kernels),
        )

    def _addresses(self, tensors: Sequence[Tensor]) -> NDArray[np.int64]:
        try:
            addresses = addresses_of(tensors)
        except RuntimeError:  # it only stands for others
            for i, tensor in enumerate(tensors):
                check_memory(tensor, f"tensors[{i}]")
            raise
        if np.count_nonzero(addresses) < len(addresses):
            for _, members in self.by_kernels:
                for i in members[addresses[members] == 0]:
                    check_memory(tensors[i], f"tensors[{i}]")
        return addresses


def addresses_of(tensors: Sequence[Tensor]) -> NDArray[np.int64]:
    """Return where the numbers of each tensor begin."""
    return np.fromiter(map(Tensor.data_ptr, tensors), np.int64, len(tensors))


def _count_writes(tensors: Sequence[Tensor]) -> None:
    """Tell autograd that the tensors have been written to."""
    try:
        torch.autograd.graph.increment_version(tensors)
    except RuntimeError:  # those of inference mode count nothing
        torch.autograd.graph.increment_version([t for t in tensors if not t.is_inference()])


def make_plan(signature: Signature) -> Plan:
    """Check all arguments and decide who serves what.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.riemannian_gradient`.
    ValueError
        As :func:`cdg_torch.riemannian_gradient`.
    """
    memories = [Memory(*memory) for memory in signature.memories]
    metrics = signature.metrics
    each = (metrics,) * len(memories) if isinstance(metrics, Metric) else metrics
    parts = []
    for i, (memory, metric, dim, groups) in enumerate(
        zip(memories, each, signature.dims, signature.groups, strict=True)
    ):
        check_dtype(memory.dtype, f"tensors[{i}]")
        axis = check_axis(memory.shape, dim, groups, f"tensors[{i}]")
        check_no_overlap(memory.shape, memory.out_strides, f"tensors[{i}]")
        parts.append(Part(memory.shape, memory.out_strides, metric, axis, groups))

    moved: list[int] = []
    by_reference: list[tuple[int, Metric, int, int]] = []
    by_torch: list[tuple[int, Metric, int, int]] = []
    elsewhere: list[tuple[int, Metric, int, int]] = []
    batches: defaultdict[tuple[Backend, torch.dtype, torch.device], list[int]] = defaultdict(list)
    for i, memory in enumerate(memories):
        if 0 in memory.shape:
            continue
        chosen = choose(memory)
        plain = chosen in {"reference", "torch"}
        if plain or not is_injective(memory.shape, memory.out_strides):
            served = by_reference if chosen == "reference" else by_torch
            if not has_float64(memory.device):
                served = elsewhere
            served.append((i, *parts[i][2:]))
            continue
        if memory.strides != memory.out_strides:
            moved.append(i)
        batches[chosen, memory.dtype, memory.device].append(i)
    by_kernels = []
    for (chosen, dtype, device), members in batches.items():
        # Here, because Numba and Triton are slow to import.
        module, planner = _KERNELS[chosen]
        plan = getattr(import_module(module), planner)
        own = plan([parts[i] for i in members], dtype, device, signature.threads)
        by_kernels.append((own, np.array(members)))
    return Plan(
        tuple(moved),
        tuple(by_reference),
        tuple(by_torch),
        tuple(elsewhere),
        tuple(by_kernels),
    )


# The latest of them: a metric schedule brings a new signature at every step, and the plan of 160
# gradients takes a tenth of a megabyte.
kept_plan = lru_cache(maxsize=64)(make_plan)


def solve(jobs: Sequence[Job]) -> None:
    """Write M⁻¹g of every job. Arguments are checked before anything is written.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.riemannian_gradient`, or if a tensor only stands for others: then a
        :class:`cdg_torch.checks.WithoutMemoryError`.
    ValueError
        As :func:`cdg_torch.riemannian_gradient`.
    """
    if not jobs:
        return
    outs, *rest = zip(*jobs, strict=True)
    plain = _is_plain(outs, *rest)
    if not plain:
        for i, job in enumerate(jobs):
            check_arguments(*job[1:], f"tensors[{i}]")
            _check_buffer(*job[:2], f"tensors[{i}]")
        for i, (out, grad, *_) in enumerate(jobs):
            check_memory(grad, f"tensors[{i}]")
            check_memory(out, f"tensors[{i}]")
    plan = (kept_plan if plain else make_plan)(_signature(outs, *rest))
    with torch.no_grad():
        plan.run(outs, rest[0])


class Planned:
    """A list of jobs that has been solved once. A later list is only compared with it.

    =========  ============================================================================
    ``grads``  what the gradients were like
    ``plan``   the plan
    ``under``  the backend that was asked for then, and the number of threads
    =========  ============================================================================
    """

    def __init__(self, grads: Likeness, plan: Plan, under: tuple[Backend | None, int]) -> None:
        self.grads = grads
        self.plan = plan
        self.under = under

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Planned | None:
        """Keep the plan of a list that :func:`solve` has just served, if it can be kept."""
        outs, grads, metrics, dims, groups = zip(*jobs, strict=True)
        if not _is_plain(outs, grads, metrics, dims, groups):
            return None
        signature = _signature(outs, grads, metrics, dims, groups)
        under = signature.backend, signature.threads
        return cls(Likeness(grads), kept_plan(signature), under)

    def serves(self, grads: Sequence[Tensor], *, alike: bool = False) -> bool:
        """Whether these gradients, known to be ``alike`` or not, are what this plan is for."""
        return (alike or self.grads.holds(grads)) and self.under == (
            forced(),
            torch.get_num_threads(),
        )

    def revalued(self, follows: Mapping[Metric, Metric]) -> Planned | None:
        """Return the same, each metric replaced; None if the plan has to be made anew."""
        plan = self.plan.revalued(follows)
        return None if plan is None else Planned(self.grads, plan, self.under)
