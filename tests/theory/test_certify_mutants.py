"""certify refuses wrong solvers, and says where they are wrong."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cdg_theory import Metric, certify
from cdg_theory.certificates import examine
from cdg_theory.discrete import riemannian_gradient, sweep_factors
from cdg_theory.discrete.sweeps import solve_fluctuation, split_mean

SOBOLEV = Metric.sobolev(0.3)
GENERAL = Metric(2.0, 0.5, 0.1)
CYCLE = Metric.ordinary_sobolev(0.2, boundary="periodic")


def changed(edit):
    """Return a solver whose result an edit spoils in place."""

    def solve(g, metric):
        k = riemannian_gradient(g, metric)
        edit(k)
        return k

    return solve


def with_parts(combine):
    """Return a solver that puts mean and fluctuation of the gradient together in its own way."""

    def solve(g, metric):
        k = riemannian_gradient(np.asarray(g, dtype=np.float64), metric)
        mean = k.mean(axis=0)
        return combine(mean, k - mean, len(g))

    return solve


def of_another(**fields):
    """Return a solver for another metric: some fields are functions of the one that is given."""
    return lambda g, metric: riemannian_gradient(
        g, replace(metric, **{name: field(metric) for name, field in fields.items()})
    )


other_boundary = of_another(
    boundary=lambda metric: "periodic" if metric.boundary == "natural" else "natural"
)


def mean_taken_off_once(g, metric):
    mean = g.mean(axis=0)
    return mean / metric.mean + solve_fluctuation(g - mean, sweep_factors(metric, len(g)))


def float32_inside(g, metric):
    """Run the reference's algorithm with every intermediate result in float32."""
    factors = sweep_factors(metric, len(g))
    parts = (getattr(factors, name) for name in ("carry", "gain", "closure", "flux"))
    narrow = type(factors)(*(None if f is None else f.astype(np.float32) for f in parts))
    mean, r = split_mean(g.astype(np.float32))
    return mean / np.float32(metric.mean) + solve_fluctuation(r, narrow)


def scaled_by_the_largest_entry(g, metric):
    # Harmless rescaling, but for a column that is all zero: 0/0.
    size = np.abs(g).max(axis=0)
    with np.errstate(invalid="ignore"):
        return size * riemannian_gradient(g / size, metric)


WRONG = {
    "wrong sign": (with_parts(lambda mean, x, _: mean - x), GENERAL),
    "mean over n − 1": (with_parts(lambda mean, x, n: mean * n / (n - 1) + x), GENERAL),
    "weight of the mean forgotten": (of_another(mean=lambda _: 1.0), GENERAL),
    "spacing forgotten": (of_another(spacing=lambda _: "unit"), SOBOLEV),
    "other boundary": (other_boundary, SOBOLEV),
    "other boundary, cycle": (other_boundary, CYCLE),
    "rows exchanged": (changed(lambda k: k.__setitem__([0, 1], k[[1, 0]])), SOBOLEV),
    "last row off by a millionth": (
        changed(lambda k: np.multiply(k[-1], 1 + 1e-6, out=k[-1])),
        SOBOLEV,
    ),
    "fluctuation dropped from the pivots": (
        of_another(fluctuation=lambda metric: metric.fluctuation * (1 - 1e-9)),
        Metric(1.0, 1e3, 1e-9),
    ),
    "the gradient itself": (lambda g, _: g, Metric.reweighted_h0(1 + 1e-12)),
    "not a number": (changed(lambda k: k.__setitem__((2, 1), np.nan)), SOBOLEV),
    "scaled by the largest entry": (scaled_by_the_largest_entry, GENERAL),
    "mean taken off once": (mean_taken_off_once, Metric(1.0, 1e-12, 1e-12)),
    "mean taken off once, cycle": (
        mean_taken_off_once,
        Metric(1.0, 1e-9, 1e-12, boundary="periodic"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("n", [3, 16, 255])
def test_a_wrong_solver_is_refused(name, n) -> None:
    solve, metric = WRONG[name]
    options = {"dtype": "float32"} if name == "last row off by a millionth" else {}
    if (solve, n) == (mean_taken_off_once, 3):
        n = 31  # the sum of three numbers is too often exact
    certificate = certify(lambda g: solve(g, metric), metric, n, **options)
    assert not certificate.holds
    assert certificate.max_ulp > certificate.bound
    # The right solver is accepted on the same draws: it is the solver that was refused.
    assert certify(partial(riemannian_gradient, metric=metric), metric, n, **options).holds


@pytest.mark.parametrize("metric", [SOBOLEV, GENERAL, CYCLE], ids=str)
def test_float32_sums_are_refused_where_float64_is_claimed(metric) -> None:
    solve = partial(float32_inside, metric=metric)
    assert not certify(solve, metric, 4096, columns=8, dtype="float32").holds
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
