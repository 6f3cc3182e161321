"""Gram matrix and Gram operator are the definition, symmetric and positive definite (theorem 1)."""

import numpy as np
import pytest
from hypothesis import given

from cdg_theory import Metric, discrete
from tests.tools.dense_oracle import gram
from tests.tools.exact_oracle import EPS, exact_gram
from tests.tools.strategies import channel_counts, metrics, seeds


def largest(metric: Metric, n: int) -> float:
    """Return what no eigenvalue of M, and no sum of a row's moduli, is more than twice of."""
    return metric.mean + metric.fluctuation + 4 * metric.stiffness(n) + 16 * metric.rigidity(n)


@given(channel_counts(), metrics())
def test_matrix_is_the_definition(n, metric) -> None:
    matrix = discrete.gram_matrix(metric, n)
    allowed = 8 * EPS * largest(metric, n)
    assert np.abs(matrix - gram(metric, n)).max() <= allowed
    np.testing.assert_array_equal(matrix, matrix.T)


@given(channel_counts(), metrics(), seeds())
def test_operator_is_the_matrix(n, metric, seed) -> None:
    k = np.random.default_rng(seed).standard_normal((n, 2))
    operator, matrix = discrete.gram_operator(metric, n), discrete.gram_matrix(metric, n)
    allowed = 2 * (n + 8) * EPS * largest(metric, n) * np.abs(k).max()
    for product in (operator @ k, operator.H @ k):
        assert np.abs(product - matrix @ k).max() <= allowed
    assert np.abs(operator @ k[:, 0] - matrix @ k[:, 0]).max() <= allowed
    assert operator.shape == (n, n)


@given(channel_counts(max_value=24), metrics())
def test_positive_definite_without_rounding(n, metric) -> None:
    # Sylvester: all leading minors of the exact matrix are positive.
    exact = exact_gram(metric, n)
    for size in range(1, n + 1):
        rows = [[exact[i, j] for j in range(size)] for i in range(size)]
        assert type(exact)(rows).det() > 0


@given(channel_counts(), metrics(), seeds())
def test_undoes_the_gradient(n, metric, seed) -> None:
    k = np.random.default_rng(seed).standard_normal((n, 1))
    back = discrete.riemannian_gradient(discrete.gram_operator(metric, n) @ k, metric)
    # Mk is rounded relative to the largest eigenvalue, the solve amplifies by the smallest.
    spectrum = discrete.eigenvalues(metric, n)
    condition = (spectrum.max() + metric.fluctuation + metric.mean) / spectrum.min()
    assert np.abs(back - k).max() <= 32 * (n + 8) * EPS * condition * np.abs(k).sum()


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_one_and_two_channels(boundary) -> None:
    laplacian = discrete.graph_laplacian
    np.testing.assert_array_equal(laplacian(boundary, 1).toarray(), [[0]])
    edges = 1 if boundary == "natural" else 2
    np.testing.assert_array_equal(
        laplacian(boundary, 2).toarray(), [[edges, -edges], [-edges, edges]]
    )
    np.testing.assert_array_equal(
        discrete.gram_matrix(Metric(3.0, 1.0, 2.0, boundary=boundary), 1), [[3]]
    )
