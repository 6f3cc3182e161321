r"""Theorem 5: the inverse as products with matrices known beforehand, in rational numbers."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np

from cdg_theory.discrete.blocked import multiply, products_of, segment_size, segments
from cdg_theory.discrete.blocks import plan_of
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.exact_matrices import gram_product, identity

ALPHA, BETA, C, D = Fraction(3, 2), Fraction(2, 7), Fraction(5, 3), Fraction(3, 4)
NONE = Fraction(0)
MEMBERS = (
    (NONE, C, NONE),
    (BETA, C, NONE),
    (NONE, NONE, D),
    (BETA, NONE, D),
    (BETA, C, D),
)


def _blocked(inflow: int = 1) -> bool:
    """Check M times the products of all unit vectors, ``inflow`` being that of a unit inflow."""
    shapes = ((1, 3), (5, 5), (6, 2), (7, 3), (3, 1))
    for (beta, c, d), (n, size), periodic in product(MEMBERS, shapes, (False, True)):
        plan = plan_of(ALPHA, beta, c, segments(n, size), periodic=periodic, d=d)
        found = products_of(plan)
        m, b, room = found.rows.shape
        found.rows[:, :, b + 1 :] *= inflow
        loads = np.concatenate([identity(n), np.zeros((m * b - n, n), dtype=object)])
        buffer = np.zeros((m, room, n), dtype=object)
        buffer[:, :b] = loads.reshape(m, b, n)
        k = multiply(found, buffer).reshape(m * b, n)[:n] + 1 / (n * ALPHA)
        if (gram_product(k, ALPHA, beta, c, d, periodic=periodic) != identity(n)).any():
            return False
    # The size is n, if that is short, else the least power of two, 16 or more, with b³ ≥ 16n.
    return all(segment_size(n) == n for n in range(1, 65)) and all(
        (b := segment_size(n)) >= 16 and b**3 >= 16 * n and (b == 16 or (b // 2) ** 3 < 16 * n)
        for n in range(65, 3000)
    )


THEOREMS = (
    Theorem(
        id="T5.blocked",
        title="The inverse is three products, for any number of rows",
        statement=(
            "Cut the rows into segments. A takes each segment's mean and its two dot products "
            "(four with a curvature), C makes of those of all segments the level of each and "
            "what flows in at its ends, and B makes of a segment's rows and of these its rows of "
            "the solution of mean zero. The matrices do not depend on r. With the mean over α "
            "added, this is the inverse of M times r for every r. One segment alone needs one "
            "matrix."
        ),
        tex=(
            r"M^{-1}r=\frac{\bar r}\alpha+B\begin{pmatrix}r\\C\,A\,r\end{pmatrix}"
            r"\quad\text{for every }r"
        ),
        scope="all unit vectors in ℚ; path and cycle, all members of β, c and d with a derivative "
        "or a curvature, full last segments and others, one segment, segments of one row",
        kind="exact",
        check=_blocked,
        variant=partial(_blocked, inflow=0),
        perturbed="The same with nothing flowing over the segments' borders.",
        page="theory/linear-time.md",
    ),
)
