"""``cdg verify`` holds every finding to a figure besides the bound: its largest error counts."""

import dataclasses

import pytest

from cdg_theory import Metric
from cdg_theory.certificates import Finding, certify
from cdg_theory.discrete import riemannian_gradient
from cdg_torch.lab.verify import Case, CaseResult
from cdg_torch.lab.verify.matrix import METRICS

METRIC = "Sobolev λ=0.11 periodic"


def result(dtype: str, kind: str, max_ulp: float) -> CaseResult:
    """Return a case whose only finding is at a tenth of its bound, with this largest error."""
    finding = Finding(kind, 0.1, 1.0, 0, 0, 1.0, 1.0, max_ulp)
    blank = certify(lambda g: riemannian_gradient(g, Metric.l2()), Metric.l2(), 2)
    certificate = dataclasses.replace(blank, n=64, dtype=dtype, findings=(finding,))
    return CaseResult(Case("reference", METRIC, 64, dtype, "contiguous"), certificate, 0.0)


@pytest.mark.parametrize(
    ("dtype", "kind", "figure"),
    [
        ("float32", "ramp", 8.0),
        ("bfloat16", "ramp", 1.0),
        ("float16", "random", 1.0),
        ("float64", "random", 64.0),
    ],
)
def test_the_largest_error_is_held_to_the_figure(dtype, kind, figure) -> None:
    assert result(dtype, kind, figure).holds
    assert [f.max_ulp for f in result(dtype, kind, 1.01 * figure).failures] == [1.01 * figure]


def test_in_float64_only_normal_deviates_have_a_figure() -> None:
    # The ramp does err by more than n ulp, far under its bound: a figure would be a false promise.
    metric = METRICS[METRIC]
    certificate = certify(lambda g: riemannian_gradient(g, metric), metric, 512)
    errors = {finding.kind: finding.max_ulp for finding in certificate.findings}
    assert certificate.holds
    assert errors["random"] <= 512 < max(errors.values())
    assert result("float64", "ramp", max(errors.values())).holds
