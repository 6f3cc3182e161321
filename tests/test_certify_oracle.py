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
from tests.strategies import channel_counts, gradients, metrics


def rational(value: float) -> flint.fmpq:
    return flint.fmpq(*float(value).as_integer_ratio())


def exact_solution(g: np.ndarray, metric: Metric) -> flint.fmpq_mat:
    """Dense rational solve of the system as defined, with γn² not rounded."""
    n, columns = g.shape
    alpha, beta = rational(metric.mean), rational(metric.fluctuation)
    c = rational(metric.derivative) * (n * n if metric.spacing == "normalized" else 1)
    gram = [[(alpha - beta) / n + (beta if i == j else 0) for j in range(n)] for i in range(n)]
    edges = [(i, i + 1) for i in range(n - 1)] + ([(n - 1, 0)] * (metric.boundary == "periodic"))
    for i, j in edges:
        gram[i][i] += c
        gram[j][j] += c
        gram[i][j] -= c
        gram[j][i] -= c
    right = flint.fmpq_mat(n, columns, [rational(value) for value in g.ravel()])
    return flint.fmpq_mat(gram).solve(right)


def as_fraction(value: flint.fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


@given(data=st.data(), metric=metrics(), n=channel_counts(40))
def test_encloses_the_dense_rational_solution(data, metric, n) -> None:
    g = data.draw(gradients(n, columns=(2,)))
    resolution = np.array([1e-30, 1e-12])
    enclosure = enclose_gradient(g, metric, resolution)
    exact = exact_solution(g, metric)
    for j in range(2):
        assert enclosure.radius[j] * Fraction(1, 2**enclosure.scale) <= Fraction(resolution[j])
        assert all(enclosure.contains(i, j, as_fraction(exact[i, j])) for i in range(n))


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
        alpha, beta, c = (_arb(w) for w in weights)
        mean = sum(k, flint.arb(0)) / n
        for i in range(n):
            neighbours = [i - 1, i + 1]
            if boundary == "periodic":
                neighbours = [j % n for j in neighbours]
            flux = sum((k[i] - k[j] for j in neighbours if 0 <= j < n), flint.arb(0))
            residual = alpha * mean + beta * (k[i] - mean) + c * flux - _arb(g[i, 0])
            # Moving every entry by at most the radius moves a row by at most this much.
            assert bool(abs(residual) <= (alpha + 2 * beta + 4 * c) * radius)


def _arb(value: float) -> flint.arb:
    numerator, denominator = float(value).as_integer_ratio()
    return flint.arb(numerator) / flint.arb(denominator)


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
