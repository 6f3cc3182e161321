"""Parts that are averaged, as data-parallel gradients are, are transformed part by part (T11)."""

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, Partial, init_device_mesh

from cdg_torch import Metric, riemannian_gradient
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.ranks import on_ranks

METRIC = Metric(2.0, 0.5, 0.1)


def difference(world: int) -> float:
    """Return how far the averaged gradient is from that of the averaged parts."""
    line = init_device_mesh("cpu", (world,))
    parts = torch.randn(world, 7, 3, generator=torch.Generator().manual_seed(0)).double()
    d = DTensor.from_local(parts[line.get_local_rank()], line, [Partial("avg")])
    (k,) = Buffers().like([d])
    write_sharded_gradients([Job(k, d, METRIC)])
    whole = k.to_local() / world
    dist.all_reduce(whole)
    return float((whole - riemannian_gradient(parts.mean(0), METRIC)).abs().max())


def test_the_mean_of_the_parts() -> None:
    assert max(on_ranks(2, difference, 2)) < 1e-14
