r"""Theorem 18: the sweeps in differences are the sweeps over pairs, for every n.

By induction on the rows, about the code itself, executed on rational functions of independent
symbols. A, B are those of row i, (u, w) is the load there that the forward sweep over pairs holds,
(x', m') the pair of row i + 1.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from cdg_theory.discrete import cholesky, curvature
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import RationalFunction, all_zero, row
from cdg_theory.proofs.tools.exact_matrices import gram_product

PAGE = "theory/second-order.md"


def _steps(share: int = 1) -> bool:
    r"""Check base and step of both sweeps; y is claimed with ``share`` times c.

    Loop invariants, E = qA + BT, R = 1/(1+E), (u, w)' = R(u, w) + (0, r'):

    - (down) what the sweep hands on is :math:`p_{i-1}z_{i-1}=du/B` and
      :math:`\tilde y_{i-1}+r_i=(\beta A/B+c)u+w`; then :math:`z_i=dNu'/B`;
    - (up)   :math:`Bm=d(v-u)+\beta Ax`; in the last row with the seam's flux for v.
    """
    names = "beta c d A B u w r x v"
    beta, c, d, A, B, u, w, r, x, v = RationalFunction.symbols(names)
    p, q, ring = c / d, beta / d, curvature.Ring(c, beta * d)
    N, A1, B1 = curvature.eliminate_pair(p, q, A, B)
    N1, A2, B2 = curvature.eliminate_pair(p, q, A1, B1)
    R, R1 = ((1 + q * A) / N, B / (d * N)), ((1 + q * A1) / N1, B1 / (d * N1))
    factors = np.array([[B / (N + B), B1 / (N1 + B1)], [q * A1 / B1, q * A2 / B2]])

    # (down): two rows, from what row i - 1 has handed on.
    def handed(A: Any, B: Any, u: Any, w: Any) -> tuple[Any, Any]:
        return (beta * A / B + share * c) * u + w, d * u / B

    u1, carried = ring.act(R, (u, w))
    w1 = carried + r
    u2, _ = ring.act(R1, (u1, w1))
    y, before = handed(A, B, u, w)
    rows = row(0 * r, r, 0 * r)
    cholesky.sweep_down(rows, factors, (y, before))
    y1, before1 = handed(A1, B1, u1, w1)
    down = [rows[0] - d * N / B * u1, rows[1] - d * N1 / B1 * u2, rows[1] - y1 - before1]
    base = row(*handed(0 * d, d / d, u, w)) - row(c * u + w, d * u)

    # (up): row i, from x and v of row i + 1.
    m1 = (d * (v - u1) + beta * A1 * x) / B1
    x0, m0 = ring.act(R, (x + u, m1 + w))
    rows = row(d * N / B * u1, 0 * x)
    cholesky.sweep_up(rows, factors[:, :1], (d * x, d * v))
    up = [rows[0] - d * x0, B * m0 - d * (x0 - x - u) - beta * A * x0]
    # The last row: E X = U - flux, since E' = T + 1 - R.
    a, b = (p - R[0] + 1, -1 / d - R[1])
    last = row(a, b) - row(q * A1 + p * B1, -B1 / d)
    return all_zero(down, base, up, last)


def _factors() -> bool:
    """Check the factors of the code, and that they lie between 0 and 1."""
    beta, c, d = RationalFunction.symbols("beta c d")
    p, q, A, B = c / d, beta / d, 0 * d, d / d
    zeros, terms = [], []
    for carry, pull in cholesky.cholesky_factors(beta, c, d, 4).T:
        N, A, following = curvature.eliminate_pair(p, q, A, B)
        zeros += [carry * (N + B) - B, pull * following - q * A]
        terms += [carry, 1 - carry, pull, 1 - pull]
        B = following
    return all_zero(zeros) and all(term.is_positive for term in terms)


def _squares() -> bool:
    """Check the sum of squares on four rows: what is left of it is a multiple of the last one."""
    n = 4
    beta, c, d, *x = RationalFunction.symbols(" ".join(["beta c d", *(f"x{i}" for i in range(n))]))
    factors = cholesky.cholesky_factors(beta, c, d, n)

    def left(x: Any) -> Any:
        # With α = β the Gram matrix is A itself.
        form = (x * gram_product(x, beta, beta, c, d, periodic=False)).sum()
        v = np.append(x[:-1] - x[1:], 0 * d)
        for i, (p, s) in enumerate(factors.T):
            root = v[i] - p * v[i + 1] + s * x[i + 1]
            form = form - d / p * root * root
        return form

    unit = row(*(0 * d,) * (n - 1), d / d)
    return all_zero([left(row(*x)) - x[-1] * x[-1] * left(unit)])


def _runs() -> bool:
    """Compare with the sweeps over pairs, in rational numbers."""
    weights = Fraction(1, 3), Fraction(2, 5), Fraction(7, 2)
    for n in range(2, 8):
        for periodic in (False, True):
            r = row(*(Fraction(i * i % 7 - i) for i in range(n)))
            r -= r.sum() / n
            own = curvature.curvature_factors(*weights, n, periodic=periodic)
            flux = curvature.seam_flux(r, own) if periodic else (Fraction(0), Fraction(0))
            x = curvature.solve_curvature(r.copy(), own)
            if not all_zero(cholesky.solve_from_end(r, weights, x[-1], flux) - x):
                return False
    return True


def _holds(share: int = 1) -> bool:
    return _steps(share) and _factors() and _squares() and _runs()


THEOREMS = (
    Theorem(
        id="T18.cholesky",
        title="The sweeps over pairs are a Cholesky factorization in differences",
        statement=(
            "In levels and their differences the elimination needs two numbers of a row, between 0 "
            "and 1 and made of positive terms, and hands on one. From the last level, and on the "
            "cycle the flux over the seam, its two sweeps give what the sweeps over pairs give."
        ),
        tex=(
            r"x^TAx=\sum_{i<n-1}\frac d{p_i}(v_i-p_iv_{i+1}+s_ix_{i+1})^2+e\,x_{n-1}^2,\qquad "
            r"v_i=x_i-x_{i+1},\quad p_i=\frac{B_i}{N_i+B_i},\quad s_i=\frac{qA_{i+1}}{B_{i+1}}"
        ),
        scope="all n ≥ 2, all β, c ≥ 0, d > 0, both boundaries, all g; the squares on four rows",
        kind="symbolic",
        check=_holds,
        variant=partial(_holds, share=2),
        perturbed="The same with 2c for c in what the forward sweep holds.",
        page=PAGE,
    ),
)
