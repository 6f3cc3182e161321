"""Each direction and baseline is what the optimizer steps along; raw gradients come back."""

import pytest
import torch

from cdg_theory import Metric
from cdg_torch.lab.baselines import along_kernel, gradient_centralization, laplacian_smoothing
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.models import build

METRIC = Metric.ordinary_sobolev(0.7, boundary="periodic", spacing="unit")
SMOOTHER = Metric.sobolev(0.2)


@pytest.mark.parametrize(
    "method",
    [
        Method(name="kernel", metric=SMOOTHER, direction="kernel"),
        Method(name="raster", metric=METRIC, direction="raster"),
        Method(name="centralized", centralize=True),
    ],
    ids=lambda method: method.name,
)
def test_the_optimizer_steps_along_it_and_the_gradient_is_raw_again(method) -> None:
    torch.manual_seed(0)
    model = build("tiny-cnn", 1, 10).double()
    optimizer = method.make_optimizer(model, lr=0.5)
    model(torch.randn(4, 1, 8, 8, dtype=torch.float64)).square().sum().backward()
    weight = model[3].weight
    before, raw = weight.detach().clone(), weight.grad
    kept = raw.clone()
    optimizer.step()
    assert weight.grad is raw
    assert torch.equal(raw, kept)
    expected = {
        "kernel": lambda g: along_kernel(g, SMOOTHER),
        "raster": lambda g: laplacian_smoothing(g, 0.7),
        "centralized": gradient_centralization,
    }[method.name](raw)
    torch.testing.assert_close(before - weight.detach(), 0.5 * expected)
    linear = model[-1]
    assert linear.weight.grad is not None
