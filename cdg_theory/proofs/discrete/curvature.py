r"""Theorem 18 on n channels: the sweeps over pairs equal :math:`M^{-1}g`, for every n.

As theorem 5 for :mod:`cdg_theory.discrete.sweeps`: induction on the rows, about the code itself,
executed on rational functions of independent symbols. Notation as in
:mod:`cdg_theory.discrete.curvature`: elements of the ring are two numbers, and so are the loads U
after the forward sweep and the pairs X of a level and a moment.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete import curvature, sweeps
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import RationalFunction, all_zero, row
from cdg_theory.proofs.tools.exact_matrices import gram_product, laplacian

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PAGE = "theory/second-order.md"
ONE = np.array([1, 0], dtype=object)


class _Space:
    """The ring over the symbols β, c and d, with as many further symbols as are asked for."""

    def __init__(self, names: str) -> None:
        self.beta, self.c, self.d, *self.others = RationalFunction.symbols(f"beta c d {names}")
        self.p, self.q = self.c / self.d, self.beta / self.d
        self.ring = curvature.Ring(self.c, self.beta * self.d)
        self.T = row(self.p, -1 / self.d)

    def pairs(self) -> list[Any]:
        """Return the other symbols two by two."""
        return [row(*two) for two in zip(self.others[::2], self.others[1::2], strict=True)]

    def times(self, y: Any, z: Any) -> NDArray[Any]:
        return row(*self.ring.times(tuple(y), tuple(z)))

    def act(self, y: Any, pair: Any) -> NDArray[Any]:
        return row(*self.ring.act(tuple(y), tuple(pair)))

    def inverse(self, y: Any) -> NDArray[Any]:
        return row(*self.ring.inverse(tuple(y)))

    def excess(self, A: Any, B: Any) -> NDArray[Any]:
        """Return E = qA + BT."""
        return self.q * A * ONE + B * self.T


def _ring(sign: int = -1) -> bool:
    r"""Check the ring's three operations against 2×2 matrices, and :math:`T^2=pT\mp q`."""
    space = _Space("a b a_ b_ x m")
    ring, T, (y, z, pair) = space.ring, space.T, space.pairs()

    def matrix(y: Any) -> NDArray[Any]:
        a, b = y
        return np.array([[a + space.c * b, b], [-space.beta * space.d * b, a]], dtype=object)

    return all_zero(
        matrix(T) - np.array([[0, -1 / space.d], [space.beta, space.p]], dtype=object),
        matrix(ring.times(y, z)) - matrix(y) @ matrix(z),
        space.times(y, z) - space.times(z, y),
        space.act(y, pair) - matrix(y) @ pair,
        space.times(y, ring.inverse(y)) - ONE,
        space.times(T, T) - space.p * T - sign * space.q * ONE,
    )


def _pivots(share: int = 1) -> bool:
    r"""Check one step of the elimination, its base, and that all terms are positive.

    Claimed is :math:`E'=T+kE/(1+E)` with k the ``share``.
    """
    space = _Space("A B")
    A, B = space.others
    E = space.excess(A, B)
    R = space.inverse(ONE + E)
    N, *following = curvature.eliminate_pair(space.p, space.q, A, B)
    zeros = [
        R - row((1 + space.q * A) / N, B / (space.d * N)),
        space.excess(*following) - space.T - share * space.times(R, E),
        space.excess(0, 1) - space.T,
    ]
    # The loop: E_0 = T, and what it carries is 1/(1 + E_i).
    E = space.T
    carries = curvature.pair_carries(space.beta, space.c, space.d, 4)
    for carry in carries:
        zeros.append(space.times(carry, ONE + E) - ONE)
        E = space.T + space.times(carry, E)
    # N − 1 has positive terms too: N ≥ 1, B ≥ 1 and A ≥ 0 whichever of β and c vanish.
    terms = [N - 1, *following, following[1] - 1, *(x for carry in carries for x in carry)]
    return all_zero(*zeros) and all(term.is_positive for term in terms)


def _swept(sweep: Callable[..., None], ring: Any, pairs: list[Any], carries: list[Any]) -> Any:
    """Execute a sweep over the rows and return them."""
    rows = np.array(pairs, dtype=object)
    u, w = rows.T.copy()
    sweep(u, w, ring, np.array(carries, dtype=object).T)
    return row(u, w).T


def _path(diagonal: int = 2) -> bool:
    r"""Check the sweeps on the path, for an L with ``diagonal`` in its inner rows.

    Loop invariants, for rows i < n − 1 and every :math:`E_i=qA+BT` with A, B ≥ 0:

    - (backward) :math:`(1+E_i)X_i - X_{i+1} = U_i`;
    - (rows)     row i of :math:`(L+T)X=F`, F the loads, holds;
    - (sums)     :math:`T\sum_{k\le i}X_k + X_i-X_{i+1} = \sum_{k\le i}F_k`;

    and the last row from (sums), because the sums of X and of F over all rows vanish.
    """
    space = _Space("A B u0 u1 f0 f1 z0 z1 h0 h1 s0 s1 S0 S1 v0 v1 w0 w1")
    act, T, ring = space.act, space.T, space.ring
    (A, B), U, F, Z, H, sigma, S, v, w = space.pairs()
    E = space.excess(A, B)
    R = space.inverse(ONE + E)
    following = space.excess(*curvature.eliminate_pair(space.p, space.q, A, B)[1:])

    # (backward): row i of what the code computes, and of the closure. The sweep starts from 0, so
    # the row above the pair has the carry 1 and the load Z, which makes Z of it.
    swept = _swept(curvature.carry_backward, ring, [U, Z, U], [R, ONE])[0]
    x = swept - act(space.times(R, H), sigma)
    backward = act(ONE + E, x) - (Z - act(H, sigma)) - U

    # (rows), base: U_0 = F_0 and E_0 = T, with X_0 = v, X_1 = w.
    carry = curvature.pair_carries(space.beta, space.c, space.d, 2)[0]
    first = act(space.inverse(carry), v) - w
    base = v + act(T, v) - w - first
    # (rows), step, with X_{i+1} = v, X_{i+2} = w and X_i, F_{i+1} from the invariant and the code.
    before = act(R, U + v)
    after = act(ONE + following, v) - w
    load = F + after - _swept(curvature.carry_forward, ring, [U, F], [R])[1]
    step = diagonal * v + act(T, v) - before - w - load

    # (sums), base and step: S is the sum of the X_k up to row i, X_i = v, X_{i+1} = w, X_{i+2} = Z.
    def sums(S: Any, x: Any, following: Any) -> Any:
        return act(T, S) + x - following

    inner = diagonal * w + act(T, w) - v - Z
    sums_base = sums(v, v, w) - first
    sums_step = sums(S + w, w, Z) - sums(S, v, w) - inner
    # The last row, X_{n-2} = v and X_{n-1} = w: S = −w, and the loads before it sum to −F_{n-1}.
    last = (w + act(T, w) - v) + sums(-w, v, w)

    # What a pair solves: m = dLx, and the second equation is that of x; L commutes, as a number.
    x, ell = space.others[0], space.others[1]
    pair = row(x, space.d * ell * x)
    weight = space.beta + space.c * ell + space.d * ell * ell
    equation = ell * pair + act(T, pair) - row(0, weight * x)
    zeros = [backward, base, step, sums_base, sums_step, last, equation]
    return all_zero(*zeros) and _closes() and _path_factors() and _runs_exactly(periodic=False)


def _closes() -> bool:
    """Check that the path's closing takes off a multiple of its weights, and the sums with it."""
    space = _Space("x0 m0 x1 m1 a0 b0 a1 b1 r0 r1")
    first, second, *closure, R = space.pairs()
    weights = row(*closure).T
    factors = curvature.CurvatureFactors(space.ring, R[:, None], weights, None, None)
    levels, moments = row(first, second).T
    closed = row(*curvature.solve_path((levels, moments), factors)).T
    swept = _swept(
        curvature.carry_backward,
        space.ring,
        list(_swept(curvature.carry_forward, space.ring, [first, second], [R])),
        [R],
    )
    total = swept.sum(axis=0)
    taken = [one - space.act(own, total) for one, own in zip(swept, closure, strict=True)]
    return all_zero(closed - row(*taken))


def _path_factors() -> bool:
    r"""Check on three rows that the closure is :math:`H/\sum H`, which asks for no division by 0.

    The determinant of :math:`\sum H` has positive terms only.
    """
    space = _Space("x")
    weights = space.beta, space.c, space.d
    factors = curvature.curvature_factors(*weights, 3, periodic=False)
    carries = curvature.pair_carries(*weights, 3)
    H = [space.times(*carries), carries[1], ONE]
    total = row(*H).sum(axis=0)
    a, b = total
    determinant = a * (a + space.c * b) + space.beta * space.d * b * b
    shares = [space.times(own, total) for own in factors.closure.T]
    return determinant.is_positive and all_zero(factors.carry.T - row(*carries), row(*shares) - H)


def _runs_exactly(*, periodic: bool) -> bool:
    """Execute the whole algorithm on symbols, for n = 2 and 3: M k must be g."""
    for n in (2, 3):
        space = _Space(" ".join(["alpha", *(f"g{i}" for i in range(n))]))
        alpha, *g = space.others
        weights = space.beta, space.c, space.d
        factors = curvature.curvature_factors(*weights, n, periodic=periodic)
        k = sweeps.solve_member(row(*g), alpha, space.beta, factors)
        if not all_zero(gram_product(k, alpha, *weights, periodic=periodic) - row(*g)):
            return False
    return True


def _cycle(ends: int = 2) -> bool:
    r"""Check the seam: flux, response and correction; ``ends`` :math:`\cdot h_0` is what h loses.

    - (reciprocity) :math:`\sum_jh_j(LY)_j=\sum_j(Lh)_jY_j` on the path, whose rows telescope: so
      :math:`Y_0-Y_{n-1}=\sum_jh_jF_j` for h the response to 1 on the first row, −1 on the last;
    - (correction)  :math:`X+h\psi` carries the flux :math:`\varphi+\psi` for the ψ of the code,
      whatever φ the path was solved for;
    - (wrapped)     a path with φ on its first row, −φ on the last, is the cycle if φ flows.
    """
    space = _Space("h0 k0 h1 k1 h2 k2 x0 m0 x1 m1 x2 m2 f0 f1")
    act, T = space.act, space.T
    h0, h1, h2, Y0, Y1, Y2, phi = space.pairs()

    def flow(h: Any, h_next: Any, Y: Any, Y_next: Any) -> Any:
        return act(h, Y_next) - act(h_next, Y)

    inner = act(h1, 2 * Y1 - Y0 - Y2) - act(2 * h1 - h0 - h2, Y1)
    reciprocity = [
        inner - flow(h0, h1, Y0, Y1) + flow(h1, h2, Y1, Y2),
        act(h0, Y0 - Y1) - act(h0 - h1, Y0) + flow(h0, h1, Y0, Y1),
        act(h2, Y2 - Y1) - act(h2 - h1, Y2) - flow(h1, h2, Y1, Y2),
        act(h1, act(T, Y1)) - act(T, act(h1, Y1)),
    ]
    # (correction), with X_0 = Y0, X_{n−1} = Y1, and h_{n−1} = −h_0.
    release = space.ring.inverse(ONE + ends * h0)
    none = np.zeros((2, 0), dtype=object)
    factors = curvature.CurvatureFactors(space.ring, none, none, row(h0, -h0).T, release)
    both = row(Y0, Y1).T
    closed = row(*curvature.close_seam((both[0], both[1]), tuple(phi), factors)).T
    psi = act(space.inverse(h0), closed[0] - Y0)
    correction = [closed[1] - closed[0] - phi - psi, closed[1] - Y1 + act(h0, psi)]
    # (wrapped), the first and the last row: what the path's has more, for φ = Y1 − Y0.
    seam = Y1 - Y0
    wrapped = [(2 * Y0 - Y1) - (Y0 - seam), (2 * Y1 - Y0) - (Y1 + seam)]
    zeros = [*reciprocity, *correction, *wrapped]
    return all_zero(*zeros) and _seam() and _runs_exactly(periodic=True)


def _seam() -> bool:
    """Check on two and three rows the response, and that the flux is right before correction."""
    for n in (2, 3):
        space = _Space(" ".join(f"r{i}" for i in range(1, n)))
        rest = space.others
        factors = curvature.curvature_factors(space.beta, space.c, space.d, n, periodic=True)
        assert factors.seam is not None
        h = factors.seam.T
        applied = laplacian(h, periodic=False) + row(*(space.times(space.T, own) for own in h))
        dipole = 0 * h
        dipole[0], dipole[-1] = ONE, -ONE
        freed = space.times(factors.release, ONE + 2 * h[0]) - ONE
        r = row(0 - sum(rest), *rest)
        flux = curvature.seam_flux(r, factors)
        loads = 0 * r, r
        loads[0][0] += flux[0]
        loads[1][0] += flux[1]
        pair = curvature.solve_path(loads, factors)
        flows = [own[-1] - own[0] for own in pair]
        if not all_zero(applied - dipole, h.sum(axis=0), h + h[::-1], freed, row(*flows) - flux):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T18.ring",
        title="The polynomials in T are a commutative ring of two numbers each",
        statement=(
            "Product, action on a pair and inverse are those of the 2×2 matrices; they commute, "
            "and T² = pT − q."
        ),
        tex=(
            r"\begin{pmatrix}a+cb&b\\-\omega b&a\end{pmatrix},\quad "
            r"T=\begin{pmatrix}0&-1/d\\\beta&c/d\end{pmatrix},\quad T^2=pT-q,\quad "
            r"p=\tfrac cd,\ q=\tfrac\beta d"
        ),
        scope="all β, c, d ≠ 0, all elements; inverses where the determinant is not 0",
        kind="symbolic",
        check=_ring,
        variant=partial(_ring, sign=1),
        perturbed="The same with T² = pT + q.",
        formal=("T18_ring", "T18_ring_field"),
        page=PAGE,
    ),
    Theorem(
        id="T18.pivots",
        title="The pivots of the elimination over pairs, with positive terms only",
        statement=(
            "The recurrence of the code is E′ = T + E/(1 + E) for E = qA + BT. Its terms are all "
            "positive, so no pivot vanishes and each has full relative accuracy, whatever the "
            "roots of the polynomial."
        ),
        tex=(
            r"E_0=T,\quad E_{i+1}=T+\frac{E_i}{1+E_i};\qquad A'=\frac{A+W}N,\ B'=1+\frac BN,\quad "
            r"N=\det(1+E)\ge1"
        ),
        scope="all β, c ≥ 0, d > 0, A ≥ 0, B ≥ 1, to which the recurrence leads back",
        kind="symbolic",
        check=_pivots,
        variant=partial(_pivots, share=2),
        perturbed="The same with twice what is carried, E′ = T + 2E/(1 + E).",
        formal=("T18_pivots",),
        page=PAGE,
    ),
    Theorem(
        id="T18.sweeps-path",
        title="Two sweeps over pairs and two sums solve the path at second order",
        statement=(
            "For every n the forward sweep, the backward sweep from 0 and the closure by the two "
            "sums give the inverse times g: by induction every row but the last holds, and the "
            "last holds because the sums of the pairs and of the loads vanish."
        ),
        tex=(
            r"(1+E_i)X_i-X_{i+1}=U_i\ (i<n-1),\quad\sum_iX_i=0\ \Longrightarrow\ "
            r"(L+T)\binom xm=\binom0r\ \Longrightarrow\ (\beta I+cL+dL^2)x=r"
        ),
        scope="all n ≥ 2, all β, c ≥ 0, d > 0, natural, all g",
        kind="symbolic",
        check=_path,
        variant=partial(_path, diagonal=1),
        perturbed="The same for an L with 1 on its whole diagonal.",
        formal=("T18_sweeps_path",),
        page=PAGE,
    ),
    Theorem(
        id="T18.sweeps-cycle",
        title="The flux over the seam makes the path the cycle",
        statement=(
            "For every n the cycle is the path with what flows over the seam as loads on its two "
            "end rows. The flux is what the response to a unit flux gives with the loads; and "
            "whatever flux the sweeps started with, the last correction makes it right."
        ),
        tex=(
            r"\varphi=X_{n-1}-X_0=-(1+2h_0)^{-1}\sum_jh_jF_j,\qquad "
            r"X+h\,(1+2h_0)^{-1}(X_{n-1}-X_0-\varphi)"
        ),
        scope="all n ≥ 2, all β, c ≥ 0, d > 0, periodic, all g; h is odd by reflection",
        kind="symbolic",
        check=_cycle,
        variant=partial(_cycle, ends=1),
        perturbed="The same with 1 + h₀ in place of 1 + 2h₀.",
        formal=("T18_sweeps_cycle", "T18_sweeps_cycle_flux"),
        page=PAGE,
    ),
)
