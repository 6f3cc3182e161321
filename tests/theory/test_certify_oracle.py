"""T7: the oracle of certify encloses the exact rational solution, as narrowly as asked."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric
from cdg_theory.certificates import oracle
from cdg_theory.certificates.oracle import enclose_gradient, scaled_integers
from tests.tools.exact_oracle import exact_gram, rational
from tests.tools.strategies import channel_counts, gradients, metrics


def exact_solution(g: np.ndarray, metric: Metric) -> flint.fmpq_mat:
    """Dense rational solve of the system as defined, with γn² not rounded."""
    n, columns = g.shape
    right = flint.fmpq_mat(n, columns, [rational(value) for value in g.ravel()])
    return exact_gram(metric, n, rounded=False).solve(right)


def assert_enclosed(g: np.ndarray, metric: Metric, enclosure) -> None:
    exact = exact_solution(g, metric)
    assert all(enclosure.contains(i, j, as_fraction(exact[i, j])) for i, j in np.ndindex(g.shape))


def as_fraction(value: flint.fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


@given(data=st.data(), metric=metrics(), n=channel_counts(40))
def test_encloses_the_dense_rational_solution(data, metric, n) -> None:
    g = data.draw(gradients(n, columns=(2,)))
    resolution = np.array([1e-30, 1e-12])
    enclosure = enclose_gradient(g, metric, resolution)
    assert_enclosed(g, metric, enclosure)
    for j in range(2):
        assert enclosure.radius[j] * Fraction(1, 2**enclosure.scale) <= Fraction(resolution[j])


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize(
    "weights",
    [(1.0, 1e-12, 1e12), (1.0, 1e-150, 1.0), (1e-12, 1e12, 1e-12), (1.0, 0.0, 1e-12)],
    ids=str,
)
def test_encloses_the_ball_arithmetic_of_flint_for_long_columns(weights, boundary) -> None:
    # Another algorithm (elimination from the first row, no closure), another arithmetic.
    metric, n = Metric(*weights, boundary=boundary, spacing="unit"), 700
    g = np.random.default_rng(0).standard_normal((n, 1))
    enclosure = enclose_gradient(g, metric, np.array([1e-40]))
    # A residual of (αP + βB + cL)k in balls of 4000 bits is zero to within their radius.
    with flint.ctx.workprec(4000):
        k = [flint.arb(int(v)) / flint.arb(2) ** enclosure.scale for v in enclosure.center[:, 0]]
        radius = int(enclosure.radius[0]) / flint.arb(2) ** enclosure.scale
        alpha, beta, c = (flint.arb(rational(w)) for w in weights)
        mean = sum(k, flint.arb(0)) / n
        for i in range(n):
            neighbours = [i - 1, i + 1]
            if boundary == "periodic":
                neighbours = [j % n for j in neighbours]
            flux = sum((k[i] - k[j] for j in neighbours if 0 <= j < n), flint.arb(0))
            residual = alpha * mean + beta * (k[i] - mean) + c * flux - flint.arb(rational(g[i, 0]))
            # Moving every entry by at most the radius moves a row by at most this much.
            assert bool(abs(residual) <= (alpha + 2 * beta + 4 * c) * radius)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(0, 1200))
def test_scaled_integers_floor_the_exact_value(values, scale) -> None:
    integers = scaled_integers(np.array(values), scale)
    for integer, value in zip(integers, values, strict=True):
        assert 0 <= Fraction(value) * 2**scale - integer < 1


def test_the_spacing_is_not_rounded() -> None:
    # γ·n² is no float: the oracle must not agree with the rounded weight.
    metric = Metric.sobolev(1 / 3)
    g = np.array([[1.0], [0.0], [-1.0]])
    enclosure = enclose_gradient(g, metric, np.array([1e-40]))
    exact = as_fraction(exact_solution(g, metric)[0, 0])
    assert enclosure.contains(0, 0, exact)
    rounded = exact * Fraction(metric.derivative) * 9 / Fraction(metric.stiffness(3))
    assert not enclosure.contains(0, 0, rounded)


def test_a_broken_approximation_is_not_believed(monkeypatch) -> None:
    # The approximate solution is not trusted: only its residual counts.
    monkeypatch.setattr(oracle, "_fixed_point_sweeps", lambda nr, *_: nr * 0)
    with pytest.raises(ArithmeticError, match="after 12 rounds"):
        enclose_gradient(np.array([[1.0], [0.0]]), Metric(1.0, 1.0, 1.0), np.array([1e-9]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_refused(bad) -> None:
    with pytest.raises(ValueError, match="finite"):
        enclose_gradient(np.array([[bad], [1.0]]), Metric.l2(), np.array([1e-9]))


BOUNDARIES = ["natural", "periodic"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("weights", [(3.0, 7.0, 0.0), (3.0, 0.0, 7.0)], ids=str)
def test_without_one_of_the_terms_a_division_each_rounds(weights, boundary) -> None:
    # Columns: zero, constant, of mean zero, neither.
    g = np.array([[0.0, 1.0, 1.0, 1.0], [0.0, 1.0, -1.0, 2.0], [0.0, 1.0, 0.0, 6.0]])
    metric = Metric(*weights, boundary=boundary)
    enclosure = enclose_gradient(g, metric, np.full(4, 1e-9))
    assert enclosure.radius.tolist() == [0, 1, 1, 2]
    assert_enclosed(g, metric, enclosure)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, 3.0, 1.0), (2.0, 0.5, 8.0)], ids=str)
@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_radius_is_the_residual_over_beta(n, weights, boundary) -> None:
    metric = Metric(*weights, boundary=boundary, spacing="unit")
    g = np.zeros((n, 1))
    g[0], g[-1] = 1.0, -1.0
    enclosure = enclose_gradient(g, metric, np.array([1e-9]))
    x = [Fraction(int(v)) for v in enclosure.center[:, 0]]
    beta, c = Fraction(metric.fluctuation), Fraction(metric.derivative)
    residual = [int(v) * 2**enclosure.scale - beta * u for v, u in zip(g[:, 0], x, strict=True)]
    for i in range(n if boundary == "periodic" else n - 1):
        flux, j = c * (x[i] - x[(i + 1) % n]), (i + 1) % n
        residual[i] -= flux
        residual[j] += flux
    # Rounded up, by no more than a unit.
    assert 0 < enclosure.radius[0] - max(map(abs, residual)) / beta <= 1
    assert_enclosed(g, metric, enclosure)


def test_weights_are_integers_at_the_scale_of_the_finest() -> None:
    weights = oracle._exact_weights(Metric(1.0, 0.75, 3.0, 0.25), 2)
    assert weights == oracle._Weights(alpha=4, beta=3, c=48, d=16, scale=2)


@pytest.mark.parametrize(
    ("values", "places"),
    [([0.75], 53), ([1.0, -1.0], 52), ([0.0, 2.0**60], 0), ([0.0], 0), ([], 0)],
)
def test_the_scale_at_which_all_floats_of_these_sizes_are_integers(values, places) -> None:
    assert oracle._binary_places(np.array(values)) == places


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_one_round_does_however_far_apart_the_weights_are(boundary, monkeypatch) -> None:
    monkeypatch.setattr(oracle, "ROUNDS", 1)
    metric = Metric(1.0, 1e-12, 1e12, boundary=boundary)
    enclose_gradient(np.array([[1.0], [0.0], [3.0]]), metric, np.array([1e-30]))


def test_a_sloppy_approximation_gets_the_bits_that_it_lacks_and_a_few_more(monkeypatch) -> None:
    sweeps, calls = oracle._fixed_point_sweeps, []

    def sloppy(*args):
        calls.append(args)
        return sweeps(*args) // 2**90 * 2**90

    monkeypatch.setattr(oracle, "_fixed_point_sweeps", sloppy)
    g, metric, wanted = np.array([[1.0], [0.0], [3.0]]), Metric(1.0, 1.0, 1.0), 2.0**-30
    enclosure = enclose_gradient(g, metric, np.array([wanted]))
    assert len(calls) == 2
    limit = 2 ** (enclosure.scale - 30)
    assert limit / 2**10 < enclosure.radius[0] <= limit / 2**6
    assert_enclosed(g, metric, enclosure)
