"""Theorem 10: descent in the metric finds the nearest interpolant; mutants are refused."""

import numpy as np
import pytest

from cdg_theory import Metric, discrete
from cdg_theory.continuum import GreenFunction, o
from tests.tools.planted import refusals, squared

test_mutant_is_refused = refusals(
    ("T10.nearest", "draw_spd", squared),
    (
        "T10.splines",
        "green_function",
        lambda f: lambda m: GreenFunction(f(m).left + o**2, f(m).right + o**2),
    ),
)


@pytest.mark.parametrize(
    "metric", [Metric.reweighted_h0(5.0), Metric.sobolev(0.2), Metric.ordinary_sobolev(0.05)]
)
def test_the_library_finds_it(metric) -> None:
    rng = np.random.default_rng(3)
    rows, target, start = (rng.standard_normal(shape) for shape in ((4, 12), 4, 12))
    inverse = np.linalg.inv(discrete.gram_matrix(metric, 12))
    S = rows @ inverse @ rows.T
    nearest = start + inverse @ rows.T @ np.linalg.solve(S, target - rows @ start)
    smallest, *_, largest = np.linalg.eigvalsh(S)
    tau, w = 2 / (smallest + largest), start.copy()
    # Every step shrinks the residual by (κ − 1)/(κ + 1).
    shrink = (largest - smallest) / (largest + smallest)
    for _ in range(int(np.ceil(np.log(1e-14) / np.log(shrink)))):
        w -= tau * discrete.riemannian_gradient(rows.T @ (rows @ w - target), metric)
    # The residual is 1e-14 of the first; the distance to the limit at most ‖M⁻¹AᵀS⁻¹‖ times it.
    reach = np.linalg.norm(inverse @ rows.T @ np.linalg.inv(S), 2)
    first = np.linalg.norm(rows @ start - target)
    # Rounding: each step commits a few eps, damped by the contraction.
    rounding = 64 * 2.0**-53 * 12 / (1 - shrink) * np.abs(nearest).max() * reach
    assert np.abs(w - nearest).max() <= 1e-14 * reach * first + rounding
