"""T7 is not vacuous: a search finds gradients whose error is a stated fraction of the bound."""

from functools import partial

import numpy as np
import pytest

from cdg_theory import Metric, certify
from cdg_theory.certificates.search import largest_fraction
from cdg_theory.discrete import riemannian_gradient
from cdg_theory.proofs.rounding.functionals import functional_gradient

METRICS = {
    "one line": Metric.reweighted_h0(10.0),
    "running sums": Metric.sobolev(0.1),
    "running sums, cycle": Metric.sobolev(0.1, boundary="periodic"),
    "sweeps": Metric.ordinary_sobolev(0.1),
    "sweeps, cycle": Metric.ordinary_sobolev(0.1, boundary="periodic"),
    "sweeps, small β": Metric(1.0, 1e-12, 10.0),
    "sweeps, small β, cycle": Metric(1.0, 1e-12, 10.0, boundary="periodic"),
    "sweeps, large β": Metric(1.0, 1e6, 1e-6),
}

# The moduli of kernels that know their constants count on no cancellation, neither of the mean nor
# between rows: their bound is wider, and float32 storage has room for it.
FUNCTIONAL_FACTORS = {4: 450.0, 16: 500.0, 64: 1500.0}

# The bound adds up n errors with one sign; those that the search finds have mixed signs. The
# factor that separates them grows like the square root of n, or a little faster.
FACTORS = {4: 25.0, 16: 60.0, 64: 120.0}


@pytest.mark.parametrize("n", FACTORS)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_float64_errors_come_within_a_factor_of_the_bound(metric, n) -> None:
    solve = partial(riemannian_gradient, metric=metric)
    found = largest_fraction(solve, metric, n)
    assert 1 / FACTORS[n] < found <= 1


@pytest.mark.parametrize("n", FUNCTIONAL_FACTORS)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_known_constants_come_within_a_factor_of_their_bound(metric, n) -> None:
    solve = partial(functional_gradient, metric=metric)
    found = largest_fraction(
        solve, metric, n, algorithm="functionals", generations=25, population=32
    )
    assert 1 / FUNCTIONAL_FACTORS[n] < found <= 1


@pytest.mark.parametrize("algorithm", ["closing", "functionals"])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_float32_results_reach_the_bound(metric, algorithm) -> None:
    # With float64 inside, all that is left is the last rounding: half an ulp, and it is reached.
    inside = riemannian_gradient if algorithm == "closing" else functional_gradient

    def solve(g):
        return inside(g.astype(np.float64), metric).astype(np.float32)

    worst = certify(solve, metric, 257, columns=32, dtype="float32", algorithm=algorithm).worst
    assert 0.99 * worst.bound_ulp < worst.error_ulp <= worst.bound_ulp


@pytest.mark.parametrize("n", [16, 256])
def test_float32_sums_come_within_a_factor_of_their_bound(n) -> None:
    from tests.theory.test_certify_mutants import float32_inside

    options = {"columns": 32, "dtype": "float32", "accumulator": "float32"}
    for metric in (Metric.sobolev(0.1), Metric.ordinary_sobolev(0.1, boundary="periodic")):
        certificate = certify(partial(float32_inside, metric=metric), metric, n, **options)
        assert certificate.holds
        assert certificate.worst.share > 1 / 30
