"""DCT-II and DFT diagonalise the Gram matrix, with the eigenvalues of the page (theorems 1, 2)."""

import numpy as np
import pytest
from hypothesis import given

from cdg_theory import Metric, discrete
from tests.tools.exact_oracle import EPS
from tests.tools.strategies import channel_counts, metrics, seeds


@given(channel_counts(max_value=200), metrics())
def test_transforms_diagonalise(n, metric) -> None:
    gram = discrete.gram_matrix(metric, n)
    # V M Vᴴ: transform the columns, then the rows (of the conjugate, for the DFT).
    columns = discrete.to_modes(gram, metric.boundary)
    diagonal = discrete.to_modes(columns.conj().T, metric.boundary).conj().T
    spectrum = discrete.eigenvalues(metric, n)
    # Orthonormal transforms with n-term sums; the entries of M are sums of three weights.
    allowed = 8 * (n + 4) * EPS * np.abs(gram).sum(axis=1).max()
    assert np.abs(diagonal - np.diag(spectrum)).max() <= allowed


@given(channel_counts(max_value=200), metrics())
def test_positive_and_lowest_at_mode_one(n, metric) -> None:
    spectrum = discrete.eigenvalues(metric, n)
    assert (spectrum > 0).all()
    if n > 1:
        assert spectrum[1:].min() == spectrum[1]


@given(channel_counts(max_value=120), metrics(decades=3.0))
def test_eigenvalues_of_the_dense_matrix(n, metric) -> None:
    # LAPACK's symmetric solver: backward error a modest multiple of n eps ‖M‖.
    dense = np.linalg.eigvalsh(discrete.gram_matrix(metric, n))
    ours = np.sort(discrete.eigenvalues(metric, n))
    assert np.abs(dense - ours).max() <= 4 * (n + 4) * EPS * ours[-1]


@given(channel_counts(), metrics(), seeds())
def test_spectral_gradient_is_the_swept_one(n, metric, seed) -> None:
    g = np.random.default_rng(seed).standard_normal((n, 2))
    swept, spectral = (
        solve(g, metric) for solve in (discrete.riemannian_gradient, discrete.spectral_gradient)
    )
    # The transform errs by n eps ‖g‖ in every mode at worst, and the lowest mode amplifies most.
    gain = 1 / discrete.eigenvalues(metric, n).min()
    allowed = 32 * (n + 8) * EPS * gain * np.linalg.norm(g, axis=0)
    assert (np.abs(swept - spectral) <= allowed).all()


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@given(n=channel_counts(), seed=seeds())
def test_there_and_back(boundary, n, seed) -> None:
    u = np.random.default_rng(seed).standard_normal((n, 3))
    modes = discrete.to_modes(u, boundary)
    back = discrete.from_modes(modes, boundary)
    scale = np.linalg.norm(u, axis=0)
    assert (np.abs(back - u) <= 4 * (n + 4) * EPS * scale).all()
    # Orthonormal: lengths are kept.
    assert (np.abs(np.linalg.norm(modes, axis=0) - scale) <= 4 * (n + 4) * EPS * scale).all()


def test_known_values() -> None:
    np.testing.assert_allclose(discrete.laplacian_eigenvalues("natural", 2), [0, 2], atol=4 * EPS)
    np.testing.assert_allclose(discrete.laplacian_eigenvalues("periodic", 2), [0, 4], atol=8 * EPS)
    np.testing.assert_array_equal(discrete.laplacian_eigenvalues("natural", 1), [0])
    np.testing.assert_array_equal(discrete.laplacian_eigenvalues("periodic", 1), [0])
    np.testing.assert_array_equal(discrete.eigenvalues(Metric(7.0, 2.0, 3.0), 1), [7])


@pytest.mark.parametrize("n", [2, 7, 64, 241])
def test_a_frequency_has_one_eigenvalue_on_the_cycle(n) -> None:
    spectrum = discrete.laplacian_eigenvalues("periodic", n)[1:]
    np.testing.assert_array_equal(spectrum, spectrum[::-1])
