r"""Theorem 18 for shards: with a curvature term, blocks hand over pairs, elements of a ring.

The chain: pairs are elements of a commutative ring (ring), and x is a coordinate of the element
that solves an equation of first order (first-order). Theorem 11's identities hold over every
commutative ring in which the divisors are invertible; they are (divisors). The code that goes over
from numbers to elements and back does what the text says (block), and is executed as a whole
(few-rows, and theorem 11's own checks in rational numbers). Notation as in
:mod:`cdg_theory.discrete.blocks` and :mod:`cdg_theory.discrete.ring`.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement, pairwise, product
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import sympy as sp

from cdg_theory.discrete import blocks, ring, sweeps
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.discrete.blocks import defects, whole
from cdg_theory.proofs.tools.algebra import RationalFunction, vanish
from cdg_theory.proofs.tools.exact_matrices import exact_gram, identity, inverse_of, laplacian

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

PAGE = "theory/sharded-curvature.md"
KEPT = tuple(product((0, 1), repeat=2))  # whether there are β and c
p, q = sp.symbols("p q", nonnegative=True)


def _matrix(y: ring.Element) -> NDArray[Any]:
    return np.array([[y.h, y.b], [-y.q * y.b, y.a]])


def _ring(*, determinant: Any = q) -> bool:
    """Check all arithmetic against matrices, for all elements, numbers and pairs."""
    a, b, a_, b_, t = sp.symbols("a b a_ b_ t")
    y, z, T = (ring.Element.pair(p, q, *pair) for pair in ((a, b), (a_, b_), (p, -1)))
    Y, Z, one = _matrix(y), _matrix(z), np.eye(2, dtype=int)
    by_matrices = [
        (y + z, Y + Z),
        (y - z, Y - Z),
        (-y, -Y),
        (y * z, Y @ Z),
        (z * y, Y @ Z),
        (t + y, t * one + Y),
        (y + t, t * one + Y),
        (t - y, t * one - Y),
        (y - t, Y - t * one),
        (t * y, t * Y),
        (y / z * z, Y),
        (t / z * z, t * one),
        (y / t, Y / t),
        (T, np.array([[0, -1], [q, p]])),
        (T * T, p * _matrix(T) - determinant * one),
    ]
    zero = [x for found, matrix in by_matrices for x in (_matrix(found) - matrix).flat]
    # The pair (x, m) is the element's second column; and h is told by a and b.
    zero.extend(Y @ [b_, a_] - [(y * z).b, (y * z).a])
    zero.extend(found.h - found.a - p * found.b for found, _ in by_matrices)
    return vanish(zero)


def _first_order(*, gain: int = 1) -> bool:
    r"""Check :math:`(\ell+T)^{-1}` for every eigenvalue ℓ of L, and the first-order code itself.

    Its b is :math:`1/(\ell^2+p\ell+q)`, the factor of x, and its a is ℓ times that, of m = Lx. The
    code of first order, with T for β and 1 for c, gives the responses of second order.
    """
    ell = sp.Symbol("ell", nonnegative=True)
    z = 1 / (ell + ring.Element.pair(p, q, p, -1))
    zero = [z.b * (ell**2 + p * ell + q) - gain, z.a - ell * z.b]
    for n, (beta, c) in product((1, 2, 3, 4), KEPT):
        d = Fraction(5, 7)
        plan = blocks.plan_of(Fraction(1), 2 * beta * d, 3 * c * d, (n,), periodic=False, d=d)
        T, one = plan.network()
        w = np.array([one, *[0 * one] * (n - 1)])
        by_sweeps = sweeps.solve_fluctuation(w - w.sum() / n, sweeps.path_factors(T, one, n))
        moments, levels = plan.responses[0]
        zero.extend([z.a for z in by_sweeps] - moments)
        zero.extend([z.b for z in by_sweeps] - levels)
    return vanish(zero)


def _block(*, near: int = 0) -> bool:
    """Check that the code's x solves a block's problem, and that its probes give the ends of S f.

    In rational numbers, for all inflows and fluctuations of up to four rows: the code is linear.
    With inflows (m, x), :math:`m = Lx` less the inflow of x, and :math:`Lm+pm+qx` is the load and
    the inflow of m, up to the level, which the balance gives.
    """
    draw = random.Random(18)
    for n, kept in product((1, 2, 3, 4), KEPT):
        beta, c, d = (Fraction(draw.randint(1, 9), 4) * factor for factor in (*kept, 1))
        plan = blocks.plan_of(Fraction(1), beta, c, (n,), periodic=False, d=d)
        unit = identity(n + 4)  # a column for each inflow, and for each row
        inflows, f = unit[:4], sweeps.split_mean(unit[4:])[1]
        solve = partial(blocks.solve_block, beta=beta, c=c, d=d)
        told = np.concatenate([0 * inflows[:1], inflows])
        x = blocks.finish(f, told, solve, plan.spread(0))
        entering = np.stack([0 * f, 0 * f])
        for end, pair in ((0, inflows[:2]), (-1, inflows[2:])):
            entering[:, end] += pair
        m = laplacian(d * x, periodic=False) - entering[1]
        load = laplacian(m, periodic=False) + c / d * m + beta * x - entering[0] - f
        alone = np.stack([laplacian(d * solve(f), periodic=False), d * solve(f)])
        zero = [
            load - load.mean(axis=0),
            x.mean(axis=0),
            plan.probes(0)[:2] @ f - alone[:, near],
            plan.probes(0)[2:] @ f - alone[:, -1 - near],
        ]
        if any(part.any() for part in zero):
            return False
    return True


def _divisors(*, sign: int = 1) -> bool:
    """Check the determinant of every element that the code divides by.

    It is a quotient of polynomials in p and q with positive coefficients and constants.
    """
    p, q = RationalFunction.symbols("p q")
    divisors: list[ring.Element] = []

    def recorded(y: ring.Element) -> ring.Element:
        divisors.append(y)
        return inverse(y)

    inverse = ring.inverse
    with mock.patch.object(ring, "inverse", recorded):
        for sizes, periodic in product(((1,), (2, 1), (1, 2), (1, 1, 1)), (False, True)):
            plan = blocks.plan_of(p / p, sign * q, p, sizes, periodic=periodic, d=p / p)
            # The coefficients alone: no column of numbers.
            blocks.solve_ends(np.empty((len(sizes), 5, 0), dtype=object), plan)
    found = [x for y in divisors for x in np.ravel(y.a * y.h + y.q * y.b * y.b)]
    determinants = [(p / p * x).value for x in found]
    parts = [part for x in determinants for part in (x.numer, x.denom)]
    positive = [all(c > 0 for c in part.coeffs()) and part.coeff(1) > 0 for part in parts]
    return len(divisors) > 0 and all(positive)


def _few_rows(*, joined: Callable[[Sequence[int]], Sequence[int]] = whole) -> bool:
    """Check every split of n ≤ 4 rows into three blocks, for all g; weights symbols, or drawn."""
    draw = random.Random(1818)
    for n in (1, 2, 3, 4):
        for cuts in combinations_with_replacement(range(n + 1), 2):
            sizes = [stop - start for start, stop in pairwise((0, *cuts, n))]
            beta, c = RationalFunction.symbols("beta c")
            weights = [beta / beta * draw.randint(1, 9), beta, c, c / c * draw.randint(1, 9)]
            if n > 2:
                kept = (1, *draw.choice(KEPT), 1)
                weights = [Fraction(draw.randint(1, 9), 4) * factor for factor in kept]
            units = np.eye(n, dtype=int) * (weights[0] / weights[0])
            if any(defects(units, sizes, weights, joined)):
                return False
    return True


def _numbers(*, inner: int = 5) -> bool:
    """Check the rank of what leads from a block to all other rows, at an end and inside."""
    n = 18
    for periodic, kept in product((False, True), KEPT):
        b, c = (Fraction(factor, 7) for factor in kept)
        bent = laplacian(laplacian(identity(n), periodic=periodic), periodic=periodic)
        inverse = inverse_of(exact_gram(Fraction(2), b, c, n, periodic=periodic) + bent)
        for block, needed in ((range(6, 12), inner), (range(6), inner if periodic else 3)):
            outside = [i for i in range(n) if i not in block]
            if sp.Matrix(inverse[np.ix_(outside, block)].tolist()).rank() != needed:
                return False
    return True


THEOREMS = (
    Theorem(
        id="T18.elements",
        title="Pairs of a level and a moment are computed with like numbers",
        statement=(
            "The code's sums, differences, products and quotients of elements are those of the "
            "matrices of a commutative ring, whose element T has the square pT - q; and a pair is "
            "an element."
        ),
        tex=(
            r"y=\begin{pmatrix}h&b\\-qb&a\end{pmatrix},\ h=a+pb,\qquad "
            r"T=\begin{pmatrix}0&-1\\q&p\end{pmatrix},\ T^2=pT-q"
        ),
        scope="all elements, numbers, p and q",
        kind="symbolic",
        check=_ring,
        variant=partial(_ring, determinant=-q),
        perturbed="The same with T² = pT + q.",
        page=PAGE,
    ),
    Theorem(
        id="T18.first-order",
        title="Second order is first order over the ring of pairs",
        statement=(
            "The b of 1/(ℓ + T) is 1/(ℓ² + pℓ + q) and its a is ℓ times that, for every eigenvalue "
            "ℓ of L; and the first-order code, with T for β, gives a block's responses."
        ),
        tex=(r"(L+T)z=r/d\ \Rightarrow\ z_b=(dL^2+cL+\beta)^{-1}r=x,\quad z_a=Lx"),
        scope="all ℓ, p, q, so every symmetric L; the code for n ≤ 4, with and without β and c",
        kind="symbolic",
        check=_first_order,
        variant=partial(_first_order, gain=2),
        perturbed="The same with twice the x.",
        page=PAGE,
    ),
    Theorem(
        id="T18.block",
        title="A block's rows, and what it hands over, with a curvature term",
        statement=(
            "The code's rows solve the block's problem with inflows of levels and moments at both "
            "ends, and its dot products are moment and level of both ends of S f."
        ),
        tex=(
            r"x_b=\ell_b+S_bf_b+[\varphi_{b-1}u_b-\varphi_b\overleftarrow u_b]_b,\qquad "
            r"t_b=\langle u_b,f_b\rangle=d\,(LS_bf_b,\,S_bf_b)_{\text{first}}"
        ),
        scope="blocks of up to four rows, all inflows and fluctuations; β, c, both or neither",
        kind="exact",
        check=_block,
        variant=partial(_block, near=-1),
        perturbed="The same with the two ends exchanged.",
        page=PAGE,
    ),
    Theorem(
        id="T18.divisors",
        title="Every divisor has an inverse, for every member with a curvature",
        statement=(
            "The determinant of every element by which the code divides is a quotient of "
            "polynomials in p and q with positive coefficients and constants: it is > 0, also for "
            "p = 0, for q = 0 and for both."
        ),
        tex=r"\det D=\tfrac{\prod(s^2+ps+q)}{\prod(s'^2+ps'+q)}>0",
        scope="all p, q >= 0; path and cycle, four splits into up to three blocks",
        kind="symbolic",
        check=_divisors,
        variant=partial(_divisors, sign=-1),
        perturbed="The same with a negative fluctuation.",
        page=PAGE,
    ),
    Theorem(
        id="T18.few-rows",
        title="Sharded equals global with a curvature term, for all gradients on few rows",
        statement=(
            "For every split of up to four rows into three blocks, empty ones included, the "
            "code's result solves the global system."
        ),
        tex=r"M\,k^{\text{sharded}}=g",
        scope="n ≤ 4, all splits into three blocks, all g; all β and c beside a drawn d if n ≤ 2, "
        "else drawn ones, with β, c, both or neither; path and cycle",
        kind="symbolic",
        check=_few_rows,
        variant=partial(_few_rows, joined=list),
        perturbed="The same with a Laplacian for every block by itself.",
        page=PAGE,
    ),
    Theorem(
        id="T18.five-numbers",
        title="Five numbers are needed with a curvature term",
        statement=(
            "The part of the inverse that leads from a block to the other rows has rank 5 if it is "
            "an inner block or the boundary is periodic, and 3 at an end of the path; so no linear "
            "summary with fewer numbers per column can do."
        ),
        tex=r"\operatorname{rank}\,(M^{-1})_{\text{outside},\,\text{block}}=5\ \text{or}\ 3",
        scope="n = 18, blocks of six rows; β, c, both or neither, both boundaries",
        kind="exact",
        check=_numbers,
        variant=partial(_numbers, inner=4),
        perturbed="The same with rank 4.",
        page=PAGE,
    ),
)
