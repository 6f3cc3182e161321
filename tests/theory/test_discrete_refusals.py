"""What takes a metric, a number of channels or a boundary refuses what is none, and says why."""

import numpy as np
import pytest

from cdg_theory import Metric, discrete
from cdg_theory.continuum.grids import cells, elements

GRADIENT = np.ones(3)
BY_BOTH = {
    "sweep_factors": discrete.sweep_factors,
    "eigenvalues": discrete.eigenvalues,
    "inverse_matrix": discrete.inverse_matrix,
    "variance_kept": discrete.variance_kept,
    "gram_operator": discrete.gram_operator,
    "gram_matrix": discrete.gram_matrix,
}
BY_COUNT = {**BY_BOTH, "cells": lambda _, n: cells(n), "elements": lambda _, n: elements(n)}
BY_METRIC = {
    "riemannian_gradient": lambda metric: discrete.riemannian_gradient(GRADIENT, metric),
    "spectral_gradient": lambda metric: discrete.spectral_gradient(GRADIENT, metric),
    "sharded_gradient": lambda metric: discrete.sharded_gradient([GRADIENT], metric),
    "shard_plan": lambda metric: discrete.shard_plan(metric, (3,)),
    **{name: lambda metric, f=f: f(metric, 3) for name, f in BY_BOTH.items()},
}
BY_BOUNDARY = {
    "laplacian_eigenvalues": lambda boundary: discrete.laplacian_eigenvalues(boundary, 4),
    "graph_laplacian": lambda boundary: discrete.graph_laplacian(boundary, 4),
    "to_modes": lambda boundary: discrete.to_modes(GRADIENT, boundary),
    "from_modes": lambda boundary: discrete.from_modes(GRADIENT, boundary),
}


@pytest.mark.parametrize("name", BY_METRIC)
def test_a_number_is_no_metric(name) -> None:
    with pytest.raises(TypeError, match=r"metric must be a cdg_theory\.Metric, got 10\.0 of type"):
        BY_METRIC[name](10.0)


@pytest.mark.parametrize("name", BY_COUNT)
@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (0, ValueError, "must be >= 1, got 0"),
        (-3, ValueError, "must be >= 1, got -3"),
        (3.0, TypeError, r"must be an integer, got 3\.0"),
        (True, TypeError, "must be an integer, got True"),
    ],
)
def test_channels_are_counted(name, n, error, message) -> None:
    with pytest.raises(error, match=message):
        BY_COUNT[name](Metric.sobolev(1.0), n)


@pytest.mark.parametrize("name", BY_BOUNDARY)
def test_there_are_two_boundaries(name) -> None:
    with pytest.raises(ValueError, match="must be one of 'natural', 'periodic', got 'dirichlet'"):
        BY_BOUNDARY[name]("dirichlet")


def test_without_derivative_there_are_no_sweeps() -> None:
    with pytest.raises(ValueError, match=r"metric must have a derivative term.*are no sweeps"):
        discrete.sweep_factors(Metric.reweighted_h0(2.0), 4)


def test_weights_whose_product_leaves_float64_are_refused() -> None:
    metric = Metric(1.0, 1e150, 0.0, 1e150)
    with pytest.raises(ValueError, match="fluctuation times curvature must stay within float64"):
        discrete.riemannian_gradient(np.arange(256.0), metric)
    # Scaled as the message says.
    k = discrete.riemannian_gradient(np.arange(256.0), 1e-20 * metric)
    assert np.isfinite(k).all()
