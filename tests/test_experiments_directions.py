"""Each direction and baseline changes the gradient as its formula says, and gives it back."""

import pytest
import torch

from cdg_theory import Metric, discrete
from cdg_torch.experiments.directions import along_kernel, along_raster, centralized
from cdg_torch.experiments.methods import Method
from cdg_torch.experiments.models import build

METRIC = Metric.ordinary_sobolev(0.7, boundary="periodic", spacing="unit")
SMOOTHER = Metric.sobolev(0.2)


def gradient(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_raster_is_laplacian_smoothing_by_fft() -> None:
    """Osher et al.: divide the spectrum of the flattened gradient by 1 + σ(2 − 2cos ω)."""
    g = gradient(4, 3, 3, 3)
    n = g.numel()
    omega = 2 * torch.pi * torch.arange(n, dtype=torch.float64) / n
    symbol = 1 + 0.7 * (2 - 2 * omega.cos())
    expected = torch.fft.ifft(torch.fft.fft(g.flatten()) / symbol).real.reshape(g.shape)
    torch.testing.assert_close(along_raster(METRIC)(g, 0), expected, rtol=0, atol=1e-13)


def test_kernel_is_the_tensor_product_of_both_axes() -> None:
    g = gradient(2, 3, 5, 4)
    rows = torch.as_tensor(discrete.inverse_matrix(SMOOTHER, 5))
    columns = torch.as_tensor(discrete.inverse_matrix(SMOOTHER, 4))
    expected = torch.einsum("ij,kl,abjl->abik", rows, columns, g)
    torch.testing.assert_close(along_kernel(SMOOTHER)(g, 0), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("output", [0, 1])
def test_centralized_has_no_mean_per_output_channel(output) -> None:
    g = gradient(4, 3, 3, 3)
    result = centralized(g, output)
    others = [axis for axis in range(4) if axis != output]
    torch.testing.assert_close(result.mean(others), torch.zeros(g.shape[output]).double())
    torch.testing.assert_close(result.sum(output) - g.sum(output), (result - g).sum(output))
    constant = (result - g).movedim(output, 0).flatten(1)
    assert (constant - constant[:, :1]).abs().max() < 1e-14


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
        "kernel": along_kernel(SMOOTHER),
        "raster": along_raster(METRIC),
        "centralized": centralized,
    }[method.name](raw, 0)
    torch.testing.assert_close(before - weight.detach(), 0.5 * expected)
    linear = model[-1]
    assert linear.weight.grad is not None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"direction": "kernel", "metric": SMOOTHER, "match_norm": True}, "along channels only"),
        ({"centralize": True, "metric": SMOOTHER}, "exclude each other"),
    ],
)
def test_options_that_exclude_each_other_are_refused(fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        Method(name="x", **fields)
