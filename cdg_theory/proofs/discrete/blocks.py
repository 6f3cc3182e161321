r"""Theorem 11: the flux form equals the global solve, for every n and every split.

The chain of the argument: a block's rows of the global system are its natural problem with fluxes
at its ends (restriction); what solves these problems, agrees at the interfaces and has mean zero
therefore solves the global system, which has one solution. Level, fluxes and two dot products give
a block's ends (ends), so the interfaces form the small system, which the code solves (path, seam),
and which has one solution, too (response, unique). The code itself is executed on symbols and on
rational numbers. Notation as in :mod:`cdg_theory.discrete.blocks`.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from itertools import combinations, combinations_with_replacement, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.discrete import blocks, network, sweeps
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import vanish
from cdg_theory.proofs.tools.exact_matrices import exact_inverse, laplacian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

PAGE = "theory/sharded-theory.md"
alpha, beta, c, E, w = sp.symbols("alpha beta c E w", positive=True)


def _vector(name: str, size: int, *, positive: bool = False) -> NDArray[Any]:
    return np.array(sp.symbols(f"{name}:{size}", positive=positive or None), dtype=object)


def _restriction(*, flux: Callable[[Any, Any], Any] = lambda before, after: before - after) -> bool:
    """Check each block's rows of (βI + cL)x, for all x.

    A row of L sees its neighbours only, so five rows show every kind of row that a block of any
    length has, first, inner, last and alone, and every kind of end, the seam included.
    """
    n, x = 5, _vector("x", 5)
    for periodic in (False, True):
        whole = beta * x + c * laplacian(x, periodic=periodic)
        for start, stop in combinations(range(n + 1), 2):
            own = x[start:stop]
            rows = beta * own + c * laplacian(own, periodic=False)
            if start > 0 or periodic:
                rows[0] -= c * flux(x[start - 1], x[start])
            if stop < n or periodic:
                rows[-1] += c * flux(x[stop - 1], x[stop % n])
            if not vanish(rows - whole[start:stop]):
                return False
    return True


def _response(*, first: Callable[[Any], Any] = lambda last_excess: 1 / last_excess) -> bool:
    r"""Check that :math:`v=u+1/(\beta n)` is :math:`v_0=1/E_{n-1},\ v_i=p_{n-1-i}v_{i-1}`.

    Row by row for every n, with the pivots of :func:`~cdg_theory.discrete.sweeps.path_pivots`
    counted from the far end; then the code's response for n ≤ 4. All factors are positive and
    all p < 1: v is positive and falls.
    """
    far, excess = sweeps.eliminate_row(beta, c, E)  # p_k and E_{k+1} from any E_k > 0
    near, _ = sweeps.eliminate_row(beta, c, excess)
    last, _ = sweeps.eliminate_row(beta, c, beta)
    rows = [
        (beta + c - c * far) * first(excess) - 1,
        -c + (beta + 2 * c - c * far) * near,
        -c + (beta + c) * last,
    ]
    code = []
    for n in (1, 2, 3, 4):
        (u,) = blocks.plan_of(alpha, beta, c, (n,), periodic=False).responses
        excesses, carries = sweeps.path_pivots(beta, c, n)
        v = np.cumprod([first(excesses[-1]), *carries[-2::-1]][:n])
        code.extend(u + 1 / (beta * n) - v)
    return vanish([*rows, *code])


def _ends(*, t: Callable[[Any, Any], Any] = lambda near, _far: near) -> bool:
    """Check that the code's x solves a block's problem and has the ends that the module says.

    On symbols, for blocks of up to three rows. For every n, because S_b is symmetric: in
    ⟨x, Ly⟩ − ⟨y, Lx⟩ the terms of each row telescope, and natural ends leave nothing.
    """
    (a, b, z), (x0, x, x1, y0, y, y1) = sp.symbols("a b z"), sp.symbols("x0 x x1 y0 y y1")
    symmetric = x * (2 * y - y0 - y1) - y * (2 * x - x0 - x1)
    zero = [symmetric - (x0 * y - x * y0) + (x * y1 - x1 * y)]
    for n in (1, 2, 3):
        plan = blocks.plan_of(alpha, beta, c, (n,), periodic=False)
        ((u,), probes, f) = plan.responses, plan.probes(0), _vector("f", n)
        f = f - sum(f) / n
        level, (near, far) = z + (a - b) / (beta * n), probes @ f  # n·o = β·n·z
        solved = blocks.finish_block(f, (level, a, -b), partial(blocks.solve_alone, beta=beta, c=c))
        rows = beta * solved + c * laplacian(solved, periodic=False) - beta * z - f
        rows[0] -= a
        rows[-1] += b
        kappa, rho = -u[-1], u[0] - u[-1]
        shared = (1 - beta * n * kappa) * level + n * kappa * beta * z
        ends = [
            solved[0] - (shared + t(near, far) + rho * a),
            solved[-1] - (shared + t(far, near) - rho * b),
        ]
        # The sweeps never read the last row of a right side: its sum, 0, tells what stands there.
        right_side = blocks.finish_block(f, (0, a, -b), lambda w: w)
        zero.extend([*rows, *ends, sum(solved) - n * level, sum(right_side)])
    return vanish(zero)


def _paths(most: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield n, τ and C of one to ``most`` blocks, as columns of independent symbols."""
    for count in range(1, most + 1):
        yield tuple(_vector(name, count, positive=True)[:, None] for name in ("n", "tau", "C"))


def _path(*, link: Callable[..., Any] = lambda C, fall, J: C * (fall + J)) -> bool:
    """Check that the code solves the small system of the path.

    All coefficients and data are symbols. One step of the elimination leads over each interface,
    and with three blocks a step has met what every later one meets: the first, and a following one.
    """
    for n, tau, C in _paths(3):
        q, J = _vector("q", len(n))[:, None], _vector("J", len(n))[:, None]
        q[-1] = -sum(q[:-1, 0])  # fluctuations have mean zero
        level, flux = network.solve_path(q, J, n, tau, C, beta, w)
        balance = beta * n * level - q - np.roll(flux, 1) + flux
        links = flux[:-1] - link(C[:-1], (tau * level)[:-1] - (tau * level)[1:], J[:-1])
        if not vanish([*balance.flat, *links.flat, flux[-1, 0], (n * level).sum()]):
            return False
    return True


def _seam(*, gain: int = 1) -> bool:
    """Check the seam's divisor, and the code's numbers on the cycle.

    A unit flux across the seam makes the path's ends fall apart by Σ βnτℓ² + Σ φ²/C ≥ 0: add up τℓ
    times each balance and φ/C times each link. So the divisor is at least 1.
    Executed for one and two blocks; balances and links of more add up alike.
    """
    zero = []
    for n, tau, C in _paths(2):
        across = 0 * n
        across[0] += 1
        across[-1] -= 1
        level, flux = network.solve_path(across, 0 * n, n, tau, C, beta, w)
        fall = (tau[0] * level[0] - tau[-1] * level[-1])[0]
        energy = (beta * n * tau * level**2).sum() + (flux**2 / C).sum()
        zero.append(fall - gain * energy)
    b, stiffness = sp.Rational(2, 7), sp.Rational(3, 5)
    for sizes in ((1,), (2,), (1, 2), (3, 1, 2)):
        plan = blocks.plan_of(alpha, b, stiffness, sizes, periodic=True)
        o, t, t_ = (_vector(name, len(sizes)) for name in ("o", "t", "t_"))
        n = np.array(sizes, dtype=object)
        o[-1] = -(n * o)[:-1].sum() / n[-1]
        numbers = np.stack([o, t, t_], axis=1)[:, :, None]
        level, left, right = np.moveaxis(blocks.solve_ends(numbers, plan)[:, :, 0], 1, 0)
        u = plan.responses
        near, far = (np.array([response[end] for response in u]) for end in (0, -1))
        shared = (1 + b * n * far) * level - n * far * o
        first, last = shared + t + (near - far) * left, shared + t_ + (near - far) * right
        zero.extend(b * n * level - n * o - left - right)
        zero.extend(left + np.roll(right, 1))
        zero.extend(left - stiffness * (np.roll(last, 1) - first))
    return vanish(zero)


def _unique(*, sign: int = 1) -> bool:
    r"""Check that determinants are sums of positive terms, and :math:`C\tau+E\ge C`.

    For one to three blocks, unknowns ℓ and φ, on path and cycle; for every number of blocks the
    elimination's divisors are these and, last, a sum of positive terms, too.
    """
    for n, tau, C in _paths(3):
        for periodic in (False, True):
            count, links = len(n), C[: len(n) - 1 + periodic, 0]
            A = sp.zeros(count + len(links))
            for b in range(count):
                A[b, b] = sign * beta * n[b, 0]
                A[count - 1, b] += w * n[b, 0]
            for j, conductance in enumerate(links):
                before, after = j, (j + 1) % count
                A[before, count + j] += 1
                A[after, count + j] -= 1
                A[count + j, count + j] = 1
                A[count + j, before] -= conductance * tau[before, 0]
                A[count + j, after] += conductance * tau[after, 0]
            if not all(term.is_positive for term in sp.Add.make_args(sp.expand(A.det()))):
                return False
    size, u, kappa, rho, e = sp.symbols("n u kappa rho e", positive=True)
    # (Cτ + E)/C with E = βn + e and 1/C = 1/c + ρ + ρ', where ρ = u + κ is the block's own.
    D = 1 - beta * size * kappa + (beta * size + e) * (1 / c + (u + kappa) + rho)
    return all(t.is_positive for t in sp.Add.make_args(sp.expand(D - 1 - beta * size * u)))


def defects(
    g: NDArray[Any],
    sizes: Sequence[int],
    weights: Sequence[Any],
    joined: Callable[[Sequence[int]], Sequence[int]],
) -> Iterator[Any]:
    """Execute the code, for path and cycle, and yield the entries of Mk − g; L joins ``joined``.

    The weights are α, β, c and, with a curvature term, d; g is a column or several.
    """
    g = g.reshape(len(g), -1)
    a, b, stiffness, *rigidity = weights
    pieces = [p for p in np.split(g, np.cumsum(sizes)[:-1]) if len(p)]
    for periodic in (False, True):

        def bent(k: NDArray[Any], *, periodic: bool = periodic) -> NDArray[Any]:
            paths = [p for p in np.split(k, np.cumsum(joined(sizes))[:-1]) if len(p)]
            return np.concatenate([laplacian(p, periodic=periodic) for p in paths])

        (d,) = rigidity or (0,)
        plan = blocks.plan_of(a, b, stiffness, tuple(sizes), periodic=periodic, d=d)
        k = np.concatenate(blocks.solve_blocks(pieces, plan))
        mean = k.sum(axis=0) / len(k)
        yield from (a * mean + b * (k - mean) + bent(stiffness * k + d * bent(k)) - g).flat


def whole(sizes: Sequence[int]) -> Sequence[int]:
    """Return the sizes of what L joins: all rows."""
    return [sum(sizes)]


def _all_gradients(*, joined: Callable[[Sequence[int]], Sequence[int]] = whole) -> bool:
    """Check every split of n ≤ 4 rows into three blocks, for all g; weights symbols, or drawn."""
    draw = random.Random(11)
    for n in (1, 2, 3, 4):
        g = _vector("g", n)
        for cuts in combinations_with_replacement(range(n + 1), 2):
            sizes = [stop - start for start, stop in pairwise((0, *cuts, n))]
            a, b, stiffness = (sp.Rational(draw.randint(1, 9), draw.randint(1, 9)) for _ in "abc")
            b *= draw.choice((0, 1, sp.Integer(10) ** 12, sp.Integer(10) ** -12))
            weights = (alpha, beta, c) if n < 3 else (a, b, stiffness)
            if not vanish(defects(g, sizes, weights, joined)):
                return False
    return True


def _exact(*, joined: Callable[[Sequence[int]], Sequence[int]] = whole) -> bool:
    """Check drawn n, weights, gradients and splits in rational numbers, for all orders."""
    draw = random.Random(1111)
    for n in (1, 2, 3, 5, 8, 13, 21, 34):
        for decades in (None, -12, -3, 0, 3, 12):
            cuts = sorted(draw.randint(0, n) for _ in range(draw.randint(1, 5)))
            sizes = [stop - start for start, stop in pairwise((0, *cuts, n))]
            a, stiffness, b = (Fraction(draw.randint(1, 99), draw.randint(1, 9)) for _ in "abc")
            b = Fraction(0) if decades is None else b * Fraction(10) ** decades
            g = np.array([Fraction(draw.randint(-99, 99), 3) for _ in range(n)], dtype=object)
            if any(defects(g, sizes, (a, b, stiffness), joined)):
                return False
            if b and any(defects(g, sizes, (a, b, 0 * b), joined)):
                return False
            # A curvature term, with c = 0 every other time.
            d = Fraction(draw.randint(1, 99), 9)
            curved = (a, b, stiffness * ((n + (decades or 0)) % 2), d)
            if any(defects(g, sizes, curved, joined)):
                return False
    return True


def _numbers(*, needed: int = 3) -> bool:
    """Check the rank of the inverse's block that leads from four inner rows to all the others."""
    n, block = 13, range(4, 8)
    outside = [i for i in range(n) if i not in block]

    def rank(inverse: NDArray[Any]) -> int:
        return int(sp.Matrix(inverse[np.ix_(outside, block)].tolist()).rank())

    a, scale = Fraction(2, 3), Fraction(5, 4)
    one_line = (np.eye(n, dtype=int) + np.full((n, n), Fraction(1, n))) / scale
    found = [
        rank(1 / (a * n) + exact_inverse(n, scale, r, periodic=periodic))
        for periodic in (False, True)
        for r in (Fraction(1), Fraction(2, 3))
    ]
    return found == [needed] * 4 and rank(one_line) == 1


THEOREMS = (
    Theorem(
        id="T11.restriction",
        title="A block is a natural problem with fluxes at its ends",
        statement=(
            "The rows of a block, in the global system on path or cycle, are the system of the "
            "block's own path, natural ends, with what flows in at its first and its last row."
        ),
        tex=(
            r"[(\beta I+cL)x]_b=(\beta I+cL_b)x_b"
            r"-\varphi_{b-1}e_{\text{first}}+\varphi_be_{\text{last}}"
        ),
        scope="all x, n, splits and blocks, β, c; both boundaries",
        kind="symbolic",
        check=_restriction,
        variant=partial(_restriction, flux=lambda before, after: after - before),
        perturbed="The same with the fluxes' sign turned round.",
        page=PAGE,
        formal=("T11_restriction", "T11_restriction_cycle"),
    ),
    Theorem(
        id="T11.response",
        title="A block's response to a unit inflow falls and is positive",
        statement=(
            "The response u of a block of n rows to a unit inflow at its first row, plus "
            "1/(βn), is a product of positive pivots and of carries below 1. So the "
            "transmission τ lies in (0, 1], and the resistance ρ and the cross response κ are "
            "≥ 0."
        ),
        tex=(
            r"u_i+\tfrac1{\beta n}=\frac{p_{n-1-i}\cdots p_{n-2}}{E_{n-1}}"
            r"\;\Rightarrow\;0<\tau\le1,\ \kappa,\rho\ge0"
        ),
        scope="all n, β > 0, c > 0, by one step of the recursion; the code for n ≤ 4",
        kind="symbolic",
        check=_response,
        variant=partial(_response, first=lambda last_excess: 1 / (c + last_excess)),
        perturbed="The same with the last pivot c + E for E.",
        page=PAGE,
    ),
    Theorem(
        id="T11.ends",
        title="Two dot products and the mean are enough",
        statement=(
            "The first and the last value of a block follow from its level ℓ, its fluxes φ, "
            "the offset o of its mean, and two dot products of the response u with its "
            "fluctuation f. The code's rows solve the block's problem."
        ),
        tex=(
            r"x_{\text{first}}=\tau\ell+n\kappa o+\langle u,f\rangle+\rho\varphi_{b-1},\quad "
            r"x_{\text{last}}=\tau\ell+n\kappa o+\langle\overleftarrow u,f\rangle-\rho\varphi_b"
        ),
        scope="all f, o, fluxes, β, c; the code for n ≤ 3, and all n by the symmetry of S",
        kind="symbolic",
        check=_ends,
        variant=partial(_ends, t=lambda _near, far: far),
        perturbed="The same with the two dot products exchanged.",
        page=PAGE,
        formal=("T11_ends", "T11_ends_signs"),
    ),
    Theorem(
        id="T11.path",
        title="The code solves the small system",
        statement=(
            "The elimination gives levels and fluxes that satisfy every block's balance, every "
            "interface's equation and the mean constraint."
        ),
        tex=(
            r"\beta n_b\ell_b=n_bo_b+\varphi_{b-1}-\varphi_b,\quad "
            r"\varphi_b=C_b(\tau_b\ell_b-\tau_{b+1}\ell_{b+1}+J_b),\quad\textstyle\sum n_b\ell_b=0"
        ),
        scope="any number of blocks, by one step of the elimination; all coefficients and data",
        kind="symbolic",
        check=_path,
        variant=partial(_path, link=lambda C, fall, J: C * (fall - J)),
        perturbed="The same with the jump's sign turned round.",
        page=PAGE,
        formal=("T11_path", "T11_path_any_field"),
    ),
    Theorem(
        id="T11.seam",
        title="The cycle's seam is one more interface",
        statement=(
            "What the code tells the blocks of a cycle satisfies balances and interfaces, the seam "
            "among them; its divisor there is at least 1."
        ),
        tex=(
            r"\varphi=c\,(x_{\text{last}}-x_{\text{first}}),\qquad"
            r"\text{fall of the unit flux}=\textstyle\sum\beta n\tau\ell^2+\sum\varphi^2/C\ge0"
        ),
        scope="any number of blocks for the divisor; the code on four splits, all data",
        kind="symbolic",
        check=_seam,
        variant=partial(_seam, gain=2),
        perturbed="The same with twice the energy.",
        page=PAGE,
        formal=("T11_seam", "T11_seam_energy"),
    ),
    Theorem(
        id="T11.unique",
        title="The small system has one solution for every member of the family",
        statement=(
            "Its determinant is a sum of positive terms, every carry of the elimination is at most "
            "1, and its last divisor is a sum of positive terms: β = 0 is no exception."
        ),
        tex=r"\det A>0,\qquad C\tau+E\ge C\,(1+\beta n\,u_{\text{first}})\ge C",
        scope="path and cycle of up to three blocks, any number for the divisors; β >= 0, c > 0",
        kind="symbolic",
        check=_unique,
        variant=partial(_unique, sign=-1),
        perturbed="The same with the balance's sign turned round.",
        page=PAGE,
    ),
    Theorem(
        id="T11.all-gradients",
        title="Sharded equals global, for all gradients on few rows",
        statement=(
            "For every split of up to four rows into three blocks, empty ones included, the code's "
            "result on symbols solves the global system."
        ),
        tex=r"M\,k^{\text{sharded}}=g",
        scope="n ≤ 4, all splits into three blocks, all g; all weights if n ≤ 2, else drawn ones",
        kind="symbolic",
        check=_all_gradients,
        variant=partial(_all_gradients, joined=list),
        perturbed="The same with a Laplacian for every block by itself.",
        page=PAGE,
        formal=("T11_all_gradients", "T11_all_gradients_cycle"),
    ),
    Theorem(
        id="T11.exact",
        title="Sharded equals global, in rational numbers",
        statement=(
            "For drawn splits, uneven and with empty blocks, the code run on fractions solves the "
            "global system without any rounding."
        ),
        tex=r"M\,k^{\text{sharded}}=g\quad\text{in}\ \mathbb Q",
        scope=(
            "drawn n ≤ 34, splits into 2 to 6 blocks, gradients, weights with β = 0 and over 24 "
            "orders of magnitude; both boundaries; the one line, and a curvature term with "
            "β, c, both or neither"
        ),
        kind="exact",
        check=_exact,
        variant=partial(_exact, joined=list),
        perturbed="The same with a Laplacian for every block by itself.",
        page=PAGE,
    ),
    Theorem(
        id="T11.three-numbers",
        title="Three numbers are needed, and one for the one line",
        statement=(
            "The part of the inverse that leads from an inner block to the other rows has rank 3 "
            "(rank 1 for H⁰), so no linear summary with fewer numbers per column can do."
        ),
        tex=r"\operatorname{rank}\,(M^{-1})_{\text{outside},\,\text{block}}=3",
        scope="n = 13, an inner block of four rows; β = 0 and β > 0, both boundaries, and H⁰",
        kind="exact",
        check=_numbers,
        variant=partial(_numbers, needed=2),
        perturbed="The same with rank 2.",
        page=PAGE,
    ),
)
