r"""Theorems 1 and 2 on n channels: the form as a sum of squares, its spectrum, when it is definite.

Trigonometric identities are decided as identities between powers of :math:`z = e^{ia/2}`, where a
is the angle of a mode; the condition that makes a an angle of the boundary fixes :math:`z^{n}`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import Powers, is_zero, vanish
from cdg_theory.proofs.tools.exact_matrices import exact_gram, laplacian

PAGE = "theory/discretization.md"
HALF = sp.Rational(1, 2)
i, n = sp.symbols("i n", integer=True, nonnegative=True)


def _summation_by_parts(seams: int = 1) -> bool:
    r"""Check summation by parts by induction on n.

    .. math:: \sum_{i<n-1}(k_{i+1}-k_i)(h_{i+1}-h_i) = \sum_{i<n}(Lk)_ih_i

    One node more adds one term on the left. On the right the old last row, k₁ − k₀, becomes an
    inner row, 2k₁ − k₀ − k₂, and a new last row comes. The cycle adds one term for its seam and
    turns the two end rows into inner rows. Base and every kind of row from the code, for n ≤ 4.
    """
    k0, k1, k2, h0, h1, h2 = sp.symbols("k0 k1 k2 h0 h1 h2")
    added = (k2 - k1) * (h2 - h1)
    old, new = (k1 - k0) * h1, (2 * k1 - k0 - k2) * h1 + (k2 - k1) * h2
    # The seam joins the last node (k2) to the first (k0).
    seam = (k0 - k2) * (h0 - h2) - ((k0 - k2) * h0 + (k2 - k0) * h2)
    zero = [added - (new - old), seam]
    for size, periodic in product((1, 2, 3, 4), (False, True)):
        k, h = (np.array(sp.symbols(f"{name}:{size}"), dtype=object) for name in "kh")
        squares = sum((k[i + 1] - k[i]) * (h[i + 1] - h[i]) for i in range(size - 1))
        squares += seams * periodic * (k[0] - k[-1]) * (h[0] - h[-1])
        bent = laplacian(k, periodic=periodic)
        zero.append(squares - h @ bent)
        # The sum is symmetric in k and h, so L is, for every n; hence the curvature's term.
        zero.append(laplacian(h, periodic=periodic) @ bent - h @ laplacian(bent, periodic=periodic))
    return vanish(zero)


def _cosines(offset: Any = HALF) -> bool:
    """Check the path's eigenvectors in an inner row and in both end rows."""
    power = Powers("z", i, n)

    def v(index: Any) -> Any:
        return (power(2 * (index + offset)) + power(-2 * (index + offset))) / 2

    eigenvalue = 2 - power(2) - power(-2)  # 4 sin²(a/2)
    inner = 2 * v(i) - v(i - 1) - v(i + 1) - eigenvalue * v(i)
    first = v(sp.Integer(0)) - v(sp.Integer(1)) - eigenvalue * v(sp.Integer(0))
    last = v(n - 1) - v(n - 2) - eigenvalue * v(n - 1)
    # a = πm/n: zⁿ = exp(iπm/2) is a fourth root of 1.
    roots = (1, -1, sp.I, -sp.I)
    return vanish([inner, first, *(last.subs(power.of[n], root) for root in roots)])


def _waves(roots: tuple[Any, ...] = (1, -1)) -> bool:
    r"""Check the cycle's eigenvectors, the wrapped rows included, and that they are orthogonal.

    Angles a = 2πm/n have :math:`z^n=e^{i\pi m}` among the roots ±1; with fourth roots, modes m + ½
    would be let in.
    """
    power = Powers("z", i, n)

    def v(index: Any) -> Any:
        return power(2 * index)

    eigenvalue = 2 - power(2) - power(-2)
    inner = 2 * v(i) - v(i - 1) - v(i + 1) - eigenvalue * v(i)
    zero, one = sp.Integer(0), sp.Integer(1)
    first = 2 * v(zero) - v(n - 1) - v(one) - eigenvalue * v(zero)
    last = 2 * v(n - 1) - v(n - 2) - v(zero) - eigenvalue * v(n - 1)
    # Two different modes: z² is the quotient of their factors, another n-th root of 1, not 1.
    product = power.total(v(i), i, zero, n - 1)
    ends = [e.subs(power.of[n], root) for e in (first, last, product) for root in roots]
    return vanish([inner, *ends])


def _smallest(turn: int = 1) -> bool:
    r"""Check that mode 1 has the smallest eigenvalue above that of the constant.

    :math:`\sin^2x-\sin^2y=\sin(x+y)\sin(x-y)`, and both angles lie in :math:`[0,\pi]`: on the
    cycle x is ``turn``·πm/n, on the path half of it.
    """
    x, y = sp.symbols("x y", real=True)
    product = sp.sin(x + y) * sp.sin(x - y)
    identity = sp.expand_trig(sp.sin(x) ** 2 - sp.sin(y) ** 2 - product)
    identity = sp.expand(identity).subs(sp.cos(x) ** 2, 1 - sp.sin(x) ** 2)
    identity = sp.expand(identity.subs(sp.cos(y) ** 2, 1 - sp.sin(y) ** 2))
    # Mode m = 1 + s of n = 2 + s + t, with s, t ≥ 0: every 1 ≤ m ≤ n − 1.
    s, t = sp.symbols("s t", nonnegative=True)
    m, size = 1 + s, 2 + s + t

    def lies_between(turns: Any) -> bool:
        low, high = sp.cancel(turns), sp.cancel(1 - turns)
        return bool(low.is_nonnegative) and bool(high.is_nonnegative)

    cycle = [turn * (m + 1) / size, turn * (m - 1) / size]
    path = [turns / 2 for turns in cycle]
    return is_zero(identity) and all(lies_between(turns) for turns in cycle + path)


def _is_definite(matrix: list[list[Fraction]]) -> bool:
    """Decide positive definiteness by exact elimination: all pivots positive."""
    rows = [row[:] for row in matrix]
    for p, pivot_row in enumerate(rows):
        if pivot_row[p] <= 0:
            return False
        for row in rows[p + 1 :]:
            factor = row[p] / pivot_row[p]
            for q in range(p, len(rows)):
                row[q] -= factor * pivot_row[q]
    return True


def _condition(edge: int = -1) -> bool:
    """Check that M is definite for β above ``edge`` times cℓ₁, just inside and outside of −cℓ₁.

    Outside, α and the first mode break it.
    """
    for size in (2, 3, 4, 5, 7, 10):
        for periodic in (False, True):
            turn = math.pi * (2 if periodic else 1) / size
            lowest = Fraction(4 * math.sin(turn / 2) ** 2)  # to 16 digits; the margins are 1e-3
            first = [Fraction(math.cos(turn * (a + 0.5))) for a in range(size)]
            v = np.array(first, dtype=object) - sum(first) / size
            alpha, c = Fraction(2, 7), Fraction(5, 3)
            for margin in (Fraction(1, 1000), Fraction(-1, 1000)):
                beta = -c * lowest * (1 - margin)
                M = exact_gram(alpha, beta, c, size, periodic=periodic)
                expected = beta > edge * c * lowest
                if _is_definite(M.tolist()) != expected or (v @ M @ v > 0) != expected:
                    return False
            # α ≤ 0 breaks on the constant, whatever the rest.
            if _is_definite(exact_gram(-alpha, 1, c, size, periodic=periodic).tolist()):
                return False
    return True


THEOREMS = (
    Theorem(
        id="T1.discrete-squares",
        title="The form on n channels is a sum of squares",
        statement=(
            "Summation by parts turns the Laplacian into a sum of squared differences, and its "
            "square into one of squared second differences, so the form is non-negative for "
            "non-negative weights, and zero for the zero vector only."
        ),
        tex=(
            r"h^TMh=\alpha n\,\bar h^2+\beta\sum_i(h_i-\bar h)^2+c\sum_i(h_{i+1}-h_i)^2"
            r"+d\sum_i(Lh)_i^2,\qquad "
            r"k^TLh=\sum_i(k_{i+1}-k_i)(h_{i+1}-h_i)"
        ),
        scope="all n ≥ 1 by induction on n, both boundaries (the cycle adds the seam's term)",
        kind="symbolic",
        check=_summation_by_parts,
        variant=partial(_summation_by_parts, seams=0),
        perturbed="The same without the cycle's seam.",
        page=PAGE,
        formal=("T1_discrete_squares", "T1_discrete_squares_definite", "T1_discrete_squares_riesz"),
    ),
    Theorem(
        id="T1.discrete-condition",
        title="When the form on n channels is definite",
        statement=(
            "The Gram matrix is positive definite exactly if α > 0 and β + cℓ > 0 for the lowest "
            "mode; outside, the lowest mode or the constant breaks it."
        ),
        tex=(
            r"M\succ0\iff\alpha>0\ \text{and}\ \beta+c\,\ell_1>0,\qquad "
            r"\ell_1=4\sin^2\tfrac{\pi}{2n}\ \text{or}\ 4\sin^2\tfrac{\pi}{n}"
        ),
        scope="n in 2…10, both boundaries, β one per mille inside and outside; exact elimination",
        kind="exact",
        check=_condition,
        variant=partial(_condition, edge=0),
        perturbed="Negative β is never definite.",
        page=PAGE,
    ),
    Theorem(
        id="T1.discrete-lowest",
        title="The lowest mode decides",
        statement="For every n the smallest eigenvalue of L above 0 is that of mode 1.",
        tex=r"\sin^2x-\sin^2y=\sin(x+y)\sin(x-y)\ge0,\qquad 0\le x\pm y\le\pi",
        scope="all n ≥ 2, all modes 1 ≤ m ≤ n − 1, both boundaries",
        kind="symbolic",
        check=_smallest,
        variant=partial(_smallest, turn=2),
        perturbed="The same for modes at twice the angle.",
        page=PAGE,
    ),
    Theorem(
        id="T2.discrete-cosines",
        title="Spectrum of the path",
        statement=(
            "For every n and m the vector of cosines at the cell centres is an eigenvector of the "
            "path's Laplacian, the end rows included; the n eigenvalues differ, so these are all."
        ),
        tex=(
            r"L\cos\tfrac{\pi m(i+\frac12)}{n}=4\sin^2\!\tfrac{\pi m}{2n}\ "
            r"\cos\tfrac{\pi m(i+\frac12)}{n}"
        ),
        scope="all n ≥ 1, all modes, natural",
        kind="symbolic",
        check=_cosines,
        variant=partial(_cosines, offset=1),
        perturbed="The same with cosines at the nodes, cos(πmi/n + πm/n).",
        page=PAGE,
    ),
    Theorem(
        id="T2.discrete-waves",
        title="Spectrum of the cycle",
        statement=(
            "For every n and m the Fourier vector is an eigenvector of the cycle's Laplacian, the "
            "wrapped rows included, and different modes are orthogonal."
        ),
        tex=r"L\,e^{2\pi\mathrm i\,mi/n}=4\sin^2\!\tfrac{\pi m}{n}\ e^{2\pi\mathrm i\,mi/n}",
        scope="all n ≥ 1 (n = 1 and n = 2 included), all modes, periodic",
        kind="symbolic",
        check=_waves,
        variant=partial(_waves, roots=(1, -1, sp.I, -sp.I)),
        perturbed="The same with half-integer modes let in.",
        page=PAGE,
    ),
)
