"""Close to the largest and the smallest float64, columns keep all digits: no sum overflows (T7).

The map is linear and a power of two is exact: the result is that of the column at order one, times
the same power, bit for bit, until the result itself leaves the range.
"""

import numpy as np
import pytest
import torch

import cdg_torch
from cdg_theory import discrete
from cdg_torch import Metric
from tests.tools.kernel_cases import MEMBERS, MODERATE

RNG = np.random.default_rng(0)
COLUMNS = {
    "constant": np.ones((33, 1)),
    "alternating": np.resize([1.0, -1.0], 33)[:, None],
    "random": RNG.uniform(-1, 1, (33, 20)),
    "one row": np.eye(33)[:, :3],
}


TRANSFORMS = ["reference", "cpu", "apply_metric", "numpy"]


def transformed(g, metric, transform):
    tensor = torch.from_numpy(g)
    if transform == "numpy":
        return discrete.riemannian_gradient(g, metric)
    if transform == "apply_metric":
        return cdg_torch.apply_metric(tensor, metric).numpy()
    with cdg_torch.backend(transform):
        return cdg_torch.riemannian_gradient(tensor, metric).numpy()


@pytest.mark.parametrize("member", MODERATE)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_power_of_two_changes_no_digit(transform, member) -> None:
    metric = MEMBERS[member]
    for name, g in COLUMNS.items():
        k = transformed(g, metric, transform)
        # What of gradient and result float64 can hold, with all their digits.
        size = int(np.frexp(max(np.abs(k).max(), 1.0))[1])
        least = min(np.abs(u[u != 0]).min() for u in (g, k))
        normal = int(np.frexp(least)[1])
        for exponent in (1024 - size, -1000 - normal):
            scaled = transformed(np.ldexp(g, exponent), metric, transform)
            assert np.array_equal(scaled, np.ldexp(k, exponent)), (name, exponent)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_smallest_numbers_are_numbers(transform) -> None:
    g = np.array([[7.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    metric = Metric(1.0, 2.0 if transform == "apply_metric" else 0.5)
    tiny = transformed(np.ldexp(g, -1074), metric, transform)
    assert np.array_equal(tiny, np.ldexp([[10.0, 0.0], [-2.0, 0.0], [4.0, 0.0]], -1074))


def test_a_result_beyond_the_range_is_infinite_and_nothing_else_is() -> None:
    g = torch.tensor([[1.7e308, 1.0], [-1.7e308, 2.0]], dtype=torch.float64)
    k = cdg_torch.riemannian_gradient(g, Metric.reweighted_h0(0.5))
    assert k[:, 0].tolist() == [float("inf"), -float("inf")]
    assert k[:, 1].tolist() == [0.5, 2.5]
