"""The CPU kernels meet theorem 7's bound against the exact rational gradient, and 8 eps of it.

Weights over many orders of magnitude; constant, nearly constant, alternating, one-hot and mixed
columns; the design's figure of 8 eps on random columns, and 1 ulp for the 16-bit types.
"""

import pytest
from hypothesis import given, settings

from cdg_theory import Metric, certify
from cdg_torch.lab.verify.matrix import LAYOUTS, METRICS, holds_digits, solver
from cdg_torch.lab.verify.paths import DTYPES, PATHS
from tests.tools.kernel_cases import SMOOTHING, most_at_once
from tests.tools.strategies import channel_counts, metrics, seeds

PATH = PATHS["cpu"]


def certificate(metric, n, dtype, **kwargs):
    solve = solver(PATH, metric, dtype, LAYOUTS["contiguous"])
    return certify(solve, metric, n, dtype=dtype, algorithm=PATH.algorithm(dtype), **kwargs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("member", METRICS)
def test_certificate_holds(member, dtype) -> None:
    for n in (1, 2, 3, 50):
        verdict = certificate(METRICS[member], n, dtype)
        assert verdict.holds, str(verdict)


@settings(max_examples=40)
@given(metric=metrics(decades=6.0), n=channel_counts(120), seed=seeds())
def test_certificate_holds_for_any_weights(metric, n, seed) -> None:
    for dtype in ("float64", "float32"):
        verdict = certificate(metric, n, dtype, columns=8, seed=seed)
        assert verdict.holds, str(verdict)


@pytest.mark.parametrize("member", most_at_once(SMOOTHING))
def test_eight_eps_at_4096_channels(member) -> None:
    metric = METRICS[member]
    verdict = certificate(metric, 4096, "float32", columns=8)
    assert verdict.holds, str(verdict)
    for finding in verdict.findings:
        # With a curvature float64 does not hold every kind's k so well: the bound says all there.
        if metric.curvature == 0 or holds_digits(metric, 4096, finding.kind, 8 * 2.0**-23):
            assert finding.max_ulp <= 8, str(verdict)


@pytest.mark.parametrize("weights", [(0.0, 1e12), (1e-3, 1e12)], ids=str)
def test_a_heavy_mean_beside_a_stiff_derivative(weights) -> None:
    # The rounding error of a mean that is 0 must not enter where everything else is 1e-12.
    for boundary in ("natural", "periodic"):
        metric = Metric(1e12, *weights, boundary=boundary)
        for n in (3, 50):
            verdict = certificate(metric, n, "float32", columns=8)
            assert verdict.holds, str(verdict)
            random = next(found for found in verdict.findings if found.kind == "random")
            assert random.error_ulp <= 0.51, str(random)
