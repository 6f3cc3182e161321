"""T7 with a curvature: errors lie within the bound, and what does not is refused."""

from functools import partial
from itertools import product

import numpy as np
import pytest

from cdg_theory import Metric, certify
from cdg_theory.certificates import examine, oracle
from cdg_theory.certificates.search import largest_fraction
from cdg_theory.discrete import curvature, riemannian_gradient
from cdg_theory.proofs.rounding.pairs import pair_functional_gradient
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.differences import cholesky_errors
from cdg_theory.rounding.formats import FORMATS
from cdg_theory.rounding.functionals import functional_error_bound

ENDS = ["natural", "periodic"]
SPLINE = Metric.spline(1.0, spacing="unit")


@pytest.mark.parametrize("boundary", ENDS)
@pytest.mark.parametrize("order", range(-24, 25, 8))
def test_48_orders_of_magnitude(order, boundary) -> None:
    for gamma in (0.0, 1.0, 2.0 * 10.0 ** (order / 2)):
        metric = Metric(1.0, 10.0**order, gamma, 1.0, boundary=boundary, spacing="unit")
        certificate = certify(partial(riemannian_gradient, metric=metric), metric, 100, columns=9)
        assert certificate.holds, str(certificate)


@pytest.mark.parametrize("dtype", FORMATS)
def test_every_storage_type(dtype) -> None:
    def solve(g):
        return FORMATS[dtype].round(riemannian_gradient(g.astype(np.float64), SPLINE))

    assert certify(solve, SPLINE, 65, dtype=dtype).holds


@pytest.mark.parametrize(("algorithm", "factor"), [("closing", 60.0), ("functionals", 1500.0)])
@pytest.mark.parametrize("boundary", ENDS)
def test_errors_come_within_a_factor_of_the_bound(boundary, algorithm, factor) -> None:
    inside = riemannian_gradient if algorithm == "closing" else pair_functional_gradient
    for metric in (
        Metric.biharmonic(1.0, boundary=boundary),
        Metric.spline(1.0, boundary=boundary, spacing="unit"),
    ):
        solve = partial(inside, metric=metric)
        found = largest_fraction(
            solve, metric, 16, algorithm=algorithm, generations=25, population=32
        )
        assert 1 / factor < found <= 1


def test_float32_with_float64_inside_is_half_an_ulp_and_next_to_nothing() -> None:
    g = np.random.default_rng(0).standard_normal((512, 3)).astype(np.float32).astype(float)
    for metric in (Metric.biharmonic(0.01), Metric.spline(0.1, boundary="periodic")):
        for bound in (forward_error_bound, functional_error_bound):
            found = bound(g, metric, dtype="float32")
            assert (found.bound <= 0.51 * 2.0**-23 * np.abs(found.gradient).max(axis=0)).all()


def test_the_factors_in_differences_keep_their_digits() -> None:
    n, v = 200, 2.0**-53
    for beta, c, d in product((0.0, 1e-6, 0.3, 1e12), (0.0, 1e-12, 0.7, 1e9), (1e-12, 0.6, 1e12)):
        known = cholesky_errors(beta, c, d, n)
        assert known.p_error.max() < 10 * v
        assert (known.s_error <= 10 * n * v * known.s).all()


@pytest.mark.parametrize("boundary", ENDS)
def test_one_row_is_divided_by_its_weight(boundary) -> None:
    metric = Metric(3.0, 0.0, 0.0, 1.0, boundary=boundary)
    for algorithm in ("closing", "functionals"):
        assert certify(lambda g: g / 3.0, metric, 1, algorithm=algorithm).holds


def test_a_moment_off_by_a_millionth_of_a_millionth_is_refused(monkeypatch) -> None:
    exam, honest = examine(SPLINE, 64), curvature.Ring.act
    solve = partial(riemannian_gradient, metric=SPLINE)
    assert exam.judge(solve).holds

    def act(self, y, pair):
        level, moment = honest(self, y, pair)
        return level, moment * (1 + 2.0**-40)

    monkeypatch.setattr(curvature.Ring, "act", act)
    assert not exam.judge(solve).holds


@pytest.mark.parametrize("accumulator", ["float16", "bfloat16"])
def test_too_narrow_an_accumulator_is_named(accumulator) -> None:
    for bound in (forward_error_bound, functional_error_bound):
        with pytest.raises(ValueError, match=r"too narrow for n = 64: .* 80·n·u < 1/2"):
            bound(np.ones((64, 1)), SPLINE, accumulator=accumulator)


@pytest.mark.parametrize("boundary", ENDS)
@pytest.mark.parametrize("n", [2, 3, 8, 50])
def test_a_residual_says_how_far_the_solution_is(n, boundary) -> None:
    # The smoothest mode: the residual is smallest for a given distance.
    metric = Metric(1.0, 0.5, 0.25, 8.0, boundary=boundary, spacing="unit")
    w = oracle._exact_weights(metric, n)
    turns = 1 if boundary == "natural" else 2
    mode = np.cos(turns * np.pi * (np.arange(n) + 0.5 / (3 - turns)) / n)
    off = np.array([[int(value * 2**60)] for value in mode], dtype=object)
    lap = oracle._laplacian(off, boundary)
    residual = n * (w.beta * off + oracle._laplacian(w.c * off + w.d * lap, boundary))
    (distance,) = oracle._distance(residual, w)
    assert abs(off).max() <= distance


def test_a_sloppy_approximation_is_enclosed_with_more_bits(monkeypatch) -> None:
    sweeps, calls = oracle._decimal_sweeps, []

    def sloppy(*args):
        calls.append(args)
        return sweeps(*args) // 2**90 * 2**90

    g = np.random.default_rng(0).standard_normal((9, 2))
    right = oracle.enclose_gradient(g, SPLINE, np.array([1e-30, 1e-30]))
    monkeypatch.setattr(oracle, "_decimal_sweeps", sloppy)
    found = oracle.enclose_gradient(g, SPLINE, np.array([1e-20, 1e-20]))
    assert len(calls) == 2
    shift = found.scale - right.scale
    apart = abs(found.center - right.center * 2 ** max(shift, 0) // 2 ** max(-shift, 0))
    assert (apart <= found.radius + 2 ** max(shift, 0)).all()
