r"""Theorem 5: the sweeps as products with small matrices, executed in rational numbers."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from cdg_theory.discrete.blocked import segment_size, sweep_blocks, sweep_blocks_of
from cdg_theory.ledger import Theorem


def _drawn(draw: random.Random, *shape: int) -> Any:
    count = int(np.prod(shape))
    numbers = [Fraction(draw.randint(-9, 9), draw.randint(1, 5)) for _ in range(count)]
    return np.array(numbers, dtype=object).reshape(shape)


def _row_by_row(loads: Any, start: Any, carry: Any, gain: Any) -> Any:
    """Return both sweeps, by their definition: (n, q, columns)."""
    n, columns = loads.shape
    q = carry.shape[-1]
    y = np.zeros((n, q, columns), dtype=object)
    y[:, -1] = loads
    y[0] = y[0] + start
    for i in range(n - 1):
        y[i + 1] = y[i + 1] + carry[i] @ y[i]
    x = gain @ y
    for i in reversed(range(n - 1)):
        x[i] = x[i] + carry[i] @ x[i + 1]
    return x


def _blocked(border: int = 1) -> bool:
    """Check the products against the sweeps, whose carries at borders are ``border`` times theirs.

    Carries and gains are drawn, and matrices do not commute: the identity is of any two sweeps.
    """
    draw = random.Random(5)
    for q, size, n in ((1, 3, 12), (1, 4, 3), (1, 3, 11), (2, 2, 6), (2, 3, 7), (2, 8, 5)):
        count = -(-n // size)
        carry, gain = _drawn(draw, n - 1, q, q), _drawn(draw, n, q, q)
        gain[-1] *= n == count * size  # else the rows that fill the last segment would be met
        loads, start = _drawn(draw, n, 2), _drawn(draw, q, 2)
        buffer = np.zeros((count, size + 2 * q, 2), dtype=object)
        filled = np.concatenate([loads, np.zeros((count * size - n, 2), dtype=object)])
        buffer[:, :size] = filled.reshape(count, size, 2)
        found, seconds, first = sweep_blocks(buffer, start, sweep_blocks_of(carry, gain, size))

        scaled = carry.copy()
        scaled[size - 1 :: size] *= border
        x = _row_by_row(loads, start, scaled, gain)
        levels = found.reshape(-1, 2)[:n]
        if (levels != x[:, 0]).any() or (first != x[0]).any():
            return False
        if (seconds != x[:, 1:].sum(axis=0)).any():
            return False
    # The size is the least power of two, 8 or more, with b³ ≥ 2n.
    return all(
        (b := segment_size(n)) >= 8 and b**3 >= 2 * n and (b == 8 or (b // 2) ** 3 < 2 * n)
        for n in range(1, 3000)
    )


THEOREMS = (
    Theorem(
        id="T5.blocked",
        title="Two sweeps are four products, for any number of rows",
        statement=(
            "Cut the rows into segments of b rows. In segment s the sweep down T, the gains h "
            "and the sweep up U multiply the loads r by small matrices that do not depend on "
            "the loads. A segment needs two more rows: the last row Y of the sweep down in "
            "the segment before, and the first row X of the sweep up in the segment after, "
            "each times the carry p at the border."
        ),
        tex=(
            r"x_s=U_sh_sT_s\,r_s+U_sh_sT_{s,\cdot 0}\,p_{sb-1}Y_{s-1}"
            r"+U_{s,\cdot,b-1}\,p_{sb+b-1}X_{s+1}"
        ),
        scope="drawn carries, gains and loads in ℚ, rows of one number and of two, full last "
        "segments and others",
        kind="exact",
        check=_blocked,
        variant=partial(_blocked, border=0),
        perturbed="The same with nothing carried over the segments' borders.",
        page="theory/linear-time.md",
    ),
)
