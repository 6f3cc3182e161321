"""Theorem 8 at work: signals of a given smoothness err no more than promised at the best λ."""

import numpy as np
import pytest
import sympy as sp

from cdg_theory import Metric, discrete
from cdg_theory.continuum import o
from cdg_theory.continuum.noise import best_lambda, end_bias, noise_bound, worst_bias

FREQUENCIES = {
    "natural": np.pi * np.arange(1, 4001),
    "periodic": np.repeat(2 * np.pi * np.arange(1, 2001), 2),
}


def risk(lam, coefficients, noise, omega):
    """Return bias² plus variance of the ordinary H¹ gradient, mode by mode."""
    keep = 1 / (1 + lam * omega**2)
    return float(((1 - keep) ** 2 * coefficients**2).sum() + noise * (keep**2).sum())


@pytest.mark.parametrize("boundary", FREQUENCIES)
@pytest.mark.parametrize("smoothness", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("family", ["random", "one_mode", "worst"])
def test_the_risk_stays_below_the_promise(boundary, smoothness, family) -> None:
    omega, noise, size = FREQUENCIES[boundary], 1e-3, 2.0
    best = float(best_lambda(smoothness, size, noise))
    if family == "random":
        raw = np.random.default_rng(0).standard_normal(len(omega)) / omega ** (smoothness + 1)
    elif family == "one_mode":
        raw = (omega == omega[6]).astype(float)
    else:  # all its weight at the frequency nearest to the worst
        worst = np.sqrt(max(2 - smoothness, 1e-9) / smoothness / best)
        raw = (np.arange(len(omega)) == np.abs(omega - worst).argmin()).astype(float)
    coefficients = size * raw / np.sqrt((omega ** (2 * smoothness) * raw**2).sum())
    promise = float(worst_bias(smoothness)) * size**2 * best**smoothness
    promise += noise * float(noise_bound(best))
    assert risk(best, coefficients, noise, omega) <= promise
    if family == "worst":
        # The promise is not idle: the worst signal comes near it.
        assert risk(best, coefficients, noise, omega) >= 0.5 * promise


@pytest.mark.parametrize("smoothness", [0.0, -1.0, 2.5])
def test_smoothness_outside_its_range_is_refused(smoothness) -> None:
    with pytest.raises(ValueError, match=r"smoothness must lie in \(0, 2\], got .*; a smoother"):
        worst_bias(smoothness)


@pytest.mark.parametrize("g", [o - sp.Rational(1, 2), o**3, sp.cos(3 * o)], ids=str)
def test_slopes_at_natural_ends_cost_what_is_said(g) -> None:
    nodes = (np.arange(1 << 16) + 0.5) / (1 << 16)
    u = sp.lambdify(o, g, "numpy")(nodes)
    bend = np.sqrt(np.mean((sp.lambdify(o, g.diff(o, 2), "numpy")(nodes) + 0 * nodes) ** 2))
    for lam in (1e-3, 1e-4, 1e-5):
        lost = discrete.riemannian_gradient(u, Metric.ordinary_sobolev(lam)) - u
        said = float(end_bias(g)) * lam**1.5
        # e = k − g solves e − λe″ = λg″ with the slopes of −g: without slopes ‖e‖ ≤ λ‖g″‖, and
        # without g″ it is what is said, up to what the two ends hear of each other.
        size = np.sqrt(np.mean(lost**2))
        assert abs(size - np.sqrt(said)) <= 1.001 * lam * bend + 1e-4 * np.sqrt(said)
