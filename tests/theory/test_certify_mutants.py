"""certify refuses wrong solvers, and says where they are wrong."""

from dataclasses import replace

import numpy as np
import pytest

from cdg_theory import Metric, certify
from cdg_theory.certificates import examine
from cdg_theory.discrete import riemannian_gradient, sweep_factors
from cdg_theory.discrete.sweeps import solve_fluctuation, split_mean

SOBOLEV = Metric.sobolev(0.3)
GENERAL = Metric(2.0, 0.5, 0.1)
CYCLE = Metric.ordinary_sobolev(0.2, boundary="periodic")


def parts(g, metric):
    """Return mean, fluctuation part: k = mean/α + x."""
    k = riemannian_gradient(np.asarray(g, dtype=np.float64), metric)
    mean = k.mean(axis=0)
    return mean, k - mean


def wrong_sign(g, metric):
    mean, x = parts(g, metric)
    return mean - x


def mean_over_n_minus_one(g, metric):
    mean, x = parts(g, metric)
    return mean * len(g) / (len(g) - 1) + x


def mean_weight_forgotten(g, metric):
    return riemannian_gradient(g, replace(metric, mean=1.0))


def spacing_forgotten(g, metric):
    return riemannian_gradient(g, replace(metric, spacing="unit"))


def other_boundary(g, metric):
    other = "periodic" if metric.boundary == "natural" else "natural"
    return riemannian_gradient(g, replace(metric, boundary=other))


def transposed_rows(g, metric):
    k = riemannian_gradient(g, metric)
    k[[0, 1]] = k[[1, 0]]
    return k


def last_row_off_by_one_part_in_a_million(g, metric):
    k = riemannian_gradient(g, metric)
    k[-1] *= 1 + 1e-6
    return k


def fluctuation_dropped_from_the_pivots(g, metric):
    return riemannian_gradient(g, replace(metric, fluctuation=metric.fluctuation * (1 - 1e-9)))


def gradient_itself(g, _metric):
    return g


def mean_taken_off_once(g, metric):
    mean = g.mean(axis=0)
    return mean / metric.mean + solve_fluctuation(g - mean, sweep_factors(metric, len(g)))


def float32_inside(g, metric):
    """Run the reference's algorithm with every intermediate result in float32."""
    factors = sweep_factors(metric, len(g))
    narrow = type(factors)(
        *(
            None if (f := getattr(factors, name)) is None else f.astype(np.float32)
            for name in ("carry", "gain", "closure", "flux")
        )
    )
    mean, r = split_mean(g.astype(np.float32))
    return mean / np.float32(metric.mean) + solve_fluctuation(r, narrow)


def not_a_number_in_one_column(g, metric):
    k = riemannian_gradient(g, metric)
    k[2, 1] = np.nan
    return k


def scaled_by_the_largest_entry(g, metric):
    # Harmless rescaling, but for a column that is all zero: 0/0.
    size = np.abs(g).max(axis=0)
    with np.errstate(invalid="ignore"):
        return size * riemannian_gradient(g / size, metric)


WRONG = [
    (wrong_sign, GENERAL, {}),
    (mean_over_n_minus_one, GENERAL, {}),
    (mean_weight_forgotten, GENERAL, {}),
    (spacing_forgotten, SOBOLEV, {}),
    (other_boundary, SOBOLEV, {}),
    (other_boundary, CYCLE, {}),
    (transposed_rows, SOBOLEV, {}),
    (last_row_off_by_one_part_in_a_million, SOBOLEV, {"dtype": "float32"}),
    (fluctuation_dropped_from_the_pivots, Metric(1.0, 1e3, 1e-9), {}),
    (gradient_itself, Metric.reweighted_h0(1 + 1e-12), {}),
    (not_a_number_in_one_column, SOBOLEV, {}),
    (scaled_by_the_largest_entry, GENERAL, {}),
    (mean_taken_off_once, Metric(1.0, 1e-12, 1e-12), {}),
    (mean_taken_off_once, Metric(1.0, 1e-9, 1e-12, boundary="periodic"), {}),
]


@pytest.mark.parametrize(
    ("solve", "metric", "options"), WRONG, ids=lambda v: getattr(v, "__name__", "")
)
@pytest.mark.parametrize("n", [3, 16, 255])
def test_a_wrong_solver_is_refused(solve, metric, options, n) -> None:
    if (solve, n) == (mean_taken_off_once, 3):
        n = 31  # the sum of three numbers is too often exact
    certificate = certify(lambda g: solve(g, metric), metric, n, **options)
    assert not certificate.holds
    assert certificate.max_ulp > certificate.bound
    # The right solver is accepted on the same draws: it is the solver that was refused.
    assert certify(lambda g: riemannian_gradient(g, metric), metric, n, **options).holds


@pytest.mark.parametrize("metric", [SOBOLEV, GENERAL, CYCLE], ids=str)
def test_float32_sums_are_refused_where_float64_is_claimed(metric) -> None:
    def solve(g):
        return float32_inside(g, metric)

    refused = certify(solve, metric, 4096, columns=8, dtype="float32")
    assert not refused.holds
    # As what it is, float32 with float32 inside, it is accepted.
    claim = certify(solve, metric, 4096, columns=8, dtype="float32", accumulator="float32")
    assert claim.holds


def test_the_certificate_says_where() -> None:
    metric = SOBOLEV

    def solve(g):
        k = riemannian_gradient(g, metric)
        k[17, 3] += 1e-3 * np.abs(k[:, 3]).max()
        return k

    certificate = certify(solve, metric, 40)
    worst = certificate.worst
    assert (worst.row, worst.column) == (17, 3)
    assert worst.got != worst.expected
    assert f"row 17, column 3: expected {worst.expected!r}, got {worst.got!r}" in str(certificate)
    # The other kinds of gradient are cleared.
    assert [f.kind for f in certificate.findings if not f.holds] == [worst.kind]


@pytest.mark.parametrize("n", [1, 2, 9])
def test_an_error_in_one_entry_is_seen_wherever_it_is(n) -> None:
    examination = examine(SOBOLEV, n, columns=18)
    for row in range(n):
        for column in range(18):

            def solve(g, row=row, column=column):
                k = riemannian_gradient(g, SOBOLEV)
                k[row, column] += 1e-9 * max(1.0, np.abs(k[:, column]).max())
                return k

            worst = examination.judge(solve).worst
            assert not worst.holds
            assert (worst.row, worst.column) == (row, column)


def test_an_error_of_one_bound_and_a_little_is_seen() -> None:
    # The judge itself is sharp: half an ulp is allowed in float32, 0.51 ulp is not.
    from cdg_theory.rounding.formats import FORMATS

    metric, fmt = Metric.reweighted_h0(10.0), FORMATS["float32"]

    def rounded(g, ulps):
        k = riemannian_gradient(g.astype(np.float64), metric)
        ulp = np.ldexp(1.0, np.frexp(np.abs(k))[1] - fmt.precision)
        return k + ulps * np.where(k, ulp, 0.0)

    assert certify(lambda g: rounded(g, 0.499), metric, 64, dtype="float32").holds
    assert not certify(lambda g: rounded(g, 0.501), metric, 64, dtype="float32").holds
