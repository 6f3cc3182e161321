"""T18: with a curvature too, the torch gradient is M⁻¹g and apply_metric Mg, for the dense M.

M is written from its definition; weights over four orders of magnitude, with and without each of
the lower terms; by the kernels and by the reference.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric
from cdg_torch import apply_metric, backend, riemannian_gradient
from tests.tools.dense_oracle import gram, in_blocks
from tests.tools.kernel_cases import CURVED
from tests.tools.strategies import channel_counts, gradients, weights

UNIT_ROUNDOFF = {torch.float64: 2.0**-53, torch.float32: 2.0**-24}


@st.composite
def curved_metrics(draw):
    """Draw a member of second order; the lower terms may be absent, the roots be double."""
    beta, gamma = (draw(st.one_of(st.just(0.0), weights(2.0))) for _ in range(2))
    delta = draw(weights(2.0))
    if beta and draw(st.booleans()):
        gamma = 2 * (beta * delta) ** 0.5
    ends = {
        "boundary": draw(st.sampled_from(["natural", "periodic"])),
        "spacing": draw(st.sampled_from(["normalized", "unit"])),
    }
    return Metric(draw(weights(2.0)), beta, gamma, delta, **ends)


def check(tensor, metric, dim=0, groups=1) -> None:
    n = tensor.shape[dim] // groups
    matrix = gram(metric, n)
    inverse = np.linalg.inv(matrix)
    for transform, operator in ((riemannian_gradient, inverse), (apply_metric, matrix)):
        result = transform(tensor, metric, dim=dim, groups=groups)
        expected = in_blocks(lambda rows, own=operator: own @ rows, tensor, dim, groups)
        # As for first order: one rounding, and the error of the dense inverse in float64.
        largest = np.abs(tensor.double().numpy()).max() * np.abs(operator).sum(1).max()
        dense_error = 8 * n * 2.0**-53 * np.linalg.cond(matrix) * largest
        error = np.abs(result.double().numpy() - expected)
        assert np.all(error <= UNIT_ROUNDOFF[tensor.dtype] * np.abs(expected) + dense_error)


@given(
    data=st.data(),
    n=channel_counts(64),
    metric=curved_metrics(),
    dim=st.integers(0, 1),
    groups=st.integers(1, 2),
    dtype=st.sampled_from(list(UNIT_ROUNDOFF)),
    name=st.sampled_from(["cpu", "reference"]),
)
def test_agrees_with_dense_linear_algebra(data, n, metric, dim, groups, dtype, name) -> None:
    g = data.draw(gradients(n * groups, columns=(3,)))
    with backend(name):
        check(torch.tensor(np.moveaxis(g, 0, dim), dtype=dtype), metric, dim, groups)


@pytest.mark.parametrize("name", ["cpu", "reference"])
@pytest.mark.parametrize("member", CURVED)
def test_the_fewest_channels(member, name) -> None:
    for n in (1, 2, 3, 4):
        with backend(name):
            check(torch.eye(n, dtype=torch.float64), CURVED[member])
