"""A certificate is a record: read back from JSON it is the same, and it prints its verdict."""

import json
import math

import numpy as np
import pytest

from cdg_theory import Metric, certify
from cdg_theory.certificates import Certificate
from cdg_theory.certificates.draws import KINDS
from cdg_theory.discrete import riemannian_gradient

METRIC = Metric(1.0, 0.25, 3.0, boundary="periodic")


def right(g):
    return riemannian_gradient(g, METRIC)


def wrong(g):
    return np.where(np.arange(len(g))[:, None] == 2, np.inf, g)


@pytest.mark.parametrize("solve", [right, wrong])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_json_round_trip(solve, dtype) -> None:
    certificate = certify(solve, METRIC, 7, dtype=dtype, seed=5)
    assert Certificate.from_json(certificate.to_json()) == certificate
    content = json.loads(certificate.to_json())
    assert content["dtype"] == dtype
    assert content["metric"]["derivative"] == 3.0
    assert {finding["kind"] for finding in content["findings"]} == set(KINDS)


def test_holds_and_bound_are_those_of_the_finding_nearest_its_bound() -> None:
    good, bad = certify(right, METRIC, 9), certify(wrong, METRIC, 9)
    assert good.holds
    assert good.bound == good.worst.bound_ulp
    assert good.worst.share == max(finding.share for finding in good.findings) <= 1
    assert good.holds == all(finding.holds for finding in good.findings)
    assert not bad.holds
    assert bad.max_ulp == math.inf
    assert str(good).startswith("Certificate holds: n = 9, float64")
    assert str(bad).startswith("Certificate FAILS: n = 9, float64")
    for certificate in (good, bad):
        lines = str(certificate).splitlines()[2:]
        marks = [line[0] for line in lines]
        assert marks == [" " if finding.holds else "!" for finding in certificate.findings]
    assert "!" in marks


def test_the_same_seed_draws_the_same_gradients() -> None:
    seen = []

    def solve(g):
        seen.append(g.copy())
        return right(g)

    first, again = certify(solve, METRIC, 9, seed=1), certify(solve, METRIC, 9, seed=1)
    other = certify(solve, METRIC, 9, seed=2)
    assert first == again
    np.testing.assert_array_equal(seen[0], seen[1])
    assert first != other
    assert (seen[0] != seen[2]).any()


def test_a_solver_may_overwrite_its_argument() -> None:
    def solve(g):
        g[:] = right(g)
        return g

    assert certify(solve, METRIC, 9) == certify(right, METRIC, 9)


def test_half_types_travel_as_float32() -> None:
    def solve(g):
        assert g.dtype == np.float32
        np.testing.assert_array_equal(g.astype(np.float16), g)
        return right(g.astype(np.float64)).astype(np.float16)

    assert certify(solve, METRIC, 33, dtype="float16").holds


def test_text_that_is_no_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        Certificate.from_json("{}")
    with pytest.raises(ValueError, match="not a certificate"):
        Certificate.from_json("[1")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, METRIC, 4), {}, TypeError, r"solve must be callable, got 3 of type int"),
        ((right, 3, 4), {}, TypeError, r"metric must be a cdg_theory\.Metric, got 3"),
        ((right, METRIC, 0), {}, ValueError, r"must be >= 1, got 0"),
        ((right, METRIC, 2.0), {}, TypeError, r"must be an integer, got 2\.0"),
        ((right, METRIC, 4), {"columns": 0}, ValueError, r"columns must be .* >= 1, got 0"),
        ((right, METRIC, 4), {"dtype": "int8"}, ValueError, r"dtype must be one of .*'int8'"),
        ((right, METRIC, 4), {"accumulator": "x"}, ValueError, r"accumulator must be one of .*'x'"),
        ((right, METRIC, 4), {"algorithm": "fft"}, ValueError, r"algorithm must be .*'fft'"),
        ((right, METRIC, 400), {"accumulator": "bfloat16"}, ValueError, r"too narrow for n = 400"),
        ((lambda g: g[:-1], METRIC, 4), {}, ValueError, r"shape it is given, \(4, 16\), got \(3,"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, error, message) -> None:
    with pytest.raises(error, match=message):
        certify(*arguments, **options)


def test_a_result_that_the_dtype_cannot_hold_is_refused() -> None:
    metric = Metric.reweighted_h0(1e-12)
    with pytest.raises(ValueError, match=r"use a wider dtype"):
        certify(lambda g: g, metric, 4, dtype="float16")
    assert certify(lambda g: riemannian_gradient(g, metric), metric, 4, dtype="float32").holds


def test_every_kind_is_drawn_in_a_range_where_its_result_can_be_stored() -> None:
    # λ = 1000 shrinks fluctuations below float16's normal numbers, unless the draw is scaled up.
    metric = Metric.sobolev(1e3)
    outcome = []

    def solve(g):
        outcome.append(np.abs(riemannian_gradient(g.astype(np.float64), metric)).max(axis=0))
        return riemannian_gradient(g.astype(np.float64), metric).astype(np.float16)

    assert certify(solve, metric, 16, dtype="float16").holds
    assert (outcome[0] < np.finfo(np.float16).max).all()
    assert np.median(outcome[0]) > np.finfo(np.float16).tiny
