"""T11: the gradient of a DTensor is that of the whole tensor, for every placement that is served.

One process per rank; all cases of a world size run in one set of processes. Whether each case
needed a collective is asserted with it.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.distributed.tensor as dt
from torch.distributed.tensor.debug import CommDebugMode

from cdg_theory import Metric
from cdg_theory.discrete import spectral_gradient
from cdg_torch import riemannian_gradient
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.placements import row_layout
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.ranks import on_ranks

METRICS = {
    "l2 times 2": Metric(2.0, 2.0, 0.0),
    "H0": Metric.reweighted_h0(7.0),
    "Sobolev": Metric.sobolev(0.3),
    "Sobolev, periodic": Metric.sobolev(0.3, boundary="periodic"),
    "general": Metric(2.0, 0.5, 0.1, spacing="unit"),
    "small fluctuation": Metric(0.5, 1e-9, 3.0),
    "small fluctuation, periodic": Metric(0.5, 1e-9, 3.0, boundary="periodic"),
    "biharmonic": Metric.biharmonic(0.05),
    "spline, periodic": Metric.spline(0.05, boundary="periodic"),
    "curved": Metric(2.0, 0.5, 0.1, 0.3, spacing="unit"),
    "small fluctuation, curved, periodic": Metric(0.5, 1e-9, 0.0, 3.0, boundary="periodic"),
}
# (output channels, axis, groups). On 1 to 4 ranks: even, uneven and empty shards; groups that lie
# on several ranks, ranks with several groups; transposed convolutions (axis 1); one channel.
SHAPES = (
    (16, 0, 1),
    (5, 0, 1),
    (7, 1, 1),
    (2, 0, 1),
    (1, 0, 1),
    (12, 0, 3),
    (18, 1, 2),
    (16, 0, 8),
    (6, 0, 6),
    (10, 0, 5),
)
DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def excess(k, g, metric, dim, groups) -> float:
    """Return how far ``k`` is from the gradient of the whole tensor, in units of what may be."""
    whole = riemannian_gradient(g, metric, dim=dim, groups=groups)
    n = g.shape[dim] // groups
    # Blocks are solved on natural paths, with operations of up to four roundings for pairs.
    order = metric.derivative_order
    natural = replace(metric, boundary="natural") if order == 2 else metric
    inverse = torch.from_numpy(abs(spectral_gradient(np.eye(n), natural)))
    inverse *= 4 if order == 2 else 1
    rows = g.double().movedim(dim, 0).unflatten(0, (groups, n)).abs()
    # float64 inside: as in test_sharded_fluxes, for either of the two. Outside, each is rounded
    # once: they may lie on two sides of a tie, one spacing apart.
    inside = torch.einsum("ij,gj...->gi...", inverse, rows).amax(1, keepdim=True)
    inside = (inside * 2 * (8 * n + 20) * 2.0**-53).expand_as(rows).flatten(0, 1).movedim(0, dim)
    outside = torch.finfo(g.dtype).eps * whole.double().abs()
    allowed = inside + outside if g.dtype != torch.float64 else inside
    error = (k.double() - whole.double()).abs()
    return float((error / allowed.clamp(min=torch.finfo(torch.float64).tiny)).max())


def make(n, dim, seed, dtype=torch.float64):
    shape = [3, 2]
    shape.insert(dim, n)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def run_cases(world: int) -> list[str]:
    """Run every case on this rank; return the failures."""
    failures = []

    def check(name, d, g, metric, dim, groups, collectives, *, inplace=False) -> None:
        before = d.to_local().clone()
        out = d if inplace else Buffers().like([d])[0]
        with CommDebugMode() as comm:
            write_sharded_gradients([Job(out, d, metric, dim, groups)])
        if comm.get_total_counts() != collectives:
            failures.append(f"{name}: {comm.get_total_counts()} collectives, not {collectives}")
        if not inplace and not torch.equal(before, d.to_local()):
            failures.append(f"{name}: the gradient was changed")
        if out.placements != d.placements:
            failures.append(f"{name}: placements {out.placements}")
        k = out.full_tensor()
        # The whole tensor is the same on every rank: one looks at it.
        ratio = excess(k, g, metric, dim, groups) if dist.get_rank() == 0 else 0.0
        if not ratio <= 1:
            failures.append(f"{name}: {ratio:.3g} times the bound")

    def is_cut(metric, n, groups, ranks) -> int:
        return int(not metric.is_multiple_of_l2 and row_layout(n, groups, ranks).parts > 0)

    line = dt.init_device_mesh("cpu", (world,))
    for seed, ((word, metric), (n, dim, groups)) in enumerate(
        itertools.product(METRICS.items(), SHAPES)
    ):
        for dtype in DTYPES if word in {"H0", "Sobolev", "biharmonic"} else DTYPES[:1]:
            name = f"{word}, {n} channels on axis {dim} in {groups} groups, {dtype}"
            g, cut = make(n, dim, seed, dtype), is_cut(metric, n, groups, world)
            check(name, dt.distribute_tensor(g, line, [dt.Shard(dim)]), g, metric, dim, groups, cut)
        if word != "general":
            continue
        near = dt.distribute_tensor(g, line, [dt.Shard(dim)])
        check(f"in place, {name}", near, g, metric, dim, groups, cut, inplace=True)
        for placement in (dt.Replicate(), dt.Shard(1 - dim)):
            d = dt.distribute_tensor(g, line, [placement])
            check(f"{placement}, {name}", d, g, metric, dim, groups, 0)
        part = g / world
        d = dt.DTensor.from_local(part, line, [dt.Partial()])
        check(f"partial, {name}", d, world * part, metric, dim, groups, 0)

    metric, g = METRICS["general"], make(11, 0, 0)
    if world == 4:
        square = dt.init_device_mesh("cpu", (2, 2), mesh_dim_names=("a", "b"))
        two = {
            "HSDP": ([dt.Replicate(), dt.Shard(0)], 1),
            "HSDP, the other way round": ([dt.Shard(0), dt.Replicate()], 1),
            "rows and columns": ([dt.Shard(0), dt.Shard(1)], 1),
            "columns and rows": ([dt.Shard(1), dt.Shard(0)], 1),
            "columns twice": ([dt.Shard(1), dt.Shard(2)], 0),
            "one mesh dimension of two": ([dt.Shard(0), dt.Partial()], 1),
        }
        for name, (placements, collectives) in two.items():
            full = [dt.Replicate() if isinstance(p, dt.Partial) else p for p in placements]
            d = dt.distribute_tensor(g, square, full)
            if full != placements:
                d = dt.DTensor.from_local(
                    d.to_local() / 2, square, placements, shape=g.shape, stride=g.stride()
                )
            check(name, d, g, metric, 0, 1, collectives)
        column = square["b"]
        d = dt.distribute_tensor(g, column, [dt.Shard(0)])
        check("a mesh of one dimension out of two", d, g, metric, 0, 1, 1)
        half = dt.DeviceMesh("cpu", [0, 1])
        d = dt.distribute_tensor(g, half, [dt.Shard(0)])
        out = torch.empty_like(d)
        write_sharded_gradients([Job(out, d, metric)])
        if dist.get_rank() < 2:
            ratio = excess(out.full_tensor(), g, metric, 0, 1)
            if not ratio <= 1:
                failures.append(f"a mesh of half the ranks: {ratio:.3g} times the bound")
    return failures


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_equals_the_whole_tensor(world) -> None:
    assert on_ranks(world, run_cases, world) == [[]] * world
