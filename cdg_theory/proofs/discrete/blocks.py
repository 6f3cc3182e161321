r"""Theorem 11: the sharded solve equals the global solve, for every n and every split.

The blocks form a monoid (associative merge, the empty block its unit), the code's sweep over a
block is the merge of its rows, and the closing constants depend on the whole only: so the split
cannot matter. The functions of :mod:`cdg_theory.discrete.sharded` are executed on symbols and on
rational numbers.
"""

from __future__ import annotations

import random
from dataclasses import astuple, replace
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.discrete import sharded, sweeps
from cdg_theory.discrete.sharded import EMPTY, BlockRows, Moments, Transfer, merge, sweep_block
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import vanish
from cdg_theory.proofs.tools.exact_matrices import exact_inverse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cdg_theory.discrete.sharded import ShardPlan

PAGE = "theory/sharded-theory.md"
beta, c, E, f, Y, X = sp.symbols("beta c E f Y X", positive=True)


def _any_block(name: str) -> Transfer:
    """Return a block as an affine map with independent symbols; what enters right causes no F."""
    F, B, T, Fl, Bl, Tl, Br, Tr = sp.symbols(f"{name}_F {name}_B {name}_T {name}_l:3 {name}_r:2")
    return Transfer(Moments(F, B, T), Moments(Fl, Bl, Tl), Moments(sp.Integer(0), Br, Tr))


def _respond(block: Transfer, left: Any, right: Any) -> Moments:
    """Evaluate the affine map at the inflows Y and X."""
    parts = zip(*map(astuple, (block.own, block.from_left, block.from_right)), strict=True)
    return Moments(*(own + by_left * left + by_right * right for own, by_left, by_right in parts))


def _differences(one: Transfer, other: Transfer) -> Iterator[Any]:
    for mine, yours in zip(astuple(one), astuple(other), strict=True):
        yield from (a - b for a, b in zip(mine, yours, strict=True))


def _monoid(perturbed: bool) -> bool:
    """Check the merge of any two blocks, associativity and the unit."""
    A, B, C = (_any_block(name) for name in "ABC")
    # The two blocks' own equations: B receives what A carries over, A what B hands back.
    second = _respond(B, 0 if perturbed else _respond(A, Y, 0).forward, X)
    first = _respond(A, Y, second.backward)
    both = _respond(merge(A, B), Y, X)
    law = [
        both.forward - second.forward,
        both.backward - first.backward,
        both.total - first.total - second.total,
    ]
    associative = _differences(merge(merge(A, B), C), merge(A, merge(B, C)))
    unit = [*_differences(merge(EMPTY, A), A), *_differences(merge(A, EMPTY), A)]
    return vanish([*law, *associative, *unit])


def _transfer(r: NDArray[Any], rows: BlockRows) -> Transfer:
    """Execute the code's sweeps on a block: its own moments, then those of unit inflows."""
    zeros = r * 0
    return Transfer(
        sweep_block(r.copy(), rows)[1],
        sweep_block(zeros.copy(), rows, 1, 0)[1],
        sweep_block(zeros.copy(), rows, 0, 1)[1],
    )


def _rows_are_merged(perturbed: bool) -> bool:
    """Check, with all factors symbols, that the code's block is the merge of its parts.

    A sweep over a block is one step per row, so a block of k + 1 rows is a block of k rows and one
    row; the split after each row of three, and next to an empty block, shows every kind of step.
    """
    p, gain, r = (np.array(sp.symbols(f"{name}:3"), dtype=object) for name in "pgr")

    def part(start: int, stop: int) -> Transfer:
        out = p[stop - 1] if stop else 1
        rows = BlockRows(p[start : max(start, stop - 1)], out, gain[start:stop])
        return _transfer(r[start:stop], rows)

    whole = part(0, 3)
    for cuts in ((1,), (2,), (1, 2), (0, 3), (1, 1)):
        parts = [part(start, stop) for start, stop in pairwise((0, *cuts, 3))]
        merged = EMPTY
        for block in reversed(parts) if perturbed else parts:
            merged = merge(merged, block)
        if not vanish(_differences(merged, whole)):
            return False
    return True


def _row(carry_out: Any, gain: Any) -> Moments:
    """Execute a block of one row, f, between the inflows Y and X."""
    rows = BlockRows(np.array([], dtype=object), carry_out, np.array([gain], dtype=object))
    return sweep_block(np.array([f], dtype=object), rows, Y, X)[1]


def _balance(perturbed: bool) -> bool:
    r"""Check :math:`F+\pi_aB+\beta T=\sum f+Y+\pi_bX` for one row; for two blocks it telescopes."""
    p, following = sweeps.eliminate_row(beta, c, E)

    def returned(excess: Any) -> Any:
        return excess if perturbed else excess - beta  # π_a = p_{a-1} E_{a-1} = E_a − β

    def defect(m: Moments, pi: Any, pi_next: Any) -> Any:
        return m.forward + pi * m.backward + beta * m.total - (f + Y + pi_next * X)

    inner = _row(p, 1 / (c + E))
    path = defect(inner, returned(E), returned(following))
    path_last = defect(_row(1, sp.Integer(0)), returned(E), E)
    # The cycle: E is a fixed point, E² = β(c+E), so π = pE everywhere.
    cycle = defect(inner, p * E, p * E).subs(beta, E**2 / (c + E))
    # Two blocks in a row, with the F of the first and the B of the second eliminated.
    s, t, pa, pm, pb, B1, B2, T1, T2 = sp.symbols("s t pa pm pb B1 B2 T1 T2")
    F1 = s + Y + pm * B2 - pa * B1 - beta * T1
    F2 = t + F1 + pb * X - pm * B2 - beta * T2
    telescoped = F2 + pa * B1 + beta * (T1 + T2) - (s + t + Y + pb * X)
    return vanish([path, path_last, cycle, telescoped])


def _flux(perturbed: bool) -> bool:
    r"""Check :math:`\sum y = ET+cB-cX` for one row of the cycle; for two blocks it telescopes."""
    y, pivot = f + Y, c + E
    weight = E + c if perturbed else E

    def flux(m: Moments, inflow: Any) -> Any:
        return weight * m.total + c * m.backward - c * inflow

    row = flux(_row(c / pivot, 1 / pivot), X) - y
    y1, y2, B1, B2, T1 = sp.symbols("y1 y2 B1 B2 T1")
    T2 = (y2 + c * X - c * B2) / weight
    joined = Moments(0, B1, T1 + T2)
    telescoped = flux(joined, X).subs(T1, (y1 + c * B2 - c * B1) / weight) - (y1 + y2)
    return vanish([row, telescoped])


def _solve_in_blocks(g: NDArray[Any], plan: ShardPlan, *, deaf: bool = False) -> NDArray[Any]:
    """Summarise every block, combine, finish every block; ``deaf`` drops what enters right."""
    blocks = np.split(g, np.cumsum(plan.sizes)[:-1])
    summaries = [sharded.summarize_block(block, plan, b) for b, block in enumerate(blocks)]
    inflows = sharded.combine(summaries, plan)
    if deaf:
        inflows = [replace(inflow, right=0) for inflow in inflows]
    parts = zip(blocks, inflows, strict=True)
    return np.concatenate(
        [sharded.finish_block(block, plan, b, inflow) for b, (block, inflow) in enumerate(parts)]
    )


def _all_gradients(perturbed: bool) -> bool:
    """Check every split of n ≤ 4 rows into three blocks, for all g (symbols) and drawn weights."""
    draw = random.Random(11)
    for n in (2, 3, 4):
        g = np.array(sp.symbols(f"g:{n}"), dtype=object)
        for cuts in combinations_with_replacement(range(n + 1), 2):
            sizes = [stop - start for start, stop in pairwise((0, *cuts, n))]
            alpha, stiffness, excess, weight = (
                sp.Rational(draw.randint(1, 9), draw.randint(1, 9)) for _ in range(4)
            )
            weight *= draw.choice((0, 1, 1000))
            for factors, plan in (
                (
                    sweeps.path_factors(weight, stiffness, n),
                    sharded.path_plan(alpha, weight, stiffness, sizes),
                ),
                (
                    sweeps.cycle_factors(stiffness, excess, n),
                    sharded.cycle_plan(alpha, stiffness, excess, sizes),
                ),
            ):
                k = sweeps.solve_gram(g, alpha, None, factors)
                if not vanish(_solve_in_blocks(g, plan, deaf=perturbed) - k):
                    return False
    return True


def _exact(perturbed: bool) -> bool:
    """Check drawn n, weights, gradients and splits in rational numbers."""
    draw = random.Random(1111)
    for n in (2, 3, 5, 8, 13, 21):
        for r in (Fraction(1), Fraction(1, 2), Fraction(999, 1000), Fraction(1, 10**6)):
            cuts = sorted(draw.randint(0, n) for _ in range(draw.randint(1, 5)))
            sizes = [stop - start for start, stop in pairwise((0, *cuts, n))]
            alpha, scale = Fraction(draw.randint(1, 9), 7), Fraction(draw.randint(1, 99), 8)
            g = np.array([Fraction(draw.randint(-99, 99), 3) for _ in range(n)], dtype=object)
            for periodic in (False, True):
                if periodic:
                    plan = sharded.cycle_plan(alpha, scale, scale / r - scale, sizes)
                else:
                    plan = sharded.path_plan(alpha, scale * (1 - r) ** 2 / r, scale, sizes)
                mean = g.sum() / n
                k = mean / alpha + exact_inverse(n, scale, r, periodic=periodic) @ (g - mean)
                if (_solve_in_blocks(g, plan, deaf=perturbed) != k).any():
                    return False
            one_line = sharded.ShardPlan(alpha, scale, tuple(sizes), 1)
            k = sweeps.solve_gram(g, alpha, scale, None)
            if (_solve_in_blocks(g, one_line) != k).any():
                return False
    return True


def _numbers(perturbed: bool) -> bool:
    """Check the rank of the inverse's block that leads from four inner rows to all the others."""
    n, block = 13, range(4, 8)
    outside = [i for i in range(n) if i not in block]

    def rank(inverse: NDArray[Any]) -> int:
        return int(sp.Matrix(inverse[np.ix_(outside, block)].tolist()).rank())

    needed = 2 if perturbed else 3
    alpha, scale = Fraction(2, 3), Fraction(5, 4)
    one_line = (np.eye(n, dtype=int) + np.full((n, n), Fraction(1, n))) / scale
    sweeps_need = [
        rank(1 / (alpha * n) + exact_inverse(n, scale, r, periodic=periodic))
        for periodic in (False, True)
        for r in (Fraction(1), Fraction(2, 3))
    ]
    return sweeps_need == [needed] * 4 and rank(one_line) == 1


THEOREMS = (
    Theorem(
        id="T11.monoid",
        title="Blocks of rows form a monoid",
        statement=(
            "Two adjacent blocks act like the block that merge returns; merge is associative, with "
            "the empty block as unit. So the product of all blocks does not depend on the split."
        ),
        tex=r"A\cdot(B\cdot C)=(A\cdot B)\cdot C,\qquad \varnothing\cdot A=A\cdot\varnothing=A",
        scope="any blocks, as affine maps from inflows (Y, X) to moments (F, B, T)",
        kind="symbolic",
        check=partial(_monoid, False),
        variant=partial(_monoid, True),
        perturbed="The same, with nothing carried from the left block into the right one.",
        page=PAGE,
    ),
    Theorem(
        id="T11.rows",
        title="The code's sweep over a block is the merge of its rows",
        statement=(
            "Executed on symbols, the sweep over a block gives the moments of the merged parts, "
            "wherever the block is cut, an empty part included."
        ),
        tex=r"[a,b)=[a,m)\cdot[m,b)=\{a\}\cdot\{a+1\}\cdots\{b-1\}",
        scope="all factors and all gradients as symbols; one step of the sweeps per row",
        kind="symbolic",
        check=partial(_rows_are_merged, False),
        variant=partial(_rows_are_merged, True),
        perturbed="The same with the parts merged in the opposite order.",
        page=PAGE,
    ),
    Theorem(
        id="T11.balance",
        title="Two moments and the mean are enough",
        statement=(
            "A block's moments and the sum of its rows are tied by one equation, so with the "
            "block's own mean taken off two of the three moments give the third."
        ),
        tex=r"F+\pi_aB+\beta T=\sum_{a\le i<b}f_i+Y+\pi_bX,\qquad \pi_a=p_{a-1}E_{a-1}",
        scope="every block of every split, all c > 0, β ≥ 0, both boundaries",
        kind="symbolic",
        check=partial(_balance, False),
        variant=partial(_balance, True),
        perturbed="The same with π_a = E_a.",
        page=PAGE,
    ),
    Theorem(
        id="T11.flux",
        title="The cycle's flux from the moments",
        statement=(
            "On the cycle the sum of the forward results, which its closure needs, follows from "
            "the moments of the backward ones."
        ),
        tex=r"\sum_{a\le i<b}y_i=E\,T+c\,B-c\,X",
        scope="every block of every split, all c > 0, E ≥ 0, periodic",
        kind="symbolic",
        check=partial(_flux, False),
        variant=partial(_flux, True),
        perturbed="The same with E + c for E.",
        page=PAGE,
    ),
    Theorem(
        id="T11.all-gradients",
        title="Sharded equals global, for all gradients on few rows",
        statement=(
            "For every split of up to four rows into three blocks the code's result, on symbols "
            "for the gradient, is that of the global sweeps."
        ),
        tex=r"k^{\text{sharded}}=M^{-1}g",
        scope="n ≤ 4, all splits into three blocks, all g, drawn weights, both boundaries",
        kind="symbolic",
        check=partial(_all_gradients, False),
        variant=partial(_all_gradients, True),
        perturbed="The same with what enters a block from the right left out.",
        page=PAGE,
    ),
    Theorem(
        id="T11.exact",
        title="Sharded equals the closed form, in rational numbers",
        statement=(
            "For drawn splits, uneven and with empty blocks, the code run on fractions agrees with "
            "the closed-form inverse without any rounding."
        ),
        tex=r"k^{\text{sharded}}=\Big(\tfrac1\alpha P+G\Big)g\quad\text{in}\ \mathbb Q",
        scope="drawn n ≤ 21, weights, gradients and splits into 2 to 6 blocks; the one line too",
        kind="exact",
        check=partial(_exact, False),
        variant=partial(_exact, True),
        perturbed="The same with what enters a block from the right left out.",
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
        check=partial(_numbers, False),
        variant=partial(_numbers, True),
        perturbed="The same with rank 2.",
        page=PAGE,
    ),
)
