"""Bad input is refused with cause, value and cure, and nothing is touched."""

import pytest
import torch

import cdg_torch
from cdg_theory import Metric

METRIC = Metric.sobolev(1.0)
GRAD = torch.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize("transform", [cdg_torch.riemannian_gradient, cdg_torch.apply_metric])
@pytest.mark.parametrize(
    ("tensor", "metric", "options", "error", "message"),
    [
        ([1.0], METRIC, {}, TypeError, r"must be a torch\.Tensor, got \[1\.0\] of type list"),
        (GRAD.long(), METRIC, {}, TypeError, r"one of float64, .*got torch\.int64; convert"),
        (GRAD.to(torch.cfloat), METRIC, {}, TypeError, r"got torch\.complex64; convert"),
        (GRAD.to(torch.float8_e5m2), METRIC, {}, TypeError, r"got torch\.float8_e5m2"),
        (GRAD.bool(), METRIC, {}, TypeError, r"got torch\.bool"),
        (GRAD.to_sparse(), METRIC, {}, TypeError, r"dense, got layout .*; call \.to_dense\(\)"),
        (GRAD, 10.0, {}, TypeError, r"metric must be a cdg_theory\.Metric, got 10\.0 of type fl"),
        (GRAD, METRIC, {"dim": 2}, ValueError, r"dim must be an axis .*dim=2 for shape \(4, 6\)"),
        (GRAD, METRIC, {"dim": -3}, ValueError, r"dim=-3"),
        (GRAD, METRIC, {"dim": 0.0}, TypeError, r"dim must be an int, got 0\.0 of type float"),
        (GRAD, METRIC, {"groups": 3}, ValueError, r"divide the 4 output channels .*groups=3"),
        (GRAD, METRIC, {"groups": 0}, ValueError, r"groups=0"),
        (GRAD, METRIC, {"groups": -2}, ValueError, r"groups=-2"),
        (GRAD, METRIC, {"groups": True}, TypeError, r"groups must be an int, got True"),
        (torch.zeros(0, 3), METRIC, {}, ValueError, r"no output channels: axis 0 of shape \(0, 3"),
        (torch.tensor(1.0), METRIC, {}, ValueError, r"dim=0 for shape \(\)"),
    ],
    ids=lambda value: str(value)[:20].replace("\n", ""),
)
def test_refused(transform, tensor, metric, options, error, message) -> None:
    with pytest.raises(error, match=message):
        transform(tensor, metric, **options)


def test_an_empty_column_axis_is_fine() -> None:
    nothing = torch.zeros(4, 0)
    for transform in (cdg_torch.riemannian_gradient, cdg_torch.apply_metric):
        assert transform(nothing, METRIC, groups=2).shape == (4, 0)
    assert cdg_torch.metric_power(nothing, METRIC, 0.5).shape == (4, 0)
    assert cdg_torch.metric_norm(nothing, METRIC).item() == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "metric",
    [
        Metric.reweighted_h0(3.0),
        METRIC,
        Metric.ordinary_sobolev(1.0),
        Metric.ordinary_sobolev(1.0, boundary="periodic"),
    ],
    ids=str,
)
def test_a_bad_number_spoils_its_own_column_only(metric, bad) -> None:
    clean = torch.randn(9, 40, generator=torch.Generator().manual_seed(0))
    spoilt = clean.clone()
    spoilt[4, 17] = bad
    k, reference = (cdg_torch.riemannian_gradient(g, metric) for g in (spoilt, clean))
    others = torch.arange(40) != 17
    assert torch.equal(k[:, others], reference[:, others])
    assert not k[:, 17].isfinite().all()


def test_the_input_is_not_changed() -> None:
    gradient = GRAD.clone()
    cdg_torch.riemannian_gradient(gradient, METRIC)
    cdg_torch.apply_metric(gradient, METRIC)
    assert torch.equal(gradient, GRAD)
