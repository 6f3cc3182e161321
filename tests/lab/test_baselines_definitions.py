"""Each baseline is its definition: dense matrices, means, and the linear-time raster metric."""

import numpy as np
import pytest
import torch

from cdg_theory import Metric, discrete
from cdg_torch import baselines


@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (3, 2, 3), (5, 4, 2, 2)])
@pytest.mark.parametrize("sigma", [0.0, 0.5, 100.0])
def test_laplacian_smoothing_solves_its_equation(shape, sigma) -> None:
    g = torch.randn(shape, dtype=torch.float64)
    size = g.numel()
    matrix = np.eye(size) + sigma * discrete.graph_laplacian("periodic", size).toarray()
    expected = np.linalg.solve(matrix, g.reshape(-1).numpy())
    k = baselines.laplacian_smoothing(g, sigma)
    # An FFT errs by a few eps per level, the dense solve by its condition number, 1 + 4σ.
    allowed = 2.0**-52 * (1 + 4 * sigma) * size
    assert np.abs(k.reshape(-1).numpy() - expected).max() <= allowed * np.abs(g.numpy()).max()


def test_an_empty_gradient_has_nothing_to_smooth() -> None:
    assert baselines.laplacian_smoothing(torch.empty(0, 3), 2.0).shape == (0, 3)


def test_laplacian_smoothing_is_the_raster_metric() -> None:
    metric = Metric.ordinary_sobolev(3.0, boundary="periodic", spacing="unit")
    g = torch.randn(8, 5, 3, 3)
    difference = baselines.laplacian_smoothing(g, 3.0) - baselines.along_raster(g, metric)
    # float32 FFT of 360 numbers: about log2(360) = 8.5 levels, a few eps each.
    assert difference.abs().max() <= 32 * torch.finfo(torch.float32).eps * g.abs().max()


def test_16_bit_gradients_are_smoothed_wider() -> None:
    g = torch.randn(6, 4).bfloat16()
    k = baselines.laplacian_smoothing(g, 2.0)
    assert torch.equal(k, baselines.laplacian_smoothing(g.float(), 2.0).bfloat16())


def test_centralization_takes_off_the_mean_over_the_other_axes() -> None:
    g = torch.randn(4, 3, 2, 5, dtype=torch.float64)
    for dim in (0, 1, -1):
        k = baselines.gradient_centralization(g, dim=dim)
        rows = (g - k).movedim(dim, 0).reshape(g.shape[dim], -1)
        expected = g.movedim(dim, 0).reshape(g.shape[dim], -1).mean(1, keepdim=True)
        assert torch.allclose(rows, expected.expand_as(rows), rtol=0, atol=1e-15)
    vector = torch.randn(3)
    assert torch.equal(baselines.gradient_centralization(vector), vector)


def test_the_directions() -> None:
    metric = Metric.ordinary_sobolev(0.2)
    g = torch.randn(4, 6, 3, 5, dtype=torch.float64)
    inverse = {
        n: torch.from_numpy(np.linalg.inv(discrete.gram_matrix(metric, n))) for n in (3, 4, 5, 6)
    }
    along = {
        "input": ("oi,pihw->pohw", baselines.along_input(g, metric), 6),
        "input of a transposed": ("oi,ijhw->ojhw", baselines.along_input(g, metric, dim=1), 4),
    }
    for formula, k, n in along.values():
        assert torch.allclose(k, torch.einsum(formula, inverse[n], g), rtol=0, atol=1e-13)
    kernel = torch.einsum("ah,bw,oihw->oiab", inverse[3], inverse[5], g)
    assert torch.allclose(baselines.along_kernel(g, metric), kernel, rtol=0, atol=1e-13)
    pointwise = torch.randn(4, 6, 1, 1)
    assert torch.equal(baselines.along_kernel(pointwise, metric), pointwise)


@pytest.mark.parametrize("sigma", [-1.0, float("nan"), float("inf")])
def test_bad_strength_is_refused(sigma) -> None:
    with pytest.raises(ValueError, match="sigma must be finite"):
        baselines.laplacian_smoothing(torch.ones(3), sigma)
