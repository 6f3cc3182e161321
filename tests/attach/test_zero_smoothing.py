"""Zero smoothing is the base optimizer, bit for bit, for every class of torch.optim.

Limit case of theorem 3: with Metric.l2() the gradient in the metric is the gradient.
"""

import inspect

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from tests.tools.small_training import all_equal, weights_of

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


def train(name: str, metric: Metric | None, *, by_closure: bool, options=None, **kwargs) -> list:
    model = make_model()
    lr = LEARNING_RATE.get(name, 0.05)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=lr, **kwargs)
    if metric is not None:
        cdg_torch.attach(optimizer, model, metric, **(options or {}))
    for x in torch.randn(4, 5, 2, 6, 6, generator=torch.Generator().manual_seed(1)):

        def closure(x=x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            return loss

        if by_closure:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    return weights_of(model)


@pytest.mark.parametrize("name", CLASSES)
def test_every_optimizer(name: str) -> None:
    metrics = (None, Metric.l2(), Metric.reweighted_h0(1.5))
    plain, attached, smoothed = (train(name, metric, by_closure=True) for metric in metrics)
    assert all_equal(plain, attached)
    # The comparison has teeth: any smoothing at all shows.
    assert not torch.equal(plain[0], smoothed[0])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("path", ["foreach", "fused"])
@pytest.mark.parametrize("where", ["gradient", "update"])
def test_foreach_and_fused(name: str, path: str, where: str) -> None:
    options = {"where": where, "match_norm": True, "transform_decay": True}
    kwargs = {"by_closure": False, "options": options, "weight_decay": 0.1, path: True}
    assert all_equal(*(train(name, metric, **kwargs) for metric in (None, Metric.l2())))
