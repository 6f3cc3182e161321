"""The symbolic gradient is the limit of both grids, at second order (theorems 2 and 6)."""

import numpy as np
import pytest
import sympy as sp

from cdg_theory import Metric, discrete
from cdg_theory.continuum import InnerProduct, green_function, o, riemannian_gradient
from cdg_theory.continuum.functions import s
from cdg_theory.continuum.grids import cells, elements

# Not symmetric, and on the circle with a corner where its ends meet.
G = o**2 * (1 - o)
METRICS = [
    Metric.sobolev(0.3),
    Metric.sobolev(0.3, boundary="periodic"),
    Metric.ordinary_sobolev(0.05),
    Metric(2.0, 0.5, 0.1, boundary="periodic"),
]


def errors(metric, make, sizes=(16, 32, 64, 128)):
    """Return the largest error of the grid's gradient, per size."""
    exact = sp.lambdify(o, riemannian_gradient(G, InnerProduct.of(metric)))
    sampled = sp.lambdify(o, G)
    found = []
    for grid in (make(n, metric.boundary) for n in sizes):
        difference = grid.gradient(metric, sampled(grid.nodes)) - exact(grid.nodes)
        found.append(np.abs(difference).max())
    return np.array(found)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("make", [cells, elements])
def test_second_order(metric, make) -> None:
    found = errors(metric, make)
    slopes = np.log2(found[:-1] / found[1:])
    assert np.abs(slopes - 2).max() < 0.1
    # Taylor: inside, h²/12 of γk″″ = βk″ − g″, against a kernel of mass 1/(8γ) at most; at the
    # ends (or g's corner) h²/12 of g's slope or jump, against a kernel of height 1/(3γ) at most;
    # the mean, h²/12 of g″ (both grids' quadratures are within that). |g″| ≤ 4, |g′| ≤ 1.
    k = riemannian_gradient(G, InnerProduct.of(metric))
    points = np.linspace(0, 1, 400)
    curvature = np.abs(sp.lambdify(o, k.diff(o, 2))(points)).max()
    inside = (metric.fluctuation * curvature + 4) / (8 * metric.derivative)
    ends = 2 * 1.0 / (3 * metric.derivative)
    mean = 4 * (1 / metric.mean + 1 / (8 * metric.derivative))
    assert found[-1] <= (inside + ends + mean) / 12 / 128**2


@pytest.mark.parametrize("metric", [*METRICS, Metric.reweighted_h0(3.0)], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 17, 64])
def test_cells_are_the_library(metric, n) -> None:
    g = np.random.default_rng(n).standard_normal(n)
    smallest = min(metric.mean, metric.fluctuation + 8 * metric.derivative)
    largest = metric.mean + metric.fluctuation + 4 * metric.derivative * n**2
    bound = 8 * n * 2.0**-53 * largest / smallest * np.abs(g).max() * np.sqrt(n) / smallest
    found = cells(n, metric.boundary).gradient(metric, g)
    assert np.abs(found - discrete.riemannian_gradient(g, metric)).max() <= bound


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_the_kernel_is_a_row_of_the_inverse(boundary) -> None:
    metric = Metric(1.0, 2.0, 0.25, boundary=boundary)
    n = 65
    row = n * discrete.inverse_matrix(metric, n)[20]
    kernel = green_function(InnerProduct.of(metric))
    nodes = (np.arange(n) + 0.5) / n
    halves = (kernel.left if x <= nodes[20] else kernel.right for x in nodes)
    exact = [float(k.subs({o: x, s: nodes[20]})) for k, x in zip(halves, nodes, strict=True)]
    # A point source on a grid: h²/12 of the kernel's fourth derivative over γ, and of its slope.
    assert np.abs(row - exact).max() <= 1 / metric.derivative / n**2
    assert np.abs(row - exact).max() > 0


@pytest.mark.parametrize("metric", [Metric.reweighted_h0(4.0), Metric(2.0, 3.0)], ids=str)
def test_without_derivative_the_only_error_is_the_mean(metric) -> None:
    grid = cells(32)
    sampled = sp.lambdify(o, G)(grid.nodes)
    exact = sp.lambdify(o, riemannian_gradient(G, InnerProduct.of(metric)))(grid.nodes)
    difference = grid.gradient(metric, sampled) - exact
    wrong_mean = (sampled.mean() - float(sp.integrate(G, (o, 0, 1)))) * (
        1 / metric.mean - 1 / metric.fluctuation
    )
    np.testing.assert_allclose(difference, wrong_mean, rtol=0, atol=64 * 2.0**-53)
