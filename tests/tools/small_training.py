"""A small network, its data, and whether two networks are the same."""

import torch
from torch import nn

from cdg_torch import Metric

METRIC = Metric(1.0, 0.5, 0.2)
# What the default rules select of ``network()``: the axis of the output channels, and the groups.
SELECTED = {"0.weight": (0, 1), "3.weight": (0, 2), "5.weight": (1, 1)}


def network(seed: int = 0) -> nn.Sequential:
    """Convolutions of every kind that counts: plain, grouped, depthwise, transposed."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 1, groups=2, bias=False),
        nn.Conv2d(8, 8, 1, groups=8),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Flatten(),
        nn.Linear(256, 3),
    )


def batches(steps: int, size: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(5)
    return [
        (
            torch.randn(size, 2, 6, 6, generator=generator),
            torch.randint(3, (size,), generator=generator),
        )
        for _ in range(steps)
    ]


def loss_of(model, batch) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def same(first, second) -> bool:
    """Whether two models have the same state, bit for bit."""
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def weights_of(model) -> list[torch.Tensor]:
    """Return a copy of the parameters."""
    return [p.detach().clone() for p in model.parameters()]


def all_equal(first, second) -> bool:
    """Whether two sequences of tensors agree bit for bit; parameters stand for a model."""
    return all(torch.equal(p, q) for p, q in zip(first, second, strict=True))
