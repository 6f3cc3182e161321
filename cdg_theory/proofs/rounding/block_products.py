"""Theorem 7 for the sweeps in blocks: an error in every product and in every partial sum."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.blocked import SweepBlocks, sweep_blocks, sweep_blocks_of
from cdg_theory.discrete.sweeps import carry_backward, carry_forward, path_factors
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.injection import Off, injected

if TYPE_CHECKING:
    from collections.abc import Callable


class _Matrix:
    """A matrix whose products are summed number by number."""

    def __init__(self, numbers: Any, off: Off) -> None:
        self.numbers, self.off, self.shape = numbers, off, numbers.shape

    def __matmul__(self, other: Any) -> Any:
        total: Any = None
        for k in range(self.shape[-1]):
            one = self.off(self.numbers[..., k, None] * other[..., None, k, :])
            total = one if total is None else self.off(total + one)
        return total


def errors_in_blocks(own: SweepBlocks, r: Any, start: Any = None, closure: Any = None) -> Any:
    """Return both sweeps of r, and the moduli of what an error in each operation does, summed.

    ``closure``, if given, are the weights that close them.
    """
    m, _, b = own.reach.shape
    room = np.zeros((m, 2, r.shape[1]), dtype=int)

    def solved(off: Off) -> Any:
        blocks = {f.name: _Matrix(getattr(own, f.name), off) for f in fields(own)}
        buffer = np.concatenate([r.reshape(m, b, -1), room], axis=1)
        x = sweep_blocks(buffer, start, SweepBlocks(**blocks))[0].reshape(r.shape)
        return x if closure is None else x - closure[:, None] * x.sum(axis=0)

    return injected(solved)


def _moduli(r: Any, carry: Any, gain: Any) -> Any:
    """Return both sweeps of the moduli."""
    x = abs(r)
    carry_forward(x, carry)
    x = gain[:, None] * x
    carry_backward(x, carry)
    return x


def _held(r: Any, carry: Any, gain: Any) -> Any:
    """Return both sweeps of what row by row the first one holds."""
    y = r.copy()
    carry_forward(y, carry)
    x = gain[:, None] * abs(y)
    carry_backward(x, carry)
    return x


def _injected(size: Callable[..., Any] = _moduli) -> bool:
    """Sum the moduli of what an error in each operation does, and compare with ``size``."""
    for beta, (b, m) in product((Fraction(0), Fraction(1, 9)), ((2, 2), (3, 2), (2, 4))):
        n = b * m
        factors = path_factors(beta, Fraction(3), n)
        carry, gain = factors.carry, factors.gain
        own = sweep_blocks_of(carry.reshape(-1, 1, 1), gain.reshape(-1, 1, 1), b)
        signs = np.array([Fraction((-1) ** i) for i in range(n)])
        waves = 2 * signs - np.append(0, signs[:-1]) - np.append(signs[1:], 0)
        ramp = np.array([Fraction(i * i % 7 - i) for i in range(n)])
        g = np.stack([signs, waves, ramp], axis=1)

        for start in (None, np.array([[Fraction(2), Fraction(-1, 3), Fraction(0)]])):
            _, found = errors_in_blocks(own, g, start)
            loads = g.copy()
            if start is not None:
                loads[0] = abs(loads[0]) + abs(start[0])
            if (found > (3 * b + 2 * m + 5) * size(loads, carry, gain)).any():
                return False
    return True


THEOREMS = (
    Theorem(
        id="T7.injected-blocks",
        title="Rounding: sweeps in blocks, summed in any order",
        statement=(
            "Without a curvature, what one roundoff in each product and each partial sum of the "
            "sweeps in blocks does adds up to at most 3b + 2m + 5 times both sweeps of the moduli, "
            "before they are closed."
        ),
        tex=r"|\hat x-x|\le(3b+2m+5)\,u\;U\,h\,T\,|r|",
        scope="rational arithmetic, every product and partial sum, β = 0 and β > 0, with and "
        "without a start, segments of 2 and 3 rows, n in {4, 6, 8}",
        kind="exact",
        check=_injected,
        variant=partial(_injected, size=_held),
        perturbed="The same with what the sweep down holds, |Tr|, for T|r|.",
        page="theory/rounding-variants.md",
    ),
)
