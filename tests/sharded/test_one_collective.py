"""T11, T18: one collective per call for all tensors; three or five numbers per column and block.

Counted by torch's CommDebugMode, and weighed by looking at the buffer that goes in.
"""

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.debug import CommDebugMode

from cdg_theory import Metric
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.ranks import on_ranks

H0, SOBOLEV, TWICE = Metric.reweighted_h0(3.0), Metric.sobolev(0.3), Metric(2.0, 2.0)
SPLINE = Metric.spline(0.3)
COLUMNS = 6

# What is called, per case: (metric, channels, axis, groups, cut along the axis); numbers per
# column and rank, on two, three and four ranks.
CASES = {
    "one mean": ([(H0, 24, 0, 1, True)], (1, 1, 1)),
    "a mean and two dot products": ([(SOBOLEV, 24, 0, 1, True)], (3, 3, 3)),
    "a mean and two pairs": ([(SPLINE, 24, 0, 1, True)], (5, 5, 5)),
    "however many rows": ([(SOBOLEV, 240, 0, 1, True)], (3, 3, 3)),
    "a transposed convolution": ([(SOBOLEV, 24, 1, 1, True)], (3, 3, 3)),
    "all tensors together": (
        [
            (SOBOLEV, 24, 0, 1, True),
            (H0, 7, 0, 1, True),
            (SPLINE, 24, 1, 1, True),
            (SOBOLEV, 24, 0, 1, False),
        ],
        (9, 9, 9),
    ),
    # Two groups of 12: on two ranks none is cut; on three, the second rank has parts of both.
    "parts of two groups": ([(SOBOLEV, 24, 0, 2, True)], (0, 6, 3)),
    "groups that fit": ([(SOBOLEV, 24, 0, 12, True)], (0, 0, 0)),
    "a multiple of L2": ([(TWICE, 24, 0, 1, True)], (0, 0, 0)),
    "another axis": ([(SOBOLEV, 24, 0, 1, False)], (0, 0, 0)),
    "nothing": ([], (0, 0, 0)),
}


def count_all(world: int) -> dict[str, tuple[int, int, int]]:
    """Return collectives by torch's count and ours, and float64 numbers per column."""
    mesh = init_device_mesh("cpu", (world,))
    sent = []
    gather = dist.all_gather

    def weigh(tensors, tensor, **options):
        assert tensor.dtype == torch.float64
        sent.append(tensor.numel())
        return gather(tensors, tensor, **options)

    dist.all_gather = weigh
    counts = {}
    for name, (tensors, _) in CASES.items():
        sent.clear()
        grads = []
        for _, n, dim, _, cut in tensors:
            shape = [COLUMNS, 1]
            shape.insert(dim, n)
            place = Shard(dim if cut else 2)
            grads.append(distribute_tensor(torch.ones(shape), mesh, [place]))
        metrics, _, dims, groups, _ = zip(*tensors, strict=True) if tensors else [()] * 5
        with CommDebugMode() as comm:
            write_sharded_gradients(list(map(Job, grads, grads, metrics, dims, groups)))
        counts[name] = (comm.get_total_counts(), len(sent), sum(sent) // COLUMNS)
    dist.all_gather = gather
    return counts


@pytest.mark.parametrize("world", [2, 3, 4])
def test_one_small_collective(world) -> None:
    expected = {}
    for name, (_, numbers) in CASES.items():
        weight = numbers[world - 2]
        expected[name] = (int(weight > 0), int(weight > 0), weight)
    assert on_ranks(world, count_all, world) == [expected] * world


def count_per_mesh_dimension() -> int:
    """Count for one tensor cut along either dimension of a mesh of two."""
    mesh = init_device_mesh("cpu", (2, 2))
    placements = ([Replicate(), Shard(0)], [Shard(0), Replicate()], [Shard(1), Shard(0)])
    grads = [distribute_tensor(torch.ones(5, 4), mesh, p) for p in placements]
    with CommDebugMode() as comm:
        write_sharded_gradients([Job(g, g, SOBOLEV) for g in grads])
    return comm.get_total_counts()


def test_one_for_each_mesh_dimension_that_cuts() -> None:
    assert on_ranks(4, count_per_mesh_dimension) == [2] * 4
