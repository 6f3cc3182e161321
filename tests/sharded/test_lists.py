"""T11 on two ranks, for lists: buffers apart from the gradients, parts beside whole groups, meshes.

A rank has the rows of whole groups and of a part; one group of ranks goes by two meshes.
"""

import torch
import torch.distributed as dist
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh

from cdg_theory import Metric
from cdg_torch import riemannian_gradient
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.ranks import on_ranks

METRIC = Metric(2.0, 0.5, 0.1, spacing="unit")


def write_lists() -> list[str]:
    """Return what is wrong on this rank."""
    square = init_device_mesh("cpu", (1, 2), mesh_dim_names=("a", "b"))
    generator = torch.Generator().manual_seed(0)
    # Three groups of four: the second one is cut, and the other two lie before and behind it.
    g = torch.randn(12, 5, generator=generator)
    whole = riemannian_gradient(g, METRIC, groups=3)
    placed = [(square, [Replicate(), Shard(0)]), (square["b"], [Shard(0)])]
    failures = []
    for order in (placed, placed[::-1]):
        grads = [distribute_tensor(g, mesh, placements) for mesh, placements in order]
        outs = [torch.empty_like(d) for d in grads]
        write_sharded_gradients(
            [Job(out, g, METRIC, groups=3) for out, g in zip(outs, grads, strict=True)]
        )
        mine = g.chunk(2)[dist.get_rank()]
        if not all(torch.equal(d.to_local(), mine) for d in grads):
            failures.append("a gradient was changed")
        # Rounded once each: the two may lie on two sides of a tie.
        expected = whole.chunk(2)[dist.get_rank()]
        for out in outs:
            if not torch.allclose(out.to_local(), expected, rtol=2.0**-23, atol=0):
                failures.append(f"{out.to_local()} instead of {expected}")
    return failures


def test_two_meshes_of_the_same_ranks_in_one_list() -> None:
    assert on_ranks(2, write_lists) == [[]] * 2
