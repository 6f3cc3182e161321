"""A small network, its data, and the training loops that the tests of attach compare."""

import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric

METRIC = Metric(1.0, 0.5, 0.2)


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


def transform_by_hand(model, metric=METRIC) -> None:
    """Overwrite the gradients of ``network()`` with M⁻¹g, each axis written down here."""
    for index, dim, groups in ((0, 0, 1), (3, 0, 2), (5, 1, 1)):
        weight = model[index].weight
        if weight.grad is not None:
            weight.grad = cdg_torch.riemannian_gradient(weight.grad, metric, dim=dim, groups=groups)


def train_by_hand(make_optimizer, steps: int = 4, metric=METRIC, between=None, **network_options):
    """Train with the transform written into the loop; ``between`` runs just before it."""
    model = network(**network_options)
    optimizer = make_optimizer(model)
    for batch in batches(steps):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        if between is not None:
            between(model)
        transform_by_hand(model, metric)
        optimizer.step()
    return model


def train_attached(make_optimizer, steps: int = 4, metric=METRIC, between=None, **options):
    """Train with an ordinary loop and one added line."""
    model = network()
    optimizer = make_optimizer(model)
    cdg_torch.attach(optimizer, model, metric, **options)
    for batch in batches(steps):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        if between is not None:
            between(model)
        optimizer.step()
    return model


def momentum_sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)


def same(first, second) -> bool:
    """Whether two models have the same state, bit for bit."""
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
