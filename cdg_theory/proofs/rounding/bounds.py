r"""Theorem 7: rounding errors stay under a bound that the algorithm itself computes.

The errors are measured against the exact solution (:mod:`cdg_theory.certificates.oracle`), on
gradients drawn to be hard and on gradients found by a search for the worst. The parts of the
derivation that hold without rounding are checked in rational arithmetic.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.certificates.judging import certify
from cdg_theory.certificates.search import largest_fraction
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.discrete.sweeps import (
    carry_backward,
    carry_forward,
    cycle_excess,
    cycle_factors,
    path_factors,
    solve_fluctuation,
    sweep_factors,
)
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.exact_matrices import identity, inverse_of, laplacian
from cdg_theory.rounding.bounds import closing_remainder, factor_errors
from cdg_theory.rounding.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

PAGE = "theory/rounding.md"
DERIVATION = "theory/rounding-derivation.md"

#: Within this factor of the bound, the search finds an error (for n up to 16).
FACTOR = 60

#: (β, γ) by algorithm: 24 orders of magnitude, small β above all.
WEIGHTS: dict[str, tuple[tuple[float, float], ...]] = {
    "one-line": ((1e-12, 0.0), (0.3, 0.0), (1e12, 0.0)),
    "running-sums": ((0.0, 1e-12), (0.0, 0.7), (0.0, 1e12)),
    "sweeps": (
        (1e-12, 1e12),
        (1e-12, 10.0),
        (1e-3, 1e9),
        (1.0, 0.1),
        (1e6, 1e-6),
        (1e12, 1e-12),
    ),
}


def _metrics(algorithm: str, *boundaries: str) -> Iterator[Metric]:
    for (beta, gamma), boundary in product(WEIGHTS[algorithm], boundaries):
        yield Metric(0.7, beta, gamma, boundary=boundary)  # type: ignore[arg-type]


def _within_bound(algorithm: str, boundaries: tuple[str, ...], allowed: float = 1.0) -> bool:
    """Whether drawn and searched errors are within the allowed part of the bound."""
    for metric in _metrics(algorithm, *boundaries):
        solve = partial(riemannian_gradient, metric=metric)
        if largest_fraction(solve, metric, 16, generations=25, population=32) > allowed:
            return False
        for n, columns in ((1, 8), (2, 16), (3, 16), (33, 16), (512, 8)):
            worst = certify(solve, metric, n, columns=columns).worst
            if worst.error_ulp > allowed * worst.bound_ulp:
                return False
    # The longest columns and the smallest weight of all.
    metric = next(_metrics(algorithm, *boundaries))
    worst = certify(partial(riemannian_gradient, metric=metric), metric, 4096, columns=8).worst
    return worst.error_ulp <= allowed * worst.bound_ulp


def _storage(ulp: float = 0.5) -> bool:
    """Whether errors are within half an ulp of the entry and 0.001 ulp of the largest entry."""
    metrics = [Metric.reweighted_h0(10.0), *_metrics("sweeps", "natural", "periodic")]
    for metric, dtype, n in product(metrics, ("float32", "float16", "bfloat16"), (2, 65, 257)):

        def solve(
            g: NDArray[Any], metric: Metric = metric, dtype: str = dtype
        ) -> NDArray[np.float64]:
            return FORMATS[dtype].round(riemannian_gradient(g.astype(np.float64), metric))

        certificate = certify(solve, metric, n, dtype=dtype)
        if not certificate.holds:
            return False
        for finding in certificate.findings:
            # An error in ulp of the largest entry; the entry's own ulp is never larger.
            if finding.kind == "random" and finding.max_ulp > ulp + 1e-3:
                return False
    return True


def _mean_once(g: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    mean = g.mean(axis=0)
    x = solve_fluctuation(g - mean, sweep_factors(metric, len(g)))
    return np.asarray(mean / metric.mean + x)


def _mean_twice(solve: Callable[..., Any] = riemannian_gradient) -> bool:
    """Whether nearly constant gradients are right."""
    return all(
        certify(partial(solve, metric=metric), metric, n).holds
        for n, metric in product((64, 255), _metrics("sweeps", "natural"))
    )


def _relative_errors(got: Any, exact: Any) -> list[Fraction]:
    """Return the relative errors; below the smallest normal number a difference counts as none."""
    tiny = Fraction(FORMATS["float64"].smallest_normal)
    pairs = [(Fraction(float(a)), b) for a, b in zip(got, exact, strict=True)]
    return [abs(a - b) / b if abs(a - b) > tiny else Fraction(0) for a, b in pairs]


def _factors(allowed: float = 1.0) -> bool:
    """Whether the factors' errors are within the allowed part of their bounds."""
    n = 24
    cases: list[tuple[Metric, Any]] = []
    for beta, gamma in WEIGHTS["running-sums"] + WEIGHTS["sweeps"]:
        metric = Metric(1.0, beta, gamma)
        exact = path_factors(Fraction(beta), Fraction(gamma) * n * n, n)
        cases.append((metric, exact))
    for m, scale in product((1, 5, 1000), (2.0**-40, 1.0, 2.0**40)):
        # β = s and c = m(m+1)s make the cycle's E = (m+1)s rational.
        beta, c = scale, m * (m + 1) * scale
        metric = Metric(1.0, beta, c, boundary="periodic", spacing="unit")
        excess = Fraction((m + 1) * scale)
        if not abs(Fraction(cycle_excess(beta, c)) - excess) <= 5 * excess / 2**53:
            return False
        cases.append((metric, cycle_factors(Fraction(c), excess, n)))
    for metric, exact in cases:
        computed, bounds = sweep_factors(metric, n), factor_errors(metric, n)
        for name in ("carry", "gain", "closure", "flux"):
            if getattr(exact, name) is None:
                continue
            errors = _relative_errors(getattr(computed, name), getattr(exact, name))
            limits = getattr(bounds, name)
            if any(e > Fraction(allowed * float(b)) for e, b in zip(errors, limits, strict=True)):
                return False
    return True


def _rationals(rng: np.random.Generator, count: int, top: int) -> NDArray[Any]:
    values = rng.integers(1, top, size=count)
    return np.array([Fraction(int(value), top) for value in values], dtype=object)


def _closing(times: int = 2) -> bool:
    """Whether the closed sweep's moduli are as computed, the missed errors counted twice."""
    rng = np.random.default_rng(0)
    for n, backward in product((1, 2, 3, 8), (False, True)):
        carry, errors = _rationals(rng, n - 1, 50), _rationals(rng, n, 50)[:, None]
        sweep = carry_backward if backward else carry_forward
        response = identity(n)
        sweep(response, carry)
        homogeneous = response[:, -1] if backward else response[:, 0]
        weights = (homogeneous / homogeneous.sum())[:, None]
        closed = response - weights * response.sum(axis=0)
        total = (response.sum(axis=0)[:, None] * errors).sum(axis=0)
        missed = (closing_remainder(errors, carry, backward=backward) + total) / 2
        swept = errors.copy()
        sweep(swept, carry)
        if (abs(closed) @ errors != swept + weights * (times * missed - total)).any():
            return False
    return True


def _enclosure(norm_of: Callable[[Any, Any], Any] = lambda beta, _c: 1 / beta) -> bool:
    """Whether the largest row sum of |A⁻¹| is as claimed: 1/β."""
    cases = product((False, True), (1, 2, 3, 7), (Fraction(1, 9), Fraction(10**9)))
    for periodic, n, beta in cases:
        c, unit = Fraction(5, 3), identity(n)
        inverse = inverse_of(beta * unit + c * laplacian(unit, periodic=periodic))
        if abs(inverse).sum(axis=1).max() != norm_of(beta, c):
            return False
    return True


_BOUND = (
    r"|\hat k_i-k_i|\le\frac{\epsilon_{\bar g}/\alpha+\epsilon_{x,i}+3u|\bar g|/\alpha+u|k_i|}"
    r"{1-40nu}"
)
_DRAWN = (
    "weights from 1e-12 to 1e12, n from 1 to 4096, float64; gradients drawn to be hard, and, at "
    "n = 16, found by a search for the worst"
)


def _bound_theorem(slug: str, title: str, algorithm: str, boundaries: tuple[str, ...]) -> Theorem:
    return Theorem(
        id=f"T7.{slug}",
        title=title,
        statement=(
            "The error of every entry of the computed gradient lies under the bound: ε "
            "are bounds of the errors of the mean ḡ and of the part x of mean zero, which the same "
            "algorithm computes from the local rounding errors."
        ),
        tex=_BOUND,
        scope=_DRAWN,
        kind="numeric",
        check=partial(_within_bound, algorithm, boundaries),
        variant=partial(_within_bound, algorithm, boundaries, allowed=1 / FACTOR),
        perturbed=f"The same with the bound divided by {FACTOR}: it is not vacuous.",
        page=PAGE,
    )


THEOREMS = (
    _bound_theorem("one-line", "Rounding: the one line", "one-line", ("natural",)),
    _bound_theorem(
        "running-sums", "Rounding: running sums", "running-sums", ("natural", "periodic")
    ),
    _bound_theorem("sweeps-path", "Rounding: the sweeps on the path", "sweeps", ("natural",)),
    _bound_theorem("sweeps-cycle", "Rounding: the sweeps on the cycle", "sweeps", ("periodic",)),
    Theorem(
        id="T7.storage",
        title="Rounding: narrow storage, float64 inside",
        statement=(
            "With float64 inside, a result stored in float32, float16 or bfloat16 differs "
            "from the exact one by at most half an ulp, and a thousandth of an ulp of the "
            "largest entry."
        ),
        tex=r"|\hat k_i-k_i|\le\tfrac12\mathrm{ulp}(k_i)+10^{-3}\,\mathrm{ulp}(\|k\|_\infty)",
        scope="normal deviates, weights from 1e-12 to 1e12, n in {2, 65, 257}",
        kind="numeric",
        check=_storage,
        variant=partial(_storage, ulp=0.25),
        perturbed="The same with a quarter of an ulp.",
        page=PAGE,
    ),
    Theorem(
        id="T7.mean-twice",
        title="Rounding: the mean is taken off twice",
        statement=(
            "Where a large mean hides a small fluctuation, the bound holds because the mean is "
            "taken off twice."
        ),
        tex=r"r=(g-m_1)-m_2,\quad m_1=\mathrm{fl}(\bar g),\ m_2=\mathrm{fl}(\overline{g-m_1})",
        scope="nearly constant gradients among others, weights from 1e-12 to 1e12, n in {64, 255}",
        kind="numeric",
        check=_mean_twice,
        variant=partial(_mean_twice, solve=_mean_once),
        perturbed="The same when the mean is taken off once.",
        page=DERIVATION,
    ),
    Theorem(
        id="T7.factors",
        title="Rounding: the sweeps' factors",
        statement=(
            "Carries, gains and closing weights, as float64 computes them, have the relative "
            "accuracy that the recursion of their errors gives, however small the weights."
        ),
        tex=r"|\hat p_i-p_i|\le\bigl((1-p_i)(v+e_i)+2v\bigr)p_i,\quad v=2^{-53}",
        scope="against rational arithmetic, n = 24, weights from 1e-12 to 1e12",
        kind="exact",
        check=_factors,
        variant=partial(_factors, allowed=1 / 16),
        perturbed="The same with a sixteenth of each bound.",
        page=DERIVATION,
    ),
    Theorem(
        id="T7.closing",
        title="Rounding: what a closed sweep makes of an error",
        statement=(
            "The sum of the moduli of all that a closed sweep makes of local errors is the sweep "
            "of the errors plus the closing weights times a remainder found in linear time."
        ),
        tex=(
            r"\sum_j\Bigl|[j\to i]\tfrac{h_i}{h_j}-\eta_ia_j\Bigr|\ell_j="
            r"\sum_{j\to i}\tfrac{h_i}{h_j}\ell_j"
            r"+\eta_i\Bigl(2\sum_{j\not\to i}a_j\ell_j-\sum_ja_j\ell_j\Bigr)"
        ),
        scope="rational carries in (0, 1), n in {1, 2, 3, 8}, forward and backward",
        kind="exact",
        check=_closing,
        variant=partial(_closing, times=1),
        perturbed="The same with the missed errors counted once.",
        page=DERIVATION,
    ),
    Theorem(
        id="T7.enclosure",
        title="The residual encloses the solution",
        statement=(
            "A = βI + cL has an inverse without negative entries whose rows sum to 1/β. So an "
            "approximate solution with the residual ρ differs from the exact one by at most "
            "max|ρ|/β in every entry."
        ),
        tex=r"A^{-1}\ge0,\quad A^{-1}\mathbf1=\mathbf1/\beta,\quad \|A^{-1}\|_\infty=1/\beta",
        scope="rational arithmetic, path and cycle, n in {1, 2, 3, 7}; the proof is for all n",
        kind="exact",
        check=_enclosure,
        variant=partial(_enclosure, norm_of=lambda beta, c: 1 / (beta + c)),
        perturbed="The same with 1/(β+c) for 1/β.",
        page=PAGE,
    ),
)
