"""T8 on networks: white gradient noise keeps tr(M⁻²)/n of its variance, and is measured so."""

import math

import pytest
import torch
from torch import nn

from cdg_theory import Metric, discrete
from cdg_torch.gradient import riemannian_gradient
from cdg_torch.lab.train.data import Split, load_dataset
from cdg_torch.lab.train.models import build
from cdg_torch.lab.train.noise import _moments, measure_noise

METRICS = [
    Metric.reweighted_h0(4.0),
    Metric.sobolev(0.11),
    Metric.ordinary_sobolev(0.5, boundary="periodic"),
]


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_prediction_is_the_variance_of_transformed_white_noise(metric) -> None:
    n, columns = 24, 20_000
    noise = torch.randn(n, columns, generator=torch.Generator().manual_seed(0)).double()
    kept = float(riemannian_gradient(noise, metric).square().sum() / noise.square().sum())
    # Columns are independent: the ratio's relative spread is below 2/sqrt(columns).
    assert kept == pytest.approx(discrete.variance_kept(metric, n), rel=5 * 2 / math.sqrt(columns))


class Linear(nn.Module):
    """A loss whose gradient is white: scores linear in the weight, random images and classes."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 10, 3, bias=False)
        nn.init.zeros_(self.convolution.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).flatten(1)


def test_a_linear_classifier_of_noise_shows_what_theory_predicts() -> None:
    """At zero weights the gradient of class c is (1/10 − [y=c]) x: all but white over channels."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4000, 4, 3, 3, generator=generator)
    split = Split(images, torch.randint(10, (4000,), generator=generator))
    metric = Metric(1.0, 3.0, 0.0)
    (row,) = measure_noise(Linear(), split, metric, batch=8, batches=400)
    # The ten rows of such a gradient sum to zero, so the mean is missing and all is fluctuation:
    # exactly 1/β² is kept, not the white prediction, and the measurement tells them apart.
    assert row.variance_kept == pytest.approx(1 / 9, rel=1e-9)
    assert row.predicted == pytest.approx((1 + 9 / 9) / 10)
    assert row.channels == 10


def test_l2_changes_nothing_and_more_images_mean_less_noise() -> None:
    torch.manual_seed(0)
    model = build("tiny-cnn", 1, 10)
    train = load_dataset("digits", {}).train
    rows = {
        batch: measure_noise(model, train, Metric.l2(), batch=batch, batches=40)
        for batch in (8, 64)
    }
    for small, large in zip(rows[8], rows[64], strict=True):
        assert small.variance_kept == pytest.approx(1)
        assert small.signal_kept == pytest.approx(1)
        assert large.variance < small.variance / 3
    with pytest.raises(ValueError, match="batches must be >= 2"):
        measure_noise(model, train, Metric.l2(), batch=8, batches=1)


def test_signal_is_estimated_without_the_noise_left_in_the_mean() -> None:
    generator = torch.Generator().manual_seed(2)
    mean = torch.full((5,), 0.3, dtype=torch.float64)
    trials, batches = 2000, 4
    noise = torch.randn(trials, batches, 5, generator=generator, dtype=torch.float64)
    moments = torch.tensor([_moments(mean + draw) for draw in noise])
    expected = torch.tensor([5.0, 0.45])
    error = moments.std(0) / math.sqrt(trials)
    assert ((moments.mean(0) - expected).abs() < 5 * error).all()
    # The naive estimate would be off by variance / batches, far beyond that.
    assert 5 / batches > 10 * error[1]
