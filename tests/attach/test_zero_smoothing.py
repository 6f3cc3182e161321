"""Zero smoothing is the base optimizer, bit for bit, for every class of torch.optim.

Limit case of theorem 3: with Metric.l2() the gradient in the metric is the gradient.
"""

import inspect

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric

LEARNING_RATE = {"LBFGS": 0.1, "Adadelta": 1.0, "Rprop": 0.01}
# SparseAdam takes sparse gradients only, which no convolution has; Muon takes matrices only.
NOT_FOR_CONVOLUTIONS = {"SparseAdam", "Muon"}
CLASSES = sorted(
    name
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind)
    and issubclass(kind, torch.optim.Optimizer)
    and kind is not torch.optim.Optimizer
    and name not in NOT_FOR_CONVOLUTIONS
)


def make_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, bias=False), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2), nn.Flatten()
    )


def train(optimizer_name: str, metric: Metric | None, steps: int = 4, **kwargs) -> list:
    model = make_model()
    lr = LEARNING_RATE.get(optimizer_name, 0.05)
    optimizer = getattr(torch.optim, optimizer_name)(model.parameters(), lr=lr, **kwargs)
    if metric is not None:
        cdg_torch.attach(optimizer, model, metric)
    data = torch.randn(steps, 5, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    for x in data:

        def closure(x=x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("name", CLASSES)
def test_every_optimizer(name: str) -> None:
    plain, attached = train(name, None), train(name, Metric.l2())
    assert all(torch.equal(p, q) for p, q in zip(plain, attached, strict=True))
    # The comparison has teeth: any smoothing at all shows.
    smoothed = train(name, Metric.reweighted_h0(1.5))
    assert not torch.equal(plain[0], smoothed[0])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("path", ["foreach", "fused"])
@pytest.mark.parametrize("where", ["gradient", "update"])
def test_foreach_and_fused(name: str, path: str, where: str) -> None:
    model = make_model()
    results = []
    for attach in (False, True):
        model = make_model()
        optimizer = getattr(torch.optim, name)(
            model.parameters(), lr=0.05, weight_decay=0.1, **{path: True}
        )
        if attach:
            cdg_torch.attach(
                optimizer, model, Metric.l2(), where=where, match_norm=True, transform_decay=True
            )
        for seed in range(3):
            x = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        results.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(p, q) for p, q in zip(*results, strict=True))
