r"""Theorem 8: how much of white gradient noise is kept, :math:`\operatorname{tr}(M^{-2})/n`.

M is symmetric, so the trace of :math:`M^{-2}` is the sum of the squared entries of the inverse,
which theorem 5 has in closed form.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp

from cdg_theory.discrete import inverse, noise
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import Powers, is_zero, vanish
from cdg_theory.proofs.tools.exact_matrices import exact_inverse

PAGE = "theory/convergence.md"
i, j, n, u = sp.symbols("i j n u", integer=True, nonnegative=True)
alpha, beta, c = sp.symbols("alpha beta c", positive=True)


def _one_line(modes: Any = n - 1) -> bool:
    on, off = (1 / (alpha * n) + inverse.h0_entry(delta, n, beta) for delta in (1, 0))
    squares = n * on**2 + n * (n - 1) * off**2
    return is_zero(squares - (1 / alpha**2 + modes / beta**2))


def _sobolev(nodes: Any = n) -> bool:
    """Sum the squared entries of the pseudoinverses, and the cross term with the mean's part."""
    entry = inverse.path_entry(i, j, n)
    column = sp.summation(sp.expand(entry**2), (i, 0, j - 1))
    above = sp.summation(sp.expand(column), (j, 0, n - 1))
    diagonal = sp.summation(sp.expand(entry.subs(i, j) ** 2), (j, 0, n - 1))
    path = 2 * above + diagonal
    round_trip = inverse.cycle_entry(u, n)
    cycle = n * sp.summation(sp.expand(round_trip**2), (u, 0, n - 1))
    # (1/αn + G)²: the cross term is_zero with the column sums of G, the first gives 1/α².
    cross = sp.summation(sp.expand(round_trip), (u, 0, n - 1))
    return vanish(
        [path - noise.path_sobolev_trace(nodes), cycle - noise.cycle_sobolev_trace(n), cross]
    )


def _general_cycle(stiffness: Any = c) -> bool:
    power = Powers("r", u, n)
    entry = inverse.cycle_resolvent(u, n, c, power)
    squares = n * power.total(entry**2, u, sp.Integer(0), n - 1)
    return is_zero(squares - noise.cycle_trace(n, stiffness, power))


def _folding(alternating: int = 1) -> bool:
    r"""Check that the cycle of 2n nodes has the path's modes twice, by their eigenvalues.

    Mode m of the path and modes m and 2n − m of the cycle; mode n of the cycle is ℓ = 4, and it,
    ``alternating``, is taken off. The code's formulas for β > 0 and for β = 0 are tied by this.
    """
    m, size = sp.symbols("m n", integer=True, positive=True)

    def path(mode: Any) -> Any:
        return 4 * sp.sin(sp.pi * mode / (2 * size)) ** 2

    def cycle(mode: Any) -> Any:
        return 4 * sp.sin(sp.pi * mode / (2 * size)) ** 2

    power = Powers("r", n)
    weight = c * (1 - power.base) ** 2 / power.base  # β
    once = 1 / weight**2 - alternating / (weight + 4 * c) ** 2
    general = (noise.cycle_trace(2 * n, c, power) + once) / 2 - noise.path_trace(n, c, power)
    mirrored = sp.expand_trig(cycle(2 * size - m)) - cycle(m)
    folded = (noise.cycle_sobolev_trace(2 * n) - sp.Rational(1, 16)) / 2
    return (
        is_zero(path(m) - cycle(m))
        and sp.simplify(mirrored) == 0
        and vanish([path(size) - 4, folded - noise.path_sobolev_trace(n), general])
    )


def _exact(times: int = 1) -> bool:
    """Compare the closed forms with the squared entries of the exact inverses."""
    scale = Fraction(5, 3)
    for size in (1, 2, 3, 5, 8, 13):
        for r in (Fraction(1), Fraction(1, 2), Fraction(99, 100)):
            for periodic in (False, True):
                squares = (exact_inverse(size, scale, r, periodic=periodic) ** 2).sum()
                whole = Fraction(size)
                if r == 1:
                    sobolev = noise.cycle_sobolev_trace if periodic else noise.path_sobolev_trace
                    closed = sobolev(whole) / scale**2
                else:
                    general = noise.cycle_trace if periodic else noise.path_trace
                    weight = scale * (1 - r) ** 2 / r
                    closed = general(size, scale, partial(pow, r)) - 1 / weight**2
                if squares != times * closed:
                    return False
    return True


THEOREMS = (
    Theorem(
        id="T8.discrete-h0",
        title="Noise kept by the re-weighted H⁰ metric",
        statement="For every n the variance of white noise that is kept has a closed form.",
        tex=r"\operatorname{tr}(M^{-2})=\tfrac1{\alpha^2}+\tfrac{n-1}{\beta^2}",
        scope="all n ≥ 1, all α, β > 0, γ = 0",
        kind="symbolic",
        check=_one_line,
        variant=partial(_one_line, modes=n),
        perturbed="The same with n for n − 1.",
        page=PAGE,
    ),
    Theorem(
        id="T8.discrete-sobolev",
        title="Noise kept by the channel-directed Sobolev metric",
        statement=(
            "For every n the squared entries of the pseudoinverse of the path and of the cycle sum "
            "to polynomials in n."
        ),
        tex=(
            r"\operatorname{tr}\big((L^+)^2\big)=\tfrac{(n^2-1)(2n^2+7)}{180}\ \text{(path)},\quad "
            r"\tfrac{(n^2-1)(n^2+11)}{720}\ \text{(cycle)}"
        ),
        scope="all n ≥ 1, both boundaries",
        kind="symbolic",
        check=_sobolev,
        variant=partial(_sobolev, nodes=n + 1),
        perturbed="The same with n + 1 for n on the path.",
        page=PAGE,
    ),
    Theorem(
        id="T8.discrete-cycle",
        title="Noise kept by the general member, periodic",
        statement="For every n the squared entries of the cycle's resolvent sum to a closed form.",
        tex=(
            r"\operatorname{tr}\big((\beta I+cL)^{-2}\big)=\frac{n}{c^2(1/r-r)^2(1-r^n)^2}"
            r"\Big(\frac{(1+r^2)(1-r^{2n})}{1-r^2}+2n\,r^n\Big)"
        ),
        scope="all n ≥ 1, all β, c > 0, periodic",
        kind="symbolic",
        check=_general_cycle,
        variant=partial(_general_cycle, stiffness=2 * c),
        perturbed="The same with 2c for c.",
        page=PAGE,
    ),
    Theorem(
        id="T8.discrete-folding",
        title="Noise kept by the general member, natural ends",
        statement=(
            "The cycle of 2n nodes has every mode of the path twice, except the constant and the "
            "alternating one, so the path's trace is half of the cycle's, put right for these two."
        ),
        tex=(
            r"\operatorname{tr}R_{\text{path},n}^2=\tfrac12\Big(\operatorname{tr}R_{2n}^2"
            r"+\tfrac1{\beta^2}-\tfrac1{(\beta+4c)^2}\Big)"
        ),
        scope="all n ≥ 1, all modes; β ≥ 0",
        kind="symbolic",
        check=_folding,
        variant=partial(_folding, alternating=0),
        perturbed="The same with the alternating mode left in.",
        page=PAGE,
    ),
    Theorem(
        id="T8.discrete-exact",
        title="The closed forms of the noise kept, in rational numbers",
        statement="For drawn n and weights the closed forms are the sums of the squared entries.",
        tex=r"\operatorname{tr}(M^{-2})=\sum_{ij}(M^{-1})_{ij}^2\quad\text{in}\ \mathbb Q",
        scope="n in 1…13, β = 0 and β > 0, both boundaries",
        kind="exact",
        check=_exact,
        variant=partial(_exact, times=2),
        perturbed="The same with twice the closed form.",
        page=PAGE,
    ),
)
