"""T3: without smoothing the gradient is the ordinary one, bit for bit (over the mean's weight)."""

import numpy as np
import pytest
import torch

import cdg_torch
from cdg_theory import Metric, discrete
from cdg_torch import apply_metric, riemannian_gradient
from tests.tools.kernel_cases import DTYPES

# Signed zeros, subnormals, infinities and NaN must survive too.
AWKWARD = [0.0, -0.0, 1.0, -3.5, 6e-8, 65504.0, float("inf"), float("-inf"), float("nan")]


@pytest.mark.parametrize("metric", [Metric.l2(), Metric.reweighted_h0(1.0)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("transform", [riemannian_gradient, apply_metric])
def test_bitwise_identity(metric, dtype, transform) -> None:
    gradient = torch.tensor(AWKWARD, dtype=dtype).repeat(4, 1)
    result = transform(gradient, metric)
    integers = torch.int64 if dtype is torch.float64 else torch.int32
    if dtype.itemsize == 2:
        integers = torch.int16
    number = ~gradient.isnan()  # a NaN stays a NaN; its payload is the processor's business
    assert torch.equal(result.view(integers)[number], gradient.view(integers)[number])
    assert torch.equal(result.isnan(), gradient.isnan())
    assert result.data_ptr() != gradient.data_ptr()


def test_bitwise_identity_in_numpy() -> None:
    gradient = np.array([AWKWARD[:6]] * 3)
    result = discrete.riemannian_gradient(gradient, Metric.l2())
    assert result.tobytes() == gradient.tobytes()


@pytest.mark.parametrize("scale", [0.5, 4.0])
def test_equal_weights_only_rescale(scale) -> None:
    gradient = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(riemannian_gradient(gradient, Metric(scale, scale)), gradient / scale)


@pytest.mark.parametrize("metric", [Metric(2.0, 3.0), Metric(2.0, 0.0, 1.0), Metric(2.0, 3.0, 1.0)])
def test_one_channel_is_only_rescaled(metric) -> None:
    # inf − inf: a fluctuation must not be taken where there can be none.
    values = np.array([AWKWARD])
    for found, expected in (
        (discrete.riemannian_gradient(values, metric), values / 2),
        (riemannian_gradient(torch.from_numpy(values), metric).numpy(), values / 2),
        (apply_metric(torch.from_numpy(values), metric).numpy(), values * 2),
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_one_channel_is_only_rescaled_by_every_backend(backend) -> None:
    gradient = torch.tensor([AWKWARD])
    with cdg_torch.backend(backend):
        found = riemannian_gradient(gradient, Metric(2.0, 3.0, 1.0))
    torch.testing.assert_close(found, gradient / 2, rtol=0, atol=0, equal_nan=True)
