"""T4 on a small CNN and real images: the loss falls at the rate ⟨g, k⟩ = ‖k‖²_M."""

import itertools

import pytest
import torch
from sklearn.datasets import load_digits

from cdg_theory import Metric
from cdg_torch import apply_metric, riemannian_gradient


@pytest.fixture(scope="module")
def problem():
    """Return a CNN in float64, its loss on 64 handwritten digits, and its convolution weights."""
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images[:64, None] / 16.0)
    labels = torch.tensor(digits.target[:64])
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 12, 3, padding=1),
        torch.nn.Softplus(),  # smooth, so that second differences are small where first are
        torch.nn.Conv2d(12, 8, 3, groups=2),
        torch.nn.Softplus(),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 36, 10),
    ).double()
    convolutions = [(model[0].weight, 1), (model[2].weight, 2)]

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(images), labels)

    return loss, convolutions


@pytest.mark.parametrize(
    "metric",
    [
        Metric.reweighted_h0(10.0),
        Metric.sobolev(0.5),
        Metric.sobolev(0.5, boundary="periodic", spacing="unit"),
        Metric.ordinary_sobolev(0.5),
    ],
    ids=str,
)
def test_loss_falls_at_the_rate_of_the_squared_metric_norm(problem, metric) -> None:
    loss, convolutions = problem
    weights = [weight for weight, _ in convolutions]
    before = loss()
    gradients = torch.autograd.grad(before, weights)
    directions = [
        riemannian_gradient(g, metric, groups=groups)
        for g, (_, groups) in zip(gradients, convolutions, strict=True)
    ]
    rate = sum((g * k).sum() for g, k in zip(gradients, directions, strict=True))
    norm = sum(
        (k * apply_metric(k, metric, groups=groups)).sum()
        for k, (_, groups) in zip(directions, convolutions, strict=True)
    )
    assert rate > 0
    torch.testing.assert_close(rate, norm, rtol=1e-12, atol=0)

    def loss_at(step: float) -> float:
        with torch.no_grad():
            for weight, k in zip(weights, directions, strict=True):
                weight.sub_(step * k)
            value = loss().item()
            for weight, k in zip(weights, directions, strict=True):
                weight.add_(step * k)
        return value

    # The difference quotient is exact to first order in the step: ten times smaller a step,
    # ten times smaller an error.
    errors = [
        abs((before.item() - loss_at(step)) / step - rate.item()) for step in (1e-2, 1e-3, 1e-4)
    ]
    assert loss_at(1e-2) < before.item()
    assert errors[0] < 0.1 * rate.item()
    for coarse, fine in itertools.pairwise(errors):
        assert fine == pytest.approx(coarse / 10, rel=0.2)
