r"""Theorem 3 on n channels: what the gradient keeps, what it commutes with, where it tends.

The claims are about the closed-form inverses, which theorem 5 proves for every n. With a curvature
the inverse is a product of two of them (T18.inverse), so its columns sum to 1/α too, and it
commutes with whatever both commute with; the code is executed besides.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.discrete import inverse
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import Powers, is_zero, vanish
from cdg_theory.proofs.tools.exact_matrices import identity
from cdg_theory.proofs.tools.rational_members import CURVED

if TYPE_CHECKING:
    from cdg_theory.metric import Boundary

PAGE = "theory/discretization.md"
i, j, k, n, u = sp.symbols("i j k n u", integer=True, nonnegative=True)
alpha, beta, c, N = sp.symbols("alpha beta c N", positive=True)


def _mean_is_kept(last: Any = n - 1) -> bool:
    r"""Check that every column of every closed-form inverse sums to 1/α: that of G to 0.

    Sums of polynomials and of geometric series, over the rows k up to the column's index j and from
    there on to the last; on the cycle over the distances.
    """
    power = Powers("r", j, k, n, u)
    weight = n * c * (1 - power.base) ** 2 / power.base  # nβ

    def polynomial(summand: Any, index: Any, first: Any, end: Any) -> Any:
        return sp.summation(sp.expand(summand), (index, first, end))

    def path(entry: Any, total: Any) -> Any:
        return total(entry(k, j), k, 0, j - 1) + total(entry(j, k), k, j, last)

    diagonal, off = (inverse.h0_entry(delta, n, beta) for delta in (1, 0))
    return vanish(
        [
            diagonal + last * off,
            path(lambda lo, hi: inverse.path_entry(lo, hi, n), polynomial),
            polynomial(inverse.cycle_entry(u, n), u, 0, last),
            path(
                lambda lo, hi: inverse.path_resolvent(lo, hi, n, c, power) - 1 / weight,
                power.total,
            ),
            power.total(inverse.cycle_resolvent(u, n, c, power) - 1 / weight, u, 0, last),
        ]
    )


def _commutes(lo: Any = n - 1 - j, hi: Any = n - 1 - i) -> bool:
    """Check that the inverse is as it was where i ≤ j have become lo ≤ hi, here by the reversal."""
    power = Powers("r", i, j, n, u)

    def path(i: Any, j: Any) -> list[Any]:
        return [inverse.path_entry(i, j, n), inverse.path_resolvent(i, j, n, c, power)]

    def cycle(d: Any) -> list[Any]:
        return [inverse.cycle_entry(d, n), inverse.cycle_resolvent(d, n, c, power)]

    def differ(these: list[Any], those: list[Any]) -> list[Any]:
        return [a - b for a, b in zip(these, those, strict=True)]

    # On the cycle only the distance counts, so rotations and reflections leave every entry as it
    # is, if going round the other way gives the same.
    return vanish(differ(path(i, j), path(lo, hi)) + differ(cycle(u), cycle(n - u)))


def _h0_limits(mean_at: Any = sp.oo) -> bool:
    """Check λ → 1 (the ordinary gradient) and the limit that is the mean, on and off the diagonal.

    That there are two kinds of entries only is why every permutation commutes.
    """
    lam = sp.Symbol("lam", positive=True)
    on, off = (1 / n + inverse.h0_entry(delta, n, lam) for delta in (1, 0))
    plain = [on.subs(lam, 1) - 1, off.subs(lam, 1)]
    mean = [sp.limit(entry, lam, mean_at) - 1 / n for entry in (on, off)]
    return vanish(plain) and all(entry.is_finite and is_zero(entry) for entry in mean)


def _small_fluctuation(nodes: Any = N) -> bool:
    r"""Check β → 0: with :math:`r=e^{-\theta}`, :math:`\beta=c(1-r)^2/r`, let θ → 0.

    Entries of G are made of the drops :math:`b_N(u)` (theorem 5, images), for every β the same
    way. Numerator and denominator of a drop are of order θ²; divide both by it.
    """
    theta, e, d = sp.symbols("theta e d", positive=True)
    factor = sp.limit((1 - sp.exp(-theta * e)) / theta, theta, 0)
    scale = c * sp.limit((sp.exp(theta) - sp.exp(-theta)) / theta, theta, 0)

    def drop(distance: Any, size: Any) -> Any:
        return inverse.cycle_drop(distance, size, scale, lambda power: factor.subs(e, power))

    total = sp.summation(sp.expand(drop(u, N)), (u, 0, N - 1))
    cycle = total / N - drop(d, N)
    folded = 2 * total.subs(N, 2 * n) / (2 * n) - drop(j - i, 2 * n) - drop(i + j + 1, 2 * n)
    return vanish(
        [
            cycle - inverse.cycle_entry(d, nodes) / c,
            folded - inverse.path_entry(i, j, n) / c,
        ]
    )


def _small_derivative(diagonal: Any = 1 / beta) -> bool:
    r"""Check γ → 0 at fixed β: with :math:`c = \beta r/(1-r)^2`, let r → 0.

    Exponents are written as 1 + s with s ≥ 0, so that every :math:`r^s` stays in [0,1] while its
    partner r is_zero: put r = 0 and keep the :math:`r^s` as symbols.
    """
    s, t, m = sp.symbols("s t m", integer=True, nonnegative=True)
    power = Powers("r", i, s, t, m)
    r = power.base
    vanishing = beta * r / (1 - r) ** 2

    def limit(entry: Any) -> Any:
        return sp.cancel(sp.together(entry)).subs(r, 0)

    # Path: i = lo, hi = lo + d, t rows after hi. Diagonal d = 0, off it d = 1 + s.
    on = inverse.path_resolvent(i, i, i + t + 1, vanishing, power)
    off = inverse.path_resolvent(i, i + 1 + s, i + s + t + 2, vanishing, power)
    # Cycle of n = 1 + m nodes; off the diagonal both ways round have 1 + s and 1 + t steps.
    around = inverse.cycle_resolvent(sp.Integer(0), 1 + m, vanishing, power)
    apart = inverse.cycle_resolvent(1 + s, s + t + 2, vanishing, power)
    return vanish([limit(on) - diagonal, limit(off), limit(around) - diagonal, limit(apart)])


def _second_order(turn: Boundary = "periodic") -> bool:
    """Solve exactly for unit vectors: sums of the columns, and reversal and rotation by one.

    The metrics that commute with rotation are claimed to be those with the boundary ``turn``.
    """
    for metric, size in product(CURVED, range(1, 7)):
        K = riemannian_gradient(identity(size), metric)
        if (K.sum(axis=0) != 1 / Fraction(metric.mean)).any() or (K[::-1, ::-1] != K).any():
            return False
        rotates = bool((np.roll(K, 1, (0, 1)) == K).all())
        # On one or two channels they all do.
        if size > 2 and rotates != (metric.boundary == turn):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T3.discrete-mean",
        title="The mean over channels is kept",
        statement=(
            "For every n the columns of the inverse sum to 1/α, so the mean of the gradient in the "
            "metric is that of g over α."
        ),
        tex=r"\mathbf 1^TM^{-1}=\tfrac1\alpha\mathbf 1^T\ \Longrightarrow\ \bar k=\bar g/\alpha",
        scope="all n ≥ 1, all weights, both boundaries",
        kind="symbolic",
        check=_mean_is_kept,
        variant=partial(_mean_is_kept, last=n - 2),
        perturbed="The same for the sums of all rows but the last.",
        page=PAGE,
        formal=("T3_discrete_mean",),
    ),
    Theorem(
        id="T3.discrete-symmetry",
        title="Which relabellings of the channels commute with the gradient",
        statement=(
            "The natural metrics commute with the reversal of the channels, the periodic ones with "
            "rotations and reflections."
        ),
        tex=(
            r"(M^{-1})_{n-1-i,\,n-1-j}=(M^{-1})_{ij}\ \text{(natural)},\qquad "
            r"(M^{-1})_{ij}=f(d)=f(n-d)\ \text{(periodic)}"
        ),
        scope="all n ≥ 1, β = 0 and β > 0",
        kind="symbolic",
        check=_commutes,
        variant=partial(_commutes, lo=i + 1, hi=j + 1),
        perturbed="The natural metrics commute with a shift by one channel.",
        page=PAGE,
        formal=("T3_discrete_symmetry", "T3_discrete_symmetry_cycle"),
    ),
    Theorem(
        id="T3.discrete-h0",
        title="Limits and symmetry of re-weighted H⁰",
        statement=(
            "λ → 1 gives the ordinary gradient and λ → ∞ the mean alone; entries know only whether "
            "two indices are equal, so every permutation of the channels commutes."
        ),
        tex=r"M^{-1}=P+\tfrac1\lambda(I-P)\ \to\ I\ (\lambda\to1),\quad P\ (\lambda\to\infty)",
        scope="all n ≥ 1, α = 1, γ = 0",
        kind="symbolic",
        check=_h0_limits,
        variant=partial(_h0_limits, mean_at=0),
        perturbed="The mean alone is left for λ → 0.",
        page=PAGE,
        formal=("T3_discrete_h0", "T3_discrete_h0_permutations"),
    ),
    Theorem(
        id="T3.discrete-small-fluctuation",
        title="The general member tends to the channel-directed Sobolev metric",
        statement="For every n, β → 0 takes every entry of the inverse to that of β = 0.",
        tex=r"(\beta I+cL)^{-1}_{ij}-\tfrac1{n\beta}\ \to\ \tfrac1cL^+_{ij}\quad(\beta\to0)",
        scope="all n ≥ 1, all c > 0, both boundaries",
        kind="symbolic",
        check=_small_fluctuation,
        variant=partial(_small_fluctuation, nodes=2 * N),
        perturbed="The same with the pseudoinverse of a cycle of 2n nodes.",
        page=PAGE,
    ),
    Theorem(
        id="T3.discrete-small-derivative",
        title="The general member tends to the re-weighted H⁰ metric",
        statement="For every n, γ → 0 at fixed β takes each entry of the inverse to that of γ = 0.",
        tex=r"(\beta I+cL)^{-1}_{ij}\ \to\ \tfrac1\beta\delta_{ij}\quad(c\to0)",
        scope="all n ≥ 1, all β > 0, both boundaries",
        kind="symbolic",
        check=_small_derivative,
        variant=partial(_small_derivative, diagonal=2 / beta),
        perturbed="The same with 2/β as the limit on the diagonal.",
        page=PAGE,
    ),
    Theorem(
        id="T18.symmetry",
        title="The mean and the symmetries, with a curvature",
        statement=(
            "The columns of the second-order inverse sum to 1/α; the natural metrics commute with "
            "the reversal of the channels, the periodic ones with rotations too."
        ),
        tex=r"\mathbf 1^TM^{-1}=\tfrac1\alpha\mathbf 1^T,\qquad RM^{-1}R=M^{-1}",
        scope="all n by T18.inverse and T3; the code on unit vectors, in rational numbers: 24 "
        "members with a curvature, n in 1…6",
        kind="exact",
        check=_second_order,
        variant=partial(_second_order, turn="natural"),
        perturbed="The natural ones commute with rotations.",
        page=PAGE,
        formal=("T18_symmetry", "T18_symmetry_cycle"),
    ),
)
