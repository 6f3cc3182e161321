"""T5: the torch gradient is M⁻¹g, and apply_metric Mg, for dense matrices written out here."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric
from cdg_torch import apply_metric, riemannian_gradient
from tests.tools.dense_oracle import gram, in_blocks
from tests.tools.strategies import channel_counts, gradients, metrics, seeds

UNIT_ROUNDOFF = {torch.float64: 2.0**-53, torch.float32: 2.0**-24}


@st.composite
def cases(draw):
    """Draw a tensor with its output channels on some axis, in some groups and some layout."""
    n, groups = draw(channel_counts(64)), draw(st.integers(1, 3))
    dim = draw(st.integers(0, 2))
    columns = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    g = np.moveaxis(draw(gradients(n * groups, columns=columns)), 0, dim)
    order = draw(st.permutations(range(3)))
    tensor = torch.tensor(g, dtype=draw(st.sampled_from(list(UNIT_ROUNDOFF))))
    dense = tensor.permute(order).contiguous().permute(tuple(np.argsort(order)))
    # A view of every second number of a larger buffer is no dense layout, and is served too.
    sparse = torch.zeros(*tensor.shape, 2, dtype=tensor.dtype)[..., 0].copy_(tensor)
    return draw(st.sampled_from([dense, sparse])), dim, groups, draw(metrics(decades=2.0))


@given(case=cases())
def test_agrees_with_dense_linear_algebra(case) -> None:
    tensor, dim, groups, metric = case
    n = tensor.shape[dim] // groups
    matrix = gram(metric, n)
    inverse = np.linalg.inv(matrix)
    for transform, operator in ((riemannian_gradient, inverse), (apply_metric, matrix)):
        result = transform(tensor, metric, dim=dim, groups=groups)
        assert result.shape == tensor.shape
        assert result.dtype == tensor.dtype
        expected = in_blocks(lambda rows, own=operator: own @ rows, tensor, dim, groups)
        # One rounding to the storage type, and the error of the dense inverse in float64
        # (Higham, Accuracy and Stability, 14.1: n·u·cond·‖M⁻¹‖, with a modest constant).
        largest = np.abs(tensor.double().numpy()).max() * np.abs(operator).sum(1).max()
        dense_error = 8 * n * 2.0**-53 * np.linalg.cond(matrix) * largest
        error = np.abs(result.double().numpy() - expected)
        assert np.all(error <= UNIT_ROUNDOFF[tensor.dtype] * np.abs(expected) + dense_error)


@given(n=channel_counts(64), metric=metrics(decades=2.0), seed=seeds())
def test_the_mean_over_channels_is_kept_up_to_its_weight(n, metric, seed) -> None:
    g = torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    k = riemannian_gradient(g, metric)
    size = k.abs().max() + g.abs().max() / metric.mean
    assert ((k.mean(0) - g.mean(0) / metric.mean).abs() <= 4 * n * 2.0**-53 * size).all()


@given(n=channel_counts(64), metric=metrics(decades=2.0), seed=seeds())
def test_is_self_adjoint(n, metric, seed) -> None:
    # A dot test proves symmetry, not correctness: the dense comparison above stands beside it.
    g, h = torch.randn(2, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    left, right = g @ riemannian_gradient(h, metric), h @ riemannian_gradient(g, metric)
    softest = np.linalg.eigvalsh(gram(metric, n))[0]
    assert abs(left - right) <= 32 * n * 2.0**-53 * g.norm() * h.norm() / softest


@given(n=channel_counts(64), metric=metrics(decades=2.0), seed=seeds())
def test_metric_and_gradient_undo_each_other(n, metric, seed) -> None:
    g = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    back = apply_metric(riemannian_gradient(g, metric), metric)
    condition = np.linalg.cond(gram(metric, n))
    assert ((back - g).abs() <= 32 * n * 2.0**-53 * condition * g.abs().max()).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "metric",
    [
        Metric.reweighted_h0(9.0),
        Metric.sobolev(0.2),
        Metric.sobolev(0.2, boundary="periodic"),
        Metric.ordinary_sobolev(0.2, boundary="periodic", spacing="unit"),
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 2, 3, 65, 512])
def test_half_types_are_rounded_once(n, metric, dtype) -> None:
    g = torch.randn(n, 64, generator=torch.Generator().manual_seed(n)).to(dtype)
    wide = riemannian_gradient(g.double(), metric)
    # At most one ulp at the largest result of the column.
    ulp = torch.finfo(dtype).eps * 2.0 ** wide.abs().amax(0).log2().floor()
    assert ((riemannian_gradient(g, metric).double() - wide).abs() <= ulp).all()
