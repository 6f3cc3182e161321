"""The finite-element variant is the metric's form on piecewise linear functions (theorem 6)."""

import numpy as np
import pytest

from cdg_theory import Metric
from cdg_theory.discrete import finite_elements as fe
from tests.exact_oracle import EPS

BOUNDARIES = ["natural", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("elements", [1, 2, 3, 16])
def test_matrices_integrate_hat_functions(boundary, elements) -> None:
    mass, stiffness = fe.mass_matrix(boundary, elements), fe.stiffness_matrix(boundary, elements)
    nodes = fe.finite_element_nodes(boundary, elements)
    u = np.cos(3 * nodes) + 2
    ends = np.append(u, u[0]) if boundary == "periodic" else u
    left, right = ends[:-1], ends[1:]
    # On an interval of length h: ∫u² = h(a² + ab + b²)/3 and ∫u′² = (b − a)²/h.
    h = 1 / elements
    squares = (h * (left**2 + left * right + right**2) / 3).sum()
    slopes = ((right - left) ** 2 / h).sum()
    assert u @ mass @ u == pytest.approx(squares, rel=8 * (elements + 2) * EPS)
    allowed = 16 * (elements + 2) * EPS * elements * (u**2).sum()
    assert abs(u @ stiffness @ u - slopes) <= allowed


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 0.0), (1.0, 0.0, 0.3), (2.0, 3.0, 0.5)])
def test_keeps_the_mean(boundary, weights) -> None:
    metric = Metric(*weights, boundary=boundary)
    nodes = fe.finite_element_nodes(boundary, 20)
    g = np.exp(np.sin(5 * nodes))
    k = fe.finite_element_gradient(g, metric)
    means = fe.mass_matrix(boundary, 20).sum(axis=0)
    # A dense solve: n eps times the condition number, below 4γ·20²/min weight here.
    assert means @ k == pytest.approx(means @ g / metric.mean, rel=1000 * 20 * EPS)


def test_l2_is_the_identity() -> None:
    g = np.array([1.0, -2.0, 0.5, 3.0])
    # The mass matrix has condition number below 6.
    np.testing.assert_allclose(
        fe.finite_element_gradient(g, Metric.l2()), g, atol=6 * 16 * EPS * 3.0
    )


def test_one_interval_is_enough() -> None:
    # Two nodes: g = 2 ± 1, L² in the mean, and a slope of ∓2 whose square is 4 times the weight 1.
    metric = Metric(1.0, 0.0, 1.0)
    # The fluctuation ±1 has mass 1/3 against g's slope: 4k = 1/3.
    k = fe.finite_element_gradient(np.array([1.0, 3.0]), metric)
    np.testing.assert_allclose(k, [2 - 1 / 12, 2 + 1 / 12], rtol=16 * EPS)


def test_needs_an_interval() -> None:
    with pytest.raises(ValueError, match="at least one interval, got 1"):
        fe.finite_element_gradient(np.ones(1), Metric.l2())
