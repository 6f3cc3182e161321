r"""Theorem 7 with a curvature: errors lie under their bounds, on both kinds of ends and of roots.

Measured against the exact solution, as for the first order
(:mod:`cdg_theory.proofs.rounding.bounds`). Besides, each step of the factors is compared with the
same step in rational numbers, and the model of a kernel that knows the constants beforehand is
examined.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.certificates.judging import Algorithm, certify, examine
from cdg_theory.certificates.search import largest_fraction
from cdg_theory.discrete.curvature import (
    CurvatureFactors,
    carry_forward,
    eliminate_pair,
    pair_carries,
    solve_path,
)
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.discrete.sweeps import factors_of, solve_member
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.rounding.differences import difference_functional_gradient
from cdg_theory.proofs.tools.exact_matrices import identity, laplacian
from cdg_theory.rounding.pairs import pair_factor_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cdg_theory.discrete.curvature import Pair

PAGE = "theory/rounding-variants.md"

#: (β, γ, δ) over 24 orders of magnitude: one weight, two, three; complex, double and real roots.
WEIGHTS = (
    (0.0, 0.0, 0.3),
    (0.0, 1.0, 1.0),
    (0.0, 1.0, 1e-24),
    (1.0, 0.0, 1.0),
    (1e-12, 0.0, 1e12),
    (1.0, 2.0, 1.0),
    (1.0, 2.0 + 2.0**-40, 1.0),
    (1e12, 1e-3, 1e-12),
    (1.0, 1e12, 1e-12),
)


def _metrics(*boundaries: str) -> Iterator[Metric]:
    for weights, boundary, spacing in product(WEIGHTS, boundaries, ("unit", "normalized")):
        yield Metric(0.7, *weights, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]


def _within_bound(boundary: str, allowed: float = 1.0) -> bool:
    """Whether drawn and searched errors are within the allowed part of the bound."""
    for metric in _metrics(boundary):
        solve = partial(riemannian_gradient, metric=metric)
        if largest_fraction(solve, metric, 16, generations=10, population=32) > allowed:
            return False
        for n, columns in ((1, 8), (2, 16), (3, 16), (33, 16), (200, 8)):
            worst = certify(solve, metric, n, columns=columns).worst
            if worst.error_ulp > allowed * worst.bound_ulp:
                return False
    # Long columns, and a step's weight.
    metric = Metric.biharmonic(0.01, boundary=boundary)  # type: ignore[arg-type]
    worst = certify(partial(riemannian_gradient, metric=metric), metric, 4096, columns=8).worst
    return worst.error_ulp <= allowed * worst.bound_ulp


def _narrow_gradient(g: NDArray[Any], metric: Metric) -> NDArray[Any]:
    """Return k by the same sweeps in float32, from factors rounded to it."""
    factors = factors_of(metric, len(g))
    assert isinstance(factors, CurvatureFactors)

    def single(value: Any) -> Any:
        return None if value is None else np.asarray(value, dtype=np.float32)

    ring = type(factors.ring)(single(factors.ring.c), single(factors.ring.omega))
    carry, closure, seam = map(single, (factors.carry, factors.closure, factors.seam))
    rounded = CurvatureFactors(ring, carry, closure, seam, single(factors.release))
    k = solve_member(g.astype(np.float32), np.float32(metric.mean), None, rounded)
    assert k.dtype == np.float32
    return np.asarray(k)


def _narrow(accumulator: str = "float32") -> bool:
    """Whether float32 sweeps are within the bound of that accumulator."""
    metrics = [m for m in _metrics("natural", "periodic") if max(m.curvature, m.derivative) <= 1e3]
    return all(
        certify(
            partial(_narrow_gradient, metric=metric),
            metric,
            n,
            dtype="float32",
            accumulator=accumulator,
        ).holds
        for metric, n in product(metrics, (2, 16, 100))
        if metric.fluctuation <= 1e3
    )


def _within(got: float, exact: Fraction, limit: float) -> bool:
    return abs(Fraction(got) - exact) <= Fraction(limit)


def _factors(allowed: float = 1.0) -> bool:
    """Compare each step of the factors with the step from the same numbers in rationals."""
    n = 24
    for beta, c, d in product((0.0, 0.3, 1e12), (0.0, 0.7, 1e-12, 1e9), (1e-12, 0.6, 1e12)):
        p, q, A, B = c / d, beta / d, 0.0, 1.0
        errors, carries = pair_factor_errors(beta, c, d, n), pair_carries(beta, c, d, n)
        for i, (a, b) in enumerate(carries):
            exact = Fraction(p), Fraction(q), Fraction(A), Fraction(B)
            N, A_, B_ = eliminate_pair(*exact)
            a_, b_ = (1 + exact[1] * exact[2]) / N, exact[3] / Fraction(d) / N
            _, A, B = eliminate_pair(p, q, A, B)
            limit = allowed * errors.carry[i]
            if not (_within(a, a_, limit * float(a_)) and _within(b, b_, limit * float(b_))):
                return False
            if not _within(q * A, exact[1] * A_, allowed * errors.constant[i + 1] + q * A * 2**-53):
                return False
            if not _within(B, B_, allowed * errors.slope[i + 1]):
                return False
    return True


def pair_functional_gradient(
    grad: NDArray[Any], metric: Metric, *, from_first: bool = False
) -> NDArray[np.float64]:
    """Return k = M⁻¹g, n > 1, with the last pair and the seam's flux as functionals of g.

    The mean's part is taken off what the forward sweep holds, after the sweep. ``from_first``
    counts from the first number of each column.

    Examples
    --------
    >>> metric = Metric(1.0, 0.0, 0.0, 1.0, spacing="unit")
    >>> pair_functional_gradient(np.array([[1.0], [2.0], [6.0]]), metric).ravel()
    array([0.55555556, 2.88888889, 5.55555556])
    """
    g = np.asarray(grad, dtype=np.float64)
    base = g[0] * from_first
    g = g - base
    n, mean = len(g), g.mean(axis=0)
    factors = factors_of(metric, n)
    assert isinstance(factors, CurvatureFactors)
    ring, load = factors.ring, np.full((n, 1), -1.0 / n)
    load[-1] += 1.0
    x_weights, m_weights = solve_path((0 * load, load), factors)
    end: Pair = (x_weights[:, 0] @ g, m_weights[:, 0] @ g)
    level, moment = np.zeros_like(g), g.copy()
    if factors.seam is not None and factors.release is not None:
        a, b = factors.seam
        flux = ring.act(factors.release, (-(b @ g), -(a @ g)))
        level[0], moment[0] = flux[0], moment[0] + flux[1]
        through = ring.act((a[-1], b[-1]), flux)
        end = end[0] + through[0], end[1] + through[1]
    ones: Pair = (np.zeros((n, 1)), np.ones((n, 1)))
    carry_forward(level, moment, ring, factors.carry)
    carry_forward(*ones, ring, factors.carry)
    level, moment = level - ones[0] * mean, moment - ones[1] * mean
    level[-1], moment[-1] = end
    for i in reversed(range(n - 1)):
        element = factors.carry[0, i], factors.carry[1, i]
        level[i], moment[i] = ring.act(
            element, (level[i + 1] + level[i], moment[i + 1] + moment[i])
        )
    return np.asarray((base + mean) / metric.mean + level)


def _given(answer: NDArray[Any], _question: NDArray[Any]) -> NDArray[Any]:
    return answer


def _functionals(algorithm: Algorithm = "functionals") -> bool:
    """Whether the models are within the bound of that algorithm, stored in float32 and not."""
    cases = product(_metrics("natural", "periodic"), (2, 3, 16, 100), ("float64", "float32"))
    models = (
        pair_functional_gradient,
        partial(pair_functional_gradient, from_first=True),
        difference_functional_gradient,
    )
    for metric, n, dtype in cases:
        exam = examine(metric, n, dtype=dtype, algorithm=algorithm)
        for model in models:
            stored = model(exam.gradient, metric).astype(dtype)
            if not exam.judge(partial(_given, stored)).holds:
                return False
    return True


def _least_eigenvalue(least: int = 4) -> bool:
    """Whether A ≥ (β + c·l + d·l²) on vectors of mean zero, with l = least/n²: exactly."""
    beta, c, d = Fraction(1, 7), Fraction(2), Fraction(5, 3)
    for n, periodic in product((2, 3, 5, 8), (False, True)):
        unit = identity(n)
        L = laplacian(unit, periodic=periodic)
        at = Fraction(least, n * n)
        A = beta * unit + c * L + d * (L @ L) - (beta + c * at + d * at * at) * unit
        # On the basis e_i − e_{n−1}; positive semidefinite if no pivot of Gauss is negative.
        rows = A[:-1] - A[-1]
        form = rows[:, :-1] - rows[:, -1:]
        for i in range(n - 1):
            if form[i, i] < 0 or (form[i, i] == 0 and (form[i, i:] != 0).any()):
                return False
            if form[i, i]:
                form[i + 1 :] -= np.outer(form[i + 1 :, i] / form[i, i], form[i])
    return True


def _bound_theorem(slug: str, title: str, boundary: str) -> Theorem:
    return Theorem(
        id=f"T7.{slug}",
        title=title,
        statement=(
            "The error of every entry of the computed gradient lies under the bound: each "
            "local error is multiplied by the modulus of what the closed sweeps make of it, K for "
            "errors of the loads and N for errors ℓ within the sweeps; z = (x, Lx)."
        ),
        tex=r"|\hat z_i-z_i|\le\sum_j|K_{ij}|\,\mathrm{load}_j+\sum_j|N_{ij}|\,\ell_j+\dots",
        scope="weights from 1e-24 to 1e12, both spacings, n from 1 to 4096, float64; gradients "
        "drawn to be hard, and, at n = 16, found by a search for the worst",
        kind="numeric",
        check=partial(_within_bound, boundary),
        variant=partial(_within_bound, boundary, allowed=1 / 60),
        perturbed="The same with the bound divided by 60: it is not vacuous.",
        page=PAGE,
    )


THEOREMS = (
    _bound_theorem("pairs-path", "Rounding: the sweeps over pairs on the path", "natural"),
    _bound_theorem("pairs-cycle", "Rounding: the sweeps over pairs on the cycle", "periodic"),
    Theorem(
        id="T7.pairs-narrow",
        title="Rounding: the sweeps over pairs in float32",
        statement=(
            "With all sweeps in float32 the errors lie under the same bound for that accumulator: "
            "here the terms of second order would be seen."
        ),
        tex=r"u=2^{-24}",
        scope="moderate weights, both ends and spacings, n in {2, 16, 100}",
        kind="numeric",
        check=_narrow,
        variant=partial(_narrow, accumulator="float64"),
        perturbed="The same under the bound for float64 inside.",
        page=PAGE,
    ),
    Theorem(
        id="T7.pair-factors",
        title="Rounding: the factors of the sweeps over pairs",
        statement=(
            "Each step of the factors, from the numbers that float64 holds, errs by a few units of "
            "its result, whatever n and the weights are."
        ),
        tex=r"\mathrm{err}(R)\le\frac{qA}{1+qA}v+2v+\mathrm{err}(N),\quad v=2^{-53}",
        scope="against rational arithmetic, 24 rows, 36 members with weights from 1e-12 to 1e12",
        kind="exact",
        check=_factors,
        variant=partial(_factors, allowed=1 / 16),
        perturbed="The same with a sixteenth of each bound.",
        page=PAGE,
    ),
    Theorem(
        id="T7.pair-functionals",
        title="Rounding: pairs known beforehand",
        statement=(
            "A kernel that finds the last pair, and on the cycle the flux over the seam, as "
            "functionals of the gradient stays under a bound of its own, whether it sweeps over "
            "pairs or in differences."
        ),
        tex=r"|\hat z-z|\le|N_{\cdot,n-1}|\,\epsilon_{n-1}+|K|\,\mathrm{load}+|N|\,\ell",
        scope="float64 and float32 storage, float64 inside, weights from 1e-24 to 1e12, both ends "
        "and spacings, n in {2, 3, 16, 100}",
        kind="numeric",
        check=_functionals,
        variant=partial(_functionals, algorithm="closing"),
        perturbed="The same under the bound of the sweeps that close themselves.",
        page=PAGE,
    ),
    Theorem(
        id="T7.enclosure-curved",
        title="The residual encloses the solution, with a curvature",
        statement=(
            "On vectors of mean zero no eigenvalue of A = βI + cL + dL² is smaller than β + "
            "4c/n² + 16d/n⁴. So an approximate solution with the residual ρ, of mean zero, "
            "differs from the exact one by at most ‖ρ‖₂ over this number."
        ),
        tex=r"\|x-\tilde x\|_2\le\|\rho\|_2\,\Bigl(\beta+\frac{4c}{n^2}+\frac{16d}{n^4}\Bigr)^{-1}",
        scope="rational arithmetic, path and cycle, n in {2, 3, 5, 8}; 4 sin²(π/2n) ≥ 4/n² is for "
        "all n",
        kind="exact",
        check=_least_eigenvalue,
        variant=partial(_least_eigenvalue, least=12),
        perturbed="The same with 12/n² for 4/n².",
        page=PAGE,
    ),
)
