"""Decay, lengths and statistics of sharded tensors are those of the whole ones."""

import importlib

import torch
import torch.distributed as dist
from torch import nn

import cdg_torch
from cdg_torch import Metric
from tests.tools.needs_torch import needs_fsdp2_on_cpus
from tests.tools.ranks import on_ranks

METRIC = Metric(1.0, 0.5, 0.2)


def step(wrap):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Conv2d(5, 4, 1)).double()
    if wrap:
        torch.distributed.fsdp.fully_shard(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.3)
    handle = cdg_torch.attach(optimizer, model, METRIC, transform_decay=True, stats=True)
    x = torch.randn(4, 2, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model(x).square().mean().backward()
    norm = handle.dual_norm()
    optimizer.step()
    weights = [p.full_tensor() if wrap else p for p in model.parameters()]
    stats = handle.stats()
    numbers = [[s.raw_norm, s.norm, s.raw_correlation, s.correlation] for s in stats.values()]
    return [w.detach() for w in weights], norm, torch.tensor(numbers, dtype=torch.float64)


def both():
    importlib.import_module("torch.distributed.fsdp")  # torch does not load it by itself

    (sharded, norm, stats), (whole, norm_whole, stats_whole) = step(wrap=True), step(wrap=False)
    gap = max(float((p - q).abs().max()) for p, q in zip(sharded, whole, strict=True))
    return (
        gap,
        float((norm - norm_whole).abs() / norm_whole),
        float((stats - stats_whole).abs().max()),
        dist.get_world_size(),
    )


@needs_fsdp2_on_cpus
def test_equal_to_the_whole() -> None:
    # five output channels on three ranks: 2, 2 and 1
    for result in on_ranks(3, both):
        assert result[3] == 3
        # a few hundred float64 operations on numbers of order 1
        assert max(result[:3]) < 1e-13
