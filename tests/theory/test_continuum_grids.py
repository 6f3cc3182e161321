"""The grids hold the metric's form itself: P1 elements on piecewise linear functions."""

import numpy as np
import pytest

from cdg_theory import Metric
from cdg_theory.continuum.grids import cells, elements
from tests.tools.exact_oracle import EPS

BOUNDARIES = ["natural", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n", [1, 2, 3, 16])
def test_matrices_integrate_hat_functions(boundary, n) -> None:
    grid = elements(n, boundary)
    u = np.cos(3 * grid.nodes) + 2
    ends = np.append(u, u[0]) if boundary == "periodic" else u
    left, right = ends[:-1], ends[1:]
    # On an interval of length h: ∫u² = h(a² + ab + b²)/3 and ∫u′² = (b − a)²/h.
    h = 1 / n
    squares = (h * (left**2 + left * right + right**2) / 3).sum()
    slopes = ((right - left) ** 2 / h).sum()
    assert u @ (grid.mass @ u) == pytest.approx(squares, rel=8 * (n + 2) * EPS)
    assert abs(u @ (grid.stiffness @ u) - slopes) <= 16 * (n + 2) * EPS * n * (u**2).sum()


@pytest.mark.parametrize("make", [cells, elements])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 0.0), (1.0, 0.0, 0.3), (2.0, 3.0, 0.5)])
def test_keeps_the_mean(make, boundary, weights) -> None:
    metric, grid = Metric(*weights, boundary=boundary), make(20, boundary)
    g = np.exp(np.sin(5 * grid.nodes))
    k = grid.gradient(metric, g)
    # A sparse solve: n eps times the condition number, below 12γ·20²/min weight here.
    assert grid.mean @ k == pytest.approx(grid.mean @ g / metric.mean, rel=2400 * 20 * EPS)


def test_l2_is_the_identity() -> None:
    g = np.array([1.0, -2.0, 0.5, 3.0])
    # The mass matrix has condition number below 6.
    k = elements(3).gradient(Metric.l2(), g)
    np.testing.assert_allclose(k, g, rtol=0, atol=6 * 16 * EPS * 3.0)
