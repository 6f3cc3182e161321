r"""Theorem 12: with normalized spacing the step bound does not depend on the number of channels.

:math:`2n\sin(\pi/2n) = \pi\,\sin x/x` at :math:`x=\pi/2n`, and :math:`\sin x/x` falls on
:math:`(0,\pi]`; so the lowest eigenvalue grows with n, from its value at n = 2 to its limit.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import vanish
from cdg_theory.proofs.tools.exact_matrices import exact_gram, identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PAGE = "theory/convergence.md"
t = sp.Symbol("t", positive=True)


def _sinc_falls(stop: Any = sp.pi) -> bool:
    """Check that sin x/x falls from 0 on: the sign of its derivative from that of another one."""
    x = sp.Symbol("x", positive=True)
    slope = x * sp.cos(x) - sp.sin(x)  # x² times the derivative
    # slope(0) = 0, and slope′ = −x sin x has no zero on (0, π) and is negative at π/2.
    falling = -x * sp.sin(x)
    interval = sp.Interval.open(0, stop)
    return (
        vanish([sp.diff(sp.sin(x) / x, x) * x**2 - slope, sp.diff(slope, x) - falling])
        and slope.subs(x, 0) == 0
        and sp.solveset(sp.sin(x), x, interval) is sp.S.EmptySet
        and bool(falling.subs(x, sp.pi / 2) < 0)
    )


def _bounds(path_at_2: int = 8, cycle_at_2: int = 16) -> bool:
    r"""Check the ends of the ranges: n = 2 and n → ∞, for s = n² and for s = 1."""
    n = sp.Symbol("n", positive=True)
    path, cycle = (4 * sp.sin(sp.pi / (d * n)) ** 2 for d in (2, 1))
    ranges = [
        (n**2 * path, path_at_2, sp.pi**2),
        (n**2 * cycle, cycle_at_2, 4 * sp.pi**2),
    ]
    # Unit spacing: n² times the eigenvalue stays within the same bounds, so it falls like n⁻².
    return all(
        vanish([lowest.subs(n, 2) - low, sp.limit(lowest, n, sp.oo) - high])
        for lowest, low, high in ranges
    )


def _norm(w: NDArray[Any], M: NDArray[Any]) -> Any:
    return w @ M @ w


def _contraction(rate_of: Callable[[Fraction, Fraction], Fraction] = max) -> bool:
    r"""Check the contraction exactly, on quadratics whose curvature fills the allowed range.

    :math:`\tfrac1n A` with :math:`A = mM + (\Lambda-m)\,Mv\,v^TM/v^TMv` has
    :math:`m\|h\|^2\le D^2F(h,h)\le\Lambda\|h\|^2` by Cauchy and Schwarz, with equality for h = v
    and for h orthogonal to v in the metric.
    """
    draw = random.Random(12)
    for size in (1, 2, 3, 6, 9):
        for periodic in (False, True):
            alpha, beta, gamma, delta = (Fraction(draw.randint(1, 9), 4) for _ in range(4))
            # Every other size without curvature.
            c, d = gamma * size**2, delta * size**4 * (size % 2)
            M = exact_gram(alpha, beta, c, size, d=d, periodic=periodic)
            v = np.array([Fraction(draw.randint(1, 9)) for _ in range(size)], dtype=object)
            low, tau = Fraction(1, 3), Fraction(draw.randint(1, 30), 20)
            high = low + Fraction(draw.randint(1, 30), 20)
            other = np.roll(v, 1) + identity(size)[0]
            across = other - v * ((v @ M @ other) / _norm(v, M))  # 0 if there is one channel
            drawn = np.array([Fraction(draw.randint(-9, 9)) for _ in v], dtype=object)
            shrunk = []
            for w in (v, across, drawn):
                # n M⁻¹ ∂F, with ∂F = A w/n: M⁻¹A is known without inverting M.
                step = low * w + (high - low) * v * ((v @ M @ w) / _norm(v, M))
                before = _norm(w, M)
                shrunk.append(_norm(w - tau * step, M) / before if before else Fraction(0))
            # Along v and across it the ends of the range are attained, and one of them is the rate.
            ends = (abs(1 - tau * high), abs(1 - tau * low) if size > 1 else Fraction(0))
            if shrunk[:2] != [end**2 for end in ends] or max(shrunk) != rate_of(*ends) ** 2:
                return False
    return True


def _segment(share: Any = t) -> bool:
    r"""Check that :math:`1-\tau\lambda` is affine, so that its modulus is convex.

    :math:`\lambda=(1-t)m+t\Lambda` gives :math:`1-\tau\lambda` as the same mean of its end values.
    """
    tau, m, top = sp.symbols("tau m Lambda", positive=True)
    inside = (1 - t) * m + t * top
    ends = (1 - t) * (1 - tau * m) + share * (1 - tau * top)
    return vanish([1 - tau * inside - ends])


THEOREMS = (
    Theorem(
        id="T12.sinc",
        title="n sin(π/2n) grows with n",
        statement="sin x/x falls on (0, π), so n sin(π/2n) and n sin(π/n) grow with n ≥ 2.",
        tex=(
            r"\frac{d}{dx}\frac{\sin x}{x}=\frac{x\cos x-\sin x}{x^2}<0,\qquad "
            r"(x\cos x-\sin x)'=-x\sin x"
        ),
        scope="0 < x < π, which holds x = π/2n and x = π/n for all n ≥ 2",
        kind="symbolic",
        check=_sinc_falls,
        variant=partial(_sinc_falls, stop=2 * sp.pi),
        perturbed="The same on (0, 2π).",
        page=PAGE,
    ),
    Theorem(
        id="T12.bounds",
        title="Bounds of the lowest eigenvalue, for every n",
        statement=(
            "With normalized spacing the lowest eigenvalue of sL lies between its value at n = 2 "
            "and its limit, so the step bound of theorem 4 is uniform in n; with unit spacing it "
            "falls like 1/n²."
        ),
        tex=(
            r"8\le4n^2\sin^2\tfrac{\pi}{2n}<\pi^2\ \text{(natural)},\qquad "
            r"16\le4n^2\sin^2\tfrac{\pi}{n}<4\pi^2\ \text{(periodic)}"
        ),
        scope="all n ≥ 2, by T12.sinc",
        kind="symbolic",
        check=_bounds,
        variant=partial(_bounds, path_at_2=4, cycle_at_2=8),
        perturbed="The same with half the lower bounds as values at n = 2.",
        page=PAGE,
    ),
    Theorem(
        id="T12.segment",
        title="The contraction rate is taken at an end of the range",
        statement="1 − τλ is affine in λ, so its modulus is largest at an end of [m, Λ].",
        tex=r"|1-\tau\lambda|\le\max(|1-\tau m|,|1-\tau\Lambda|),\qquad m\le\lambda\le\Lambda",
        scope="all 0 < m ≤ Λ, τ > 0",
        kind="symbolic",
        check=_segment,
        variant=partial(_segment, share=t**2),
        perturbed="The same with t² for t in the mean.",
        page=PAGE,
    ),
    Theorem(
        id="T12.contraction",
        title="Descent in the metric contracts uniformly in n",
        statement=(
            "If the curvature lies between m and Λ in the metric, a step n M⁻¹∂F contracts by the "
            "larger of |1 − τm| and |1 − τΛ|, for every n; each is attained, the first across a "
            "direction and the second along it."
        ),
        tex=(
            r"\|w^+-w^*\|_M\le\max(|1-\tau m|,|1-\tau\Lambda|)\,\|w-w^*\|_M,\qquad "
            r"w^+=w-\tau\,n\,M^{-1}\partial F"
        ),
        scope="drawn quadratics, n in 1…9, weights, steps and both boundaries; rational numbers",
        kind="exact",
        check=_contraction,
        variant=partial(_contraction, rate_of=lambda one, other: one + other),
        perturbed="It contracts by their sum, and no more.",
        page=PAGE,
    ),
)
