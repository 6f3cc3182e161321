r"""k = M⁻¹g for DTensors: one small collective for all tensors together, never a gathered gradient.

A tensor that is sharded along its output channels leaves every rank with a block of rows of each
column. Every rank

1. takes the mean off each of its blocks and forms dot products per column with the rest, two or,
   with a curvature term, four;
2. gathers these numbers from all ranks: per column and block in float64 five for a metric with a
   curvature term, three with a derivative and no curvature, one (the mean) without, none for a
   multiple of L². *One* ``all_gather``, with the numbers of all tensors packed into one buffer;
3. computes from them the level of its rows and what flows into its block at either end;
4. solves for its rows alone, with the kernels that whole tensors go through.

This is the flux form of :mod:`cdg_theory.discrete.blocks` (theorem 11), whose functions are
executed here on tensors. With channel groups, a group that lies on one rank needs nobody; a rank
shares at most two with others.

This module imports ``torch.distributed.tensor`` and is imported only where a DTensor is met.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.distributed._functional_collectives import AsyncCollectiveTensor
from torch.distributed.tensor import DTensor

from cdg_theory import Metric
from cdg_theory.checks import described
from cdg_theory.discrete.blocks import finish, flux_map, shard_plan, split_offsets
from cdg_theory.discrete.sweeps import split_mean
from cdg_theory.metric import check_metric
from cdg_torch.checks import check_arguments, check_memory, check_tensor
from cdg_torch.devices import has_float64
from cdg_torch.gradient import write_gradients
from cdg_torch.placements import cutting_dimension, row_layout
from cdg_torch.solve import Job
from cdg_torch.solve.columns import check_no_overlap
from cdg_torch.solve.plan import check_jobs

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

    from cdg_torch.placements import Partner, RowLayout


class _BlockMap(NamedTuple):
    """A block: its :class:`~cdg_theory.discrete.blocks.FluxMap` on a device.

    ``weights`` are each block's share of the rows, ``metric`` is that of the block's own path.
    """

    probes: Tensor
    ends: Tensor
    spread: Tensor | None
    weights: Tensor
    metric: Metric

    def solve(self, w: Tensor) -> Tensor:
        """Solve on the block's path, in place."""
        write_gradients([Job(w, w, self.metric)])
        return w


# A training run has a handful of these; a schedule brings new metrics at every step.
@lru_cache(maxsize=256)
def _block_map(
    metric: Metric, sizes: tuple[int, ...], index: int, device: torch.device
) -> _BlockMap:
    n = sum(sizes)

    def tensor(values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

    probes, ends, spread = flux_map(shard_plan(metric, sizes), index)
    # The whole's weights on the block's own path. The mean of its solution is put in by the level
    # and is 0 here but for rounding, which a large weight of the mean keeps small.
    c, d, beta = metric.stiffness(n), metric.rigidity(n), metric.fluctuation
    own = Metric(max(metric.mean, beta + c + d), beta, c, d, spacing="unit")
    weights = tensor([size / n for size in sizes])
    wide = None if spread is None else tensor(spread)
    return _BlockMap(tensor(probes), tensor(ends), wide, weights, own)


def _matrix(tensor: Tensor, dim: int) -> Tensor:
    """Return (rows, columns) in float64."""
    return tensor.movedim(dim, 0).reshape(tensor.shape[dim], -1).to(torch.float64)


class _Cut(NamedTuple):
    """A rank's rows of a tensor some of whose groups lie on several ranks.

    ``rank`` is the place along the mesh dimension ``mesh_dim``, which cuts the rows.
    """

    job: Job
    layout: RowLayout
    rank: int
    mesh: DeviceMesh
    mesh_dim: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(parts, numbers, columns): what a rank hands over, the same on all of them."""
        sizes = tuple(partner.rows for partner in next(iter(self.layout.partners.values())))
        numbers = shard_plan(self.job.metric, sizes).numbers
        columns = math.prod(self.job.grad.movedim(self.job.dim, 0).shape[1:])
        return self.layout.parts, numbers, columns

    def pieces(self) -> Iterator[tuple[Job, tuple[Partner, ...], int, _BlockMap]]:
        """Yield each shared group's rows here, who holds the group, as which of them; and more."""
        whole, given, metric, dim, _ = self.job
        for piece in self.layout.shares[self.rank].parts:
            partners = self.layout.partners[piece.group]
            index = [partner.rank for partner in partners].index(self.rank)
            sizes = tuple(partner.rows for partner in partners)
            known = _block_map(metric, sizes, index, given.device)
            out, grad = (t.narrow(dim, piece.start, piece.rows) for t in (whole, given))
            yield Job(out, grad, metric, dim), partners, index, known

    def summarize(self, region: Tensor) -> None:
        """Write what this rank hands over: of each block the mean, and dot products of the rest."""
        for mine, (rows, _, _, known) in zip(region.view(self.shape), self.pieces(), strict=False):
            mean, f = split_mean(_matrix(rows.grad, rows.dim))
            mine[0], mine[1:] = mean, known.probes @ f

    def finish(self, gathered: Tensor) -> None:
        """Write the rows of k from what all ranks handed over, (ranks, numbers)."""
        given = gathered.view(-1, *self.shape).to(self.job.grad.device)
        for (out, grad, metric, dim, _), partners, index, known in self.pieces():
            numbers = torch.stack([given[partner.rank, partner.part] for partner in partners])
            f = _matrix(grad, dim) - numbers[index, 0]
            mean, numbers[:, 0] = split_offsets(numbers[:, 0], known.weights)
            x = finish(f, known.ends @ numbers.flatten(0, 1), known.solve, known.spread)
            x += mean / metric.mean
            rows = out.movedim(dim, 0)
            rows.copy_(x.view(rows.shape))


def _exchange(cuts: Sequence[_Cut]) -> Iterator[tuple[_Cut, Tensor]]:
    """Gather the numbers of all tensors at once; yield each tensor with those of all ranks."""
    mesh, mesh_dim, near = cuts[0].mesh, cuts[0].mesh_dim, cuts[0].job.grad.device
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


def _axis(job: Job, name: str) -> int:
    """Check one job by what all ranks know of it, and return the axis."""
    out, grad, metric, dim, groups = job
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
            f"{name} is a DTensor that requires grad, and autograd does not record the exchange "
            "between ranks; use an optimizer with differentiable=False, detach the gradient, or "
            "use torch.no_grad()"
        )
        raise TypeError(msg)
    if not has_float64(grad.device):
        msg = (
            f"{name} is a DTensor on {grad.device}, where float64 does not exist, and ranks "
            "exchange float64 numbers; keep such a tensor whole on every rank"
        )
        raise TypeError(msg)
    if (out.device_mesh, out.placements) != (grad.device_mesh, grad.placements):
        msg = (
            f"{name} has placements {grad.placements} and its buffer {out.placements}; "
            "redistribute the buffer"
        )
        raise ValueError(msg)
    return axis


def _part(tensor: Tensor, name: str) -> Tensor:
    """Return this rank's part of a DTensor, for which others may still be sending."""
    assert isinstance(tensor, DTensor)
    part = tensor.to_local()
    if isinstance(part, AsyncCollectiveTensor):
        part = part.wait()
    check_tensor(part, name)
    return part


def _local_job(job: Job, name: str) -> Job | None:
    """Return what this rank holds of a job; None where tensors have no numbers at all."""
    name = f"the local part of {name}"
    grad = _part(job.grad, name)
    out = grad if job.out is job.grad else _part(job.out, name)
    if any(part.is_meta or isinstance(part, FakeTensor) for part in (out, grad)):
        return None
    # A negation that torch has put off is done in a copy, which cannot be the place of the result.
    grad = grad.resolve_neg()
    check_memory(grad, name)
    check_memory(out, name)
    check_no_overlap(out.shape, out.stride(), name)
    if out.is_inference() and not torch.is_inference_mode_enabled():
        msg = f"{name} was made in torch.inference_mode(), and cannot be written outside; clone it"
        raise TypeError(msg)
    return job._replace(out=out, grad=grad)


def _divide(job: Job, name: str) -> tuple[list[Job], list[_Cut]]:
    """Return what this rank computes alone, and what it needs others for; either may be nothing."""
    out, grad, metric, dim, groups = job
    assert isinstance(out, DTensor)
    assert isinstance(grad, DTensor)
    mesh, n = grad.device_mesh, grad.shape[dim]
    mesh_dim = cutting_dimension(grad, dim, name)
    place = mesh.get_coordinate()
    if place is None:
        return [], []
    local = _local_job(job, name)
    if local is None or grad.numel() == 0:
        return [], []
    alone = [local] if local.grad.numel() else []
    if mesh_dim is None:
        return alone, []
    layout, rank = row_layout(n, groups, mesh.size(mesh_dim)), place[mesh_dim]
    share, rows = layout.shares[rank], local.grad.shape[dim]
    if rows != share.rows:
        msg = (
            f"{name} has {rows} of its {n} rows on rank {rank} of "
            f"{mesh.size(mesh_dim)}, where Shard() puts {share.rows}; make it with "
            "distribute_tensor or fully_shard"
        )
        raise ValueError(msg)
    if metric.is_multiple_of_l2:
        # A number is divided by a constant: no row needs another.
        return [job._replace(groups=1) for job in alone], []
    if alone and share.groups:
        span = dim, share.start, share.groups * (n // groups)
        whole, given = (tensor.narrow(*span) for tensor in (local.out, local.grad))
        alone = [Job(whole, given, metric, dim, share.groups)]
    else:
        alone = []
    # A rank without rows hands over zeros: the collective needs it.
    return alone, [_Cut(local, layout, rank, mesh, mesh_dim)] if layout.parts else []


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
        If ``jobs`` is not a list of jobs, or a tensor is not a DTensor, is of a dtype that is not
        served, requires grad while autograd records, or has a local part that kernels cannot read
        or write.
    ValueError
        If there is not one name for each job, an axis or a number of groups does not fit the
        tensor, a buffer is not like its gradient, or its placements are not served:
        output channels cut by several mesh dimensions at once or in strides, a Partial placement
        that is neither a sum nor an average. The placements that are served are listed in
        :mod:`cdg_torch.placements`.

    See Also
    --------
    cdg_torch.riemannian_gradients_ : For tensors on one device.
    cdg_torch.attach : Calls it for an optimizer's gradients.
    cdg_theory.discrete.sharded_gradient : The same algorithm in NumPy.

    Examples
    --------
    >>> import torch, torch.distributed as dist
    >>> from cdg_theory import Metric
    >>> from cdg_torch.sharded import write_sharded_gradients
    >>> from cdg_torch.solve import Job
    >>> from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

    On one rank nothing is cut; :doc:`/howto/sharding` shows more of them.

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
    check_jobs(jobs)
    if names is None:
        names = [f"jobs[{i}].grad" for i in range(len(jobs))]
    if not isinstance(names, Sequence) or len(names) != len(jobs):
        msg = f"names must be one name for each of the {len(jobs)} jobs, got {described(names)}"
        raise ValueError(msg)
    jobs = [job._replace(dim=_axis(job, name)) for job, name in zip(jobs, names, strict=True)]
    with torch.no_grad():
        divided = [_divide(job, name) for job, name in zip(jobs, names, strict=True)]
        by_group: defaultdict[dist.ProcessGroup, list[_Cut]] = defaultdict(list)
        for _, cuts in divided:
            for cut in cuts:
                by_group[cut.mesh.get_group(cut.mesh_dim)].append(cut)
        gathered = [pair for cuts in by_group.values() for pair in _exchange(cuts)]
        write_gradients([job for alone, _ in divided for job in alone])
        for cut, numbers in gathered:
            cut.finish(numbers)
