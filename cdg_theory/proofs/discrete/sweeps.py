r"""Theorem 5, second half: each linear-time algorithm equals :math:`M^{-1}g`, for every n.

Induction on the rows, about the code itself: its functions are executed on symbols, and a sweep
over many rows is the sweep over one pair of rows after the other. Notation as in
:mod:`cdg_theory.discrete.sweeps`: forward results y, backward results z (before the closure), and
:math:`x = z - \sigma h` with the constant σ that makes the sum vanish.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.discrete import inverse, sweeps
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import Powers, vanish
from cdg_theory.proofs.tools.exact_matrices import exact_inverse, laplacian

if TYPE_CHECKING:
    from cdg_theory.metric import Boundary

PAGE = "theory/linear-time.md"
beta, c, E = sp.symbols("beta c E", positive=True)
i, j, k, n = sp.symbols("i j k n", integer=True, nonnegative=True)


def _forward_pair(y: Any, r_next: Any, carry: Any) -> Any:
    """Execute one step of the forward sweep: y[i] and r[i+1] give y[i+1]."""
    rows = np.array([y, r_next], dtype=object)
    sweeps.carry_forward(rows, np.array([carry], dtype=object))
    return rows[1]


def _backward_pair(scaled: Any, z_next: Any, carry: Any) -> Any:
    """Execute one step of the backward sweep: gain·y[i] and z[i+1] give z[i]."""
    rows = np.array([scaled, z_next], dtype=object)
    sweeps.carry_backward(rows, np.array([carry], dtype=object))
    return rows[0]


def _runs_exactly(n: int, factors: Any, beta: Any, *, periodic: bool) -> bool:
    """Execute the whole algorithm on symbols for one n: α k̄ + β(k − k̄) + cLk must be g."""
    alpha = sp.Symbol("alpha", positive=True)
    g = np.array(sp.symbols(f"g:{n}"), dtype=object)
    k = sweeps.solve_gram(g, alpha, beta, factors)
    mean = k.sum() / n
    return vanish(alpha * mean + beta * (k - mean) + c * laplacian(k, periodic=periodic) - g)


def _one_line(divisor: Any = beta) -> bool:
    """Check k = ḡ/α + (g − ḡ)/β on one entry of a vector with mean ḡ, and the code on vectors."""
    g, mean, alpha = sp.symbols("g gbar alpha", positive=True)

    def line(entry: Any) -> Any:
        return mean / alpha + (entry - mean) / divisor

    # k is affine in g, so its mean is the line at ḡ; then (Mk)_i = α k̄ + β (k_i − k̄).
    product = alpha * line(mean) + beta * (line(g) - line(mean))
    sample = np.array(sp.symbols("g:3"), dtype=object)
    code = sweeps.solve_gram(sample, alpha, beta, None)
    same = [value - line(entry) for value, entry in zip(code, sample, strict=True)]
    return vanish([product - g, *(d.subs(mean, sum(sample) / sp.Integer(3)) for d in same)])


def _closes() -> bool:
    """Check that the closure makes the sum vanish and adds a multiple of its weights only."""
    u, h = (np.array(sp.symbols(f"{name}:3"), dtype=object) for name in "uh")
    closed = u.copy()
    sweeps.close(closed, h)
    total = sum(u)
    return vanish([*(closed - u + h * total), sum(closed) - total * (1 - sum(h))])


def _path(diagonal: Any = 2 * c) -> bool:
    r"""Check the sweeps on the path, for a matrix with ``diagonal`` + β in its inner rows.

    Loop invariants, for rows i < n − 1 and every E_i > 0 that the recurrence can have reached:

    - (pivots)   :math:`E_{i+1} > 0` and :math:`0 < p_i < 1`: no division by zero;
    - (backward) :math:`(c+E_i)x_i - c\,x_{i+1} = y_i`;
    - (rows)     row i of :math:`(\beta I+cL)x=r` holds;
    - (sums)     :math:`\beta\sum_{k\le i}x_k + c(x_i-x_{i+1}) = \sum_{k\le i}r_k`;

    and the last row from (sums), because both sums over all rows vanish.
    """
    p, following = sweeps.eliminate_row(beta, c, E)
    pivots = following.is_positive and p.is_positive and sp.cancel(1 - p).is_positive
    y, r, z, h, sigma, S, u, v, w = sp.symbols("y r z h sigma S u v w")

    # (backward): row i of what the code computes, z and the homogeneous h, after the closure.
    x = _backward_pair(y / (c + E), z, p) - sigma * _backward_pair(0, h, p)
    backward = (c + E) * x - c * (z - sigma * h) - y

    # (rows), base: E_0 = β and y_0 = r_0, with x_0 = u, x_1 = v.
    first_excess = sweeps.path_pivots(beta, c, 1)[0][0]
    first = (c + first_excess) * u - c * v
    base = (beta + c) * u - c * v - first
    # (rows), step, with x_{i+1} = v, x_{i+2} = w and x_i, r_{i+1} from the invariant and the code.
    x_before = (y + c * v) / (c + E)
    y_next = (c + following) * v - c * w
    r_next = r + y_next - _forward_pair(y, r, p)
    step = (beta + diagonal) * v - c * x_before - c * w - r_next

    # (sums), base and step: S is the sum of the x_k up to row i, x_i = u, x_{i+1} = v.
    sums = beta * S + c * (u - v)
    sums_base = sums.subs(S, u) - first
    row = (beta + diagonal) * v - c * u - c * w
    sums_step = beta * (S + v) + c * (v - w) - (sums + row)
    # The last row, x_{n-2} = u and x_{n-1} = v: S = −v, and the r_k before it sum to −r_{n-1}.
    last = (beta + c) * v - c * u + sums.subs(S, -v)

    zeros = [backward, base, step, sums_base, sums_step, last]
    return (
        bool(pivots)
        and vanish(zeros)
        and _closes()
        and _path_factors()
        and all(
            _runs_exactly(n, sweeps.path_factors(beta, c, n), beta, periodic=False) for n in (2, 3)
        )
    )


def _path_factors() -> bool:
    """Check the factors of the code on four rows: gains, and h_i = p_i h_{i+1} with sum 1."""
    excess, carry = sweeps.path_pivots(beta, c, 4)
    factors = sweeps.path_factors(beta, c, 4)
    h = factors.closure
    gains = [(c + e) * gain - 1 for e, gain in zip(excess[:3], factors.gain[:3], strict=True)]
    ratios = [h[i] - carry[i] * h[i + 1] for i in range(3)]
    return vanish([*gains, *ratios, factors.gain[3], sum(h) - 1, *(factors.carry - carry[:3])])


def _cycle(diagonal: Any = 2 * c) -> bool:
    r"""Check the sweeps on the cycle, for a matrix with ``diagonal`` + β; indices modulo n.

    - (factors)  :math:`\beta I+cL = \frac cq(I-qS)(I-qS^T)` for :math:`q=c/(c+E)`,
      :math:`\beta=E^2/(c+E)`, row by row;
    - (forward)  after the closure, :math:`y_{i+1}-q\,y_i=r_{i+1}` for i < n − 1, and
      :math:`y_0-q\,y_{n-1}=r_0` because the sums of y and of r vanish;
    - (backward) the same with the rows in reverse order, for :math:`x_i-q\,x_{i+1}=\frac qc y_i`.
    """
    pivot = c + E
    q, weight = c / pivot, E**2 / pivot
    y, r, flux, sigma, first, last, S, R = sp.symbols("y r h sigma y0 yl S R")
    u, v, w = sp.symbols("u v w")
    product = (c / q) * ((v - q * w) - q * (u - q * v))
    factored = (weight + diagonal) * v - c * (u + w) - product

    # Both recursions step by the same code, up to the order of rows.
    forward = _forward_pair(y, r, q) - sigma * (q * flux) - q * (y - sigma * flux) - r
    backward = _backward_pair(r, y, q) - sigma * (q * flux) - q * (y - sigma * flux) - r
    # The rows after the first: S − first is the sum of y_1..y_{n-1}, S − last that of y_0..y_{n-2}.
    others = (S - first) - q * (S - last)
    closing = (first - q * last - r).subs(r, R - others).subs({S: 0, R: 0})

    factors = sweeps.cycle_factors(c, E, 4)
    h = factors.flux
    assert h is not None
    ratios = [h[i + 1] - q * h[i] for i in range(3)]
    mirrored = factors.closure - h[::-1]
    constants = [*(factors.carry - q), *(factors.gain - q / c), sum(h) - 1]
    zeros = [factored, forward, backward, closing, *ratios, *mirrored, *constants]
    return (
        vanish(zeros)
        and _closes()
        and all(
            _runs_exactly(n, sweeps.cycle_factors(c, E, n), weight, periodic=True) for n in (2, 3)
        )
    )


def _running_sums(first: Any = i) -> bool:
    r"""Check that at β = 0 the sweeps are running sums, and that these are the pseudoinverse.

    The second sum of row i begins at row ``first``.
    """
    carry, following = sweeps.eliminate_row(0, c, sp.Integer(0))
    fixed = [carry - 1, following]  # so p_i = 1, E_i = 0 for all i, by induction
    q = sweeps.cycle_factors(c, sp.Integer(0), 3)
    assert q.flux is not None
    cycle = [*(q.carry - 1), *(q.flux - sp.Rational(1, 3))]
    # Column j of L⁺: r = e_j − 1/n. Running sum y, running sum of y from the far end, mean off.
    below, above = -(k + 1) / n, 1 - (k + 1) / n  # y_k for k < j and for k ≥ j

    def far_sum(y: Any, start: Any, last: Any) -> Any:
        return sp.summation(sp.expand(y), (k, start, last))

    beyond = far_sum(above, first, n - 2)  # rows i ≥ j
    before = far_sum(below, first, j - 1) + far_sum(above, j, n - 2)  # rows i < j
    mean = (
        sp.summation(sp.expand(before), (i, 0, j - 1))
        + sp.summation(sp.expand(beyond), (i, j, n - 1))
    ) / n
    columns = [
        before - mean - inverse.path_entry(i, j, n),
        beyond - mean - inverse.path_entry(j, i, n),
    ]
    return vanish([*fixed, *cycle, *columns])


def _pivots(exponent: Any = 2 * i + 1) -> bool:
    """Check the closed form of the pivots by induction, and that of the homogeneous solution."""
    power = Powers("r", i, n)
    r = power.base
    weight = c * (1 - r) ** 2 / r

    def excess(index: Any) -> Any:
        e = exponent.subs(i, index)
        return c * ((1 + power(e + 2)) / (r * (1 + power(e))) - 1)

    def homogeneous(index: Any) -> Any:
        return power(n - 1 - index) * (1 + power(2 * index + 1)) / (1 + power(2 * n - 1))

    carry, following = sweeps.eliminate_row(weight, c, excess(i))
    return vanish(
        [
            excess(sp.Integer(0)) - weight,
            following - excess(i + 1),
            homogeneous(i) - carry * homogeneous(i + 1),
            homogeneous(n - 1) - 1,
        ]
    )


def _exact(boundaries: tuple[Boundary, Boundary] = ("natural", "periodic")) -> bool:
    """Execute path's and cycle's code in rational numbers and compare with the closed forms."""
    draw = random.Random(5)
    for n in (1, 2, 3, 4, 5, 7, 8, 12, 17):
        for r in (Fraction(1), Fraction(draw.randint(1, 9), 10), Fraction(1, 10**6)):
            alpha, scale = Fraction(draw.randint(1, 9), 7), Fraction(draw.randint(1, 99), 8)
            g = np.array([Fraction(draw.randint(-99, 99), 3) for _ in range(n)], dtype=object)
            mean = g.sum() / n
            path = sweeps.path_factors(scale * (1 - r) ** 2 / r, scale, n)
            cycle = sweeps.cycle_factors(scale, scale / r - scale, n)
            for boundary, factors in zip(boundaries, (path, cycle), strict=True):
                k = sweeps.solve_gram(g, alpha, None, factors)
                G = exact_inverse(n, scale, r, periodic=boundary == "periodic")
                if (k != mean / alpha + G @ (g - mean)).any():
                    return False
    return True


THEOREMS = (
    Theorem(
        id="T5.one-line",
        title="The one line is the inverse of the re-weighted H⁰ metric",
        statement="For every n, k = ḡ/α + (g − ḡ)/β solves Mk = g when γ = 0.",
        tex=r"k=\frac{\bar g}{\alpha}\mathbf 1+\frac1\beta(g-\bar g\mathbf 1)=M^{-1}g",
        scope="all n ≥ 1, all α, β > 0, γ = 0, all g",
        kind="symbolic",
        check=_one_line,
        variant=partial(_one_line, divisor=2 * beta),
        perturbed="The same with the fluctuation divided by 2β.",
        page=PAGE,
        formal=("T5_one_line",),
    ),
    Theorem(
        id="T5.sweeps-path",
        title="Two sweeps and the mean constraint solve the path",
        statement=(
            "For every n the forward sweep, the backward sweep from 0 and the closure by the mean "
            "constraint give the inverse times g: by induction every row but the last holds, and "
            "the last holds because the sums of x and of r vanish."
        ),
        tex=(
            r"(c+E_i)x_i-c\,x_{i+1}=y_i\ (i<n-1),\quad \sum_i x_i=0\ \Longrightarrow\ "
            r"(\beta I+cL)x=g-\bar g\mathbf 1"
        ),
        scope="all n ≥ 2, all c > 0, β ≥ 0, natural, all g; n = 1 is k = g/α",
        kind="symbolic",
        check=_path,
        variant=partial(_path, diagonal=c),
        perturbed="The same for a matrix with β + c on the whole diagonal.",
        page=PAGE,
        formal=("T5_sweeps_path", "T5_sweeps_path_any_field"),
    ),
    Theorem(
        id="T5.sweeps-cycle",
        title="Two first-order recursions, each closed by the mean constraint, solve the cycle",
        statement=(
            "For every n the cyclic matrix factors into two first-order recursions, and each, "
            "closed by its constraint, satisfies its wrapped-around row."
        ),
        tex=(
            r"\beta I+cL=\tfrac cq(I-qS)(I-qS^T),\quad q=\frac{c}{c+E},\ \beta=\frac{E^2}{c+E};"
            r"\qquad \sum_i y_i=\sum_i x_i=0"
        ),
        scope="all n ≥ 2, all c > 0, β ≥ 0, periodic, all g; n = 1 is k = g/α",
        kind="symbolic",
        check=_cycle,
        variant=partial(_cycle, diagonal=c),
        perturbed="The same for a matrix with β + c on the diagonal.",
        page=PAGE,
        formal=("T5_sweeps_cycle", "T5_sweeps_cycle_real"),
    ),
    Theorem(
        id="T5.running-sums",
        title="The channel-directed Sobolev gradient is two running sums",
        statement=(
            "At β = 0 every carry is 1: the sweeps are running sums, one from each end, and with "
            "the mean taken off they are the pseudoinverse of the path, column by column."
        ),
        tex=r"x_i=\frac1c(S_i-\bar S),\quad S_i=\sum_{k=i}^{n-2}\ \sum_{l\le k}(g_l-\bar g)",
        scope="all n ≥ 1, all c > 0, β = 0; carries and closures for both boundaries",
        kind="symbolic",
        check=_running_sums,
        variant=partial(_running_sums, first=i + 1),
        perturbed="The same with the second sum begun one row later.",
        page=PAGE,
        formal=("T5_running_sums",),
    ),
    Theorem(
        id="T5.pivots",
        title="The pivots in closed form",
        statement=(
            "The pivots c + E of the elimination, and the solution h of the homogeneous "
            "equation that closes the sweeps, have closed forms in r, where r + 1/r = 2 + "
            "β/c."
        ),
        tex=(
            r"c+E_i=\frac{c\,(1+r^{2i+3})}{r\,(1+r^{2i+1})},\qquad "
            r"h_i=\frac{r^{n-1-i}(1+r^{2i+1})}{1+r^{2n-1}}"
        ),
        scope="all n ≥ 1, all β, c > 0, natural",
        kind="symbolic",
        check=_pivots,
        variant=partial(_pivots, exponent=2 * i + 2),
        perturbed="The same with even exponents in the pivots.",
        page=PAGE,
        formal=("T5_pivots",),
    ),
    Theorem(
        id="T5.sweeps-exact",
        title="The code, executed in rational numbers, gives the closed form's result",
        statement=(
            "The functions that compute the gradient in floating point, run on fractions, agree "
            "with the closed-form inverse without any rounding."
        ),
        tex=r"k=\Big(\tfrac1\alpha P+G\Big)g\quad\text{in}\ \mathbb Q",
        scope="drawn n ≤ 17, drawn α, c, r and g, both boundaries, β = 0 and β up to 10⁶ c",
        kind="exact",
        check=_exact,
        variant=partial(_exact, boundaries=("periodic", "natural")),
        perturbed="The same with the two boundaries exchanged.",
        page=PAGE,
    ),
)
