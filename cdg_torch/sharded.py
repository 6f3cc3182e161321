r"""k = M⁻¹g for DTensors: one small collective for all tensors together, never a gathered gradient.

A tensor that is sharded along its output channels leaves every rank with a block of rows of each
column. Every rank

1. takes the mean off each of its blocks and forms two dot products per column with the rest;
2. gathers these numbers from all ranks: three per column and block in float64 for a metric with a
   derivative term, one (the mean) without, none for a multiple of L². *One* ``all_gather``, with
   the numbers of all tensors packed into one buffer;
3. computes from them what flows into its block at either end, and the level of its rows;
4. solves for its rows alone, with the kernels that whole tensors go through.

The coefficients of 1 and 3 are :class:`cdg_theory.discrete.fluxes.FluxMap`; theorem 11 is about
them. With channel groups, a group that lies on one rank needs nobody; a rank shares at most two
with others.

This module imports ``torch.distributed.tensor`` and is imported only where a DTensor is met.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from cdg_theory import Metric
from cdg_theory.discrete.fluxes import flux_map
from cdg_theory.discrete.sharded import shard_plan
from cdg_theory.metric import check_metric
from cdg_torch.checks import check_arguments
from cdg_torch.gradient import write_gradients
from cdg_torch.placements import cutting_dimension, row_layout
from cdg_torch.solve import Job

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

    from cdg_torch.placements import RowLayout


@dataclass(frozen=True, slots=True, eq=False)
class _Coefficients:
    """A :class:`~cdg_theory.discrete.fluxes.FluxMap` on a device, and its block's own metric."""

    probes: Tensor
    ends: Tensor
    weights: Tensor
    metric: Metric


# A training run has a handful of these; a schedule brings new metrics at every step.
@lru_cache(maxsize=256)
def _coefficients(
    metric: Metric, sizes: tuple[int, ...], index: int, device: torch.device
) -> _Coefficients:
    n = sum(sizes)
    numbers = flux_map(shard_plan(metric, sizes), index)

    def tensor(values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

    # The whole's weights on the block's own path. The mean of its solution is put in by the level
    # and is 0 here but for rounding, which a large weight of the mean keeps small.
    c, beta = metric.stiffness(n), metric.fluctuation
    own = Metric(max(metric.mean, beta + c), beta, c, spacing="unit")
    return _Coefficients(
        tensor(numbers.probes), tensor(numbers.ends), tensor([size / n for size in sizes]), own
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A tensor some of whose groups lie on several ranks: the local rows, and who has the rest.

    ``rank`` is the place along the mesh dimension ``mesh_dim``, which cuts the rows.
    """

    out: Tensor
    grad: Tensor
    metric: Metric
    dim: int
    mesh: DeviceMesh
    mesh_dim: int
    layout: RowLayout
    rank: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(parts, numbers, *columns): what a rank hands over, the same on all of them."""
        sizes = tuple(partner.rows for partner in next(iter(self.layout.partners.values())))
        numbers = shard_plan(self.metric, sizes).numbers
        rows = tuple(self.grad.shape)
        return (self.layout.parts, numbers, *rows[: self.dim], *rows[self.dim + 1 :])

    def _blocks(self) -> Iterator[tuple[int, _Coefficients, Tensor, Tensor]]:
        """Yield this rank's parts: group, coefficients, rows of the buffer and of the gradient."""
        for block in self.layout.shares[self.rank].parts:
            partners = self.layout.partners[block.group]
            index = next(i for i, p in enumerate(partners) if p.rank == self.rank)
            sizes = tuple(partner.rows for partner in partners)
            coefficients = _coefficients(self.metric, sizes, index, self.grad.device)
            out, grad = (t.narrow(self.dim, block.start, block.rows) for t in (self.out, self.grad))
            yield block.group, coefficients, out, grad

    def summarize(self, region: Tensor) -> None:
        """Write what this rank hands over: of each block the mean, and two moments of the rest."""
        dim = self.dim
        for mine, (_, k, _, grad) in zip(region.view(self.shape), self._blocks(), strict=False):
            f = grad.to(torch.float64, copy=True)
            mean = f.mean(dim)
            # Twice, as everywhere: what the first leaves is the rounding error of the mean.
            rest = f.sub_(mean.unsqueeze(dim)).mean(dim)
            f.sub_(rest.unsqueeze(dim))
            mine[0] = mean + rest
            if len(k.probes):
                mine[1:] = torch.tensordot(k.probes, f, ([1], [dim]))

    def finish(self, regions: Tensor) -> None:
        """Write the rows of k from what all ranks handed over, (ranks, numbers)."""
        dim, given = self.dim, regions.view(-1, *self.shape).to(self.grad.device)
        for group, k, out, grad in self._blocks():
            partners = self.layout.partners[group]
            summaries = torch.stack([given[p.rank, p.part] for p in partners])
            own = given[self.rank, next(p.part for p in partners if p.rank == self.rank), 0]
            mean, z = _offsets(summaries, k.weights)
            level, left, right = torch.tensordot(k.ends, z, 1)
            x = grad.to(torch.float64, copy=True)
            x.sub_((own + (left + right) / x.shape[dim]).unsqueeze(dim))
            x.select(dim, 0).add_(left)
            x.select(dim, -1).add_(right)
            write_gradients([Job(x, x, k.metric, dim)])
            out.copy_(x.add_((level + mean / self.metric.mean).unsqueeze(dim)))


def _offsets(summaries: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over all blocks, and the numbers with each block's offset for its mean."""
    means = summaries[:, 0]
    mean = torch.tensordot(weights, means, 1)
    rest = torch.tensordot(weights, means - mean, 1)
    offsets = (means - mean - rest).unsqueeze(1)
    return mean + rest, torch.cat([offsets, summaries[:, 1:]], 1).flatten(0, 1)


def _exchange(cuts: Sequence[_Cut]) -> Iterator[tuple[_Cut, Tensor]]:
    """Gather the numbers of all tensors at once; yield each tensor with those of all ranks."""
    mesh, mesh_dim, near = cuts[0].mesh, cuts[0].mesh_dim, cuts[0].grad.device
    # With gradients offloaded to the CPU, the collective still runs where the mesh is.
    device = near if near.type == mesh.device_type else torch.device(mesh.device_type)
    lengths = [math.prod(cut.shape) for cut in cuts]
    mine = torch.zeros(sum(lengths), dtype=torch.float64, device=device)
    for cut, region in zip(cuts, torch.split(mine, lengths), strict=True):
        cut.summarize(region)
    group = mesh.get_group(mesh_dim)
    gathered = mine.new_empty(group.size(), len(mine))
    dist.all_gather(list(gathered.unbind()), mine, group=group)
    return zip(cuts, torch.split(gathered, lengths, 1), strict=True)


def _check(out: object, grad: object, metric: Metric, dim: int, groups: int, name: str) -> int:
    """Check one gradient by what all ranks know of it, and return the axis."""
    for label, tensor in ((name, grad), (f"the buffer for {name}", out)):
        if not isinstance(tensor, DTensor):
            msg = f"{label} must be a DTensor, got {type(tensor).__name__}"
            raise TypeError(msg)
    assert isinstance(grad, DTensor)
    assert isinstance(out, DTensor)
    check_metric(metric)
    stand_in = torch.empty(grad.shape, dtype=grad.dtype, device="meta")
    axis = check_arguments(stand_in, metric, dim, groups, name)
    if torch.is_grad_enabled() and grad.requires_grad:
        msg = (
            f"{name} is a DTensor that requires grad, and no history goes through the exchange "
            "between ranks; use an optimizer with differentiable=False, or torch.no_grad()"
        )
        raise TypeError(msg)
    if (out.device_mesh, out.placements) != (grad.device_mesh, grad.placements):
        msg = (
            f"{name} has placements {grad.placements} and its buffer {out.placements}; "
            "redistribute the buffer"
        )
        raise ValueError(msg)
    return axis


def _divide(
    out: Tensor, grad: Tensor, metric: Metric, dim: int, groups: int, name: str
) -> tuple[Job | None, _Cut | None]:
    """Return what this rank computes alone and what it needs others for; either may be nothing."""
    assert isinstance(out, DTensor)
    assert isinstance(grad, DTensor)
    mesh, n = grad.device_mesh, grad.shape[dim]
    mesh_dim = cutting_dimension(grad, dim, name)
    place = mesh.get_coordinate()
    if place is None:
        return None, None
    mine, given = out.to_local(), grad.to_local()
    alone = Job(mine, given, metric, dim, groups) if given.numel() else None
    if mesh_dim is None:
        return alone, None
    layout, rank = row_layout(n, groups, mesh.size(mesh_dim)), place[mesh_dim]
    share = layout.shares[rank]
    if given.shape[dim] != share.rows:
        msg = (
            f"{name} has {given.shape[dim]} of its {n} rows on rank {rank} of "
            f"{mesh.size(mesh_dim)}, where Shard() puts {share.rows}; make it with "
            "distribute_tensor or fully_shard"
        )
        raise ValueError(msg)
    if metric.is_multiple_of_l2:
        # A number is divided by a constant: no row needs another.
        return None if alone is None else alone._replace(groups=1), None
    if alone is not None:
        size = share.groups * (n // groups)
        whole = [tensor.narrow(dim, share.start, size) for tensor in (mine, given)]
        alone = Job(whole[0], whole[1], metric, dim, share.groups) if size else None
    # A rank without rows hands over zeros: the collective needs it.
    cut = _Cut(mine, given, metric, dim, mesh, mesh_dim, layout, rank) if layout.parts else None
    return alone, cut


def write_sharded_gradients(jobs: Sequence[Job], names: Sequence[str] | None = None) -> None:
    r"""Write :math:`k = M^{-1}g` of every DTensor into the DTensor of the same index.

    Every rank calls it with the same tensors and metrics in the same order. There is one
    ``all_gather`` for all tensors that share a mesh dimension (one in all with ``fully_shard``),
    and none if no group of channels lies on several ranks. It is over before anything is written.

    ===========  =========  ==================================================================
    symbol       argument   meaning
    ===========  =========  ==================================================================
    (tensors)    ``jobs``   :class:`cdg_torch.solve.Job` records: buffers and gradients are
                            DTensors, placed alike; ``groups`` counts those of the *global* tensor
    (words)      ``names``  what to call each gradient in an error
    ===========  =========  ==================================================================

    Computed in float64 inside, and rounded once, as a whole tensor is. The mean of a block
    travels in one float64 number: the result is that of a gradient changed by one part in 10¹⁶ of
    its mean, nothing next to the spacing of a float32 gradient.

    Raises
    ------
    TypeError
        If a tensor is not a DTensor, is of a dtype that is not served, or requires grad while
        autograd records.
    ValueError
        If an axis or a number of groups does not fit the tensor, or its placements are not served:
        output channels cut by several mesh dimensions at once or in strides, a Partial placement
        that is neither a sum nor an average. The placements that are served are listed in
        :mod:`cdg_torch.placements`.

    Examples
    --------
    On one rank nothing is cut; :doc:`/howto/sharding` shows more of them.

    >>> import torch, torch.distributed as dist
    >>> from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
    >>> from cdg_theory import Metric
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> mesh = init_device_mesh("cpu", (1,))
    >>> g = distribute_tensor(torch.tensor([1.0, 2.0, 6.0]), mesh, [Shard(0)])
    >>> write_sharded_gradients([Job(g, g, Metric.reweighted_h0(2.0))])
    >>> g.to_local()
    tensor([2.0000, 2.5000, 4.5000])
    >>> dist.destroy_process_group()

    Notes
    -----
    Theorem 11.
    """
    names = [f"jobs[{i}].grad" for i in range(len(jobs))] if names is None else names
    checked = [
        (*job._replace(dim=_check(*job, name)), name) for job, name in zip(jobs, names, strict=True)
    ]
    with torch.no_grad():
        divided = [_divide(*arguments) for arguments in checked]
        by_group: dict[dist.ProcessGroup, list[_Cut]] = {}
        for _, cut in divided:
            if cut is not None:
                by_group.setdefault(cut.mesh.get_group(cut.mesh_dim), []).append(cut)
        gathered = [pair for cuts in by_group.values() for pair in _exchange(cuts)]
        alone = [job for job, _ in divided if job is not None]
        write_gradients(alone)
        for cut, regions in gathered:
            cut.finish(regions)
