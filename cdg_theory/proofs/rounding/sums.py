"""Theorem 7 for β = 0 with a known end: an error in every operation, in the kernels' own orders.

A kernel may take both running sums from the last row back, as those for the CPU do, or in segments,
as those for the GPU: sums within segments, sums over segments, and rows again within segments.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.sweeps import cycle_factors, path_factors, solve_gram
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.exact_matrices import identity
from cdg_theory.proofs.tools.injection import Off, injected
from cdg_theory.rounding.functionals import sums_error

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHA, STIFFNESS = Fraction(3), Fraction(2, 7)


def _level_and_rest(off: Off, total: Any, n: int) -> tuple[Any, Any, Any]:
    """Return the mean, divided by α too, and what its rounding lost."""
    mean = off(total / n)
    return mean, off(mean / ALPHA), off(off(total - off(n * mean)) / n)


def _back(off: Off, g: Any, f: Any, k: Any, mean: Any, rate: Any) -> tuple[list[Any], Any, Any]:
    """Return k in rows, the last first, and both sums beyond them."""
    out = []
    for row in g[::-1]:
        out.append(k)
        f = off(f - off(row - mean))
        k = off(k + off(rate * f))
    return out, f, k


def _from_the_last_row(off: Off, g: Any, x_end: Any, f_end: Any, length: int) -> Any:
    """Return k, by one sweep back; what the mean's rounding lost comes off once a block."""
    total = g[0]
    for row in g[1:]:
        total = off(total + row)
    mean, level, rest = _level_and_rest(off, total, len(g))
    k, f, rate, out = off(x_end + level), f_end, off(1 / STIFFNESS), []
    for last in range(len(g), 0, -length):
        first = max(last - length, 0)
        rows, f, k = _back(off, g[first:last], f, k, mean, rate)
        out += rows
        f = off(f + off((last - first) * rest))
    return np.array(out[::-1])


def _below(off: Off, own: list[Any]) -> list[Any]:
    """Return the sums of all segments below each: those with it, less it."""
    sums = [own[-1]]
    for one in own[-2::-1]:
        sums.append(off(sums[-1] + one))
    return [off(every - one) for every, one in zip(sums[::-1], own, strict=True)]


def _in_segments(off: Off, g: Any, x_end: Any, f_end: Any, length: int) -> Any:
    """Return k, by sums of each segment's rows, sums over segments, and rows of each again."""
    segments = [g[top : top + length] for top in range(0, len(g), length)]
    totals, moments = [], []
    for rows in segments:
        total = moment = rows[0]
        for i in range(1, len(rows)):
            total, moment = off(total + rows[i]), off(moment + off((i + 1) * rows[i]))
        totals.append(total)
        moments.append(moment)
    whole = totals[0]
    for total in totals[1:]:
        whole = off(whole + total)
    mean, level, rest = _level_and_rest(off, whole, len(g))
    own = [
        off(off(total - off(len(rows) * mean)) - off(len(rows) * rest))
        for rows, total in zip(segments, totals, strict=True)
    ]
    flows = [off(f_end - below) for below in _below(off, own)]
    risen = []
    for rows, moment, f in zip(segments, moments, flows, strict=True):
        size = len(rows)
        fallen = off(moment - off(Fraction(size * (size + 1), 2) * mean))
        risen.append(off(off(off(size * f) - fallen) / STIFFNESS))
    k_end, rate, out = off(x_end + level), off(1 / STIFFNESS), []
    for rows, f, below in zip(segments, flows, _below(off, risen), strict=True):
        out += _back(off, rows, f, off(k_end + below), mean, rate)[0][::-1]
    return np.array(out)


def _injected(part: Callable[[int, int], Any] = lambda _row, _n: 1) -> bool:
    """Sum the moduli of what an error in each operation does; ``part`` of the bound by row."""
    for n, periodic in product((2, 3, 6), (False, True)):
        c, none = STIFFNESS, 0 * STIFFNESS
        factors = cycle_factors(c, none, n) if periodic else path_factors(none, c, n)
        ramp = np.array([[Fraction(i * i % 7 - i)] for i in range(n)])
        g = np.hstack([identity(n), ramp, 1000 + ramp])
        k, sizes = solve_gram(g, ALPHA, none, factors), abs(g)
        average = sizes.mean(axis=0)
        mean = (n + 2) * average
        x_end, f_end = k[-1] - g.mean(axis=0) / ALPHA, periodic * c * (k[-1] - k[0])
        known = (abs(f_end), none), (abs(k[-1]), none)
        running = sums_error(sizes, *known, mean, (1 / c, 1), Fraction(1))
        for sums, length in product((_from_the_last_row, _in_segments), {1, n // 2 + 1, n}):
            right, found = injected(partial(sums, g=g, x_end=x_end, f_end=f_end, length=length))
            if (right != k).any():
                return False
            for i in range(n):
                bound = part(i, n) * running + (mean + 4 * average) / ALPHA + 2 * abs(k[i])
                if (found[i] > bound).any():
                    return False
    return True


def _from_row_0(row: int, n: int) -> Fraction:
    """Return the part of the rows above one: what has gone wrong where the sums start in row 0."""
    return Fraction(row, n - 1)


THEOREMS = (
    Theorem(
        id="T7.injected-sums",
        title="Rounding: both running sums, in the kernels' own orders",
        statement=(
            "For β = 0 and a known end, what one roundoff in each operation does adds up to less "
            "than the bound, in one sweep from the last row back and in segments of any length."
        ),
        tex=(
            r"|\hat k_i-k_i|\le\epsilon_e+\nu|k_{n-1}|+\frac nc\bigl(\epsilon_f+n\epsilon_{\bar g}"
            r"+(2\nu+\mathrm{err}(1/c))T\bigr)+\dots,\qquad \nu=(\tfrac32n+16)u,"
            r"\quad T=|f_{n-1}|+2\sum_j|g_j|"
        ),
        scope="rational arithmetic, every operation of n in {2, 3, 6} rows, path and cycle, "
        "columns of one entry and with a large mean, segments of 1, n/2+1 and n rows",
        kind="exact",
        check=_injected,
        variant=partial(_injected, part=_from_row_0),
        perturbed="The same with errors that grow from row 0 on, as sums from there would have.",
        page="theory/rounding-variants.md",
    ),
)
