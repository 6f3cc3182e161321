"""Theorem 7 for the inverse as products: an error in every product and in every partial sum."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.blocked import Products, multiply, products_of, segments
from cdg_theory.discrete.blocks import plan_of
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


def _each(own: Products, function: Callable[[Any], Any]) -> Products:
    """Return the same of every matrix."""
    matrices = {f.name: getattr(own, f.name) for f in fields(own)}
    return Products(**{name: None if a is None else function(a) for name, a in matrices.items()})


def _in_buffer(own: Products, r: Any) -> Any:
    """Return the buffer of :func:`~cdg_theory.discrete.blocked.multiply`, with the loads r."""
    m, b, room = own.rows.shape
    loads = np.zeros((m * b, r.shape[1]), dtype=r.dtype)
    loads[: len(r)] = r
    buffer = np.zeros((m, room, r.shape[1]), dtype=r.dtype)
    buffer[:, :b] = loads.reshape(m, b, -1)
    return buffer


def errors_in_blocks(own: Products, r: Any) -> Any:
    """Return Gr, and the moduli of what an error in each operation does, summed."""

    def solved(off: Off) -> Any:
        return multiply(_each(own, partial(_Matrix, off=off)), _in_buffer(own, r))

    return injected(solved)


def roundings(own: Products) -> int:
    """Return the longest way of a number: each sum has as many roundings as terms."""
    _, b, room = own.rows.shape
    return room if own.ends is None else b + len(own.ends) + room


def products_of_moduli(own: Products, r: Any) -> Any:
    """Return the products of the moduli."""
    return multiply(_each(own, abs), _in_buffer(own, abs(r)))


def _told(own: Products, r: Any) -> Any:
    """Return the same where what is told has been summed already."""
    buffer = _in_buffer(own, r)
    multiply(own, buffer)
    return abs(own.rows) @ abs(buffer)


ALPHA = Fraction(3)
FIRST = ((Fraction(0), Fraction(3), Fraction(0)), (Fraction(1, 9), Fraction(3), Fraction(0)))
SECOND = ((Fraction(1, 9), Fraction(0), Fraction(2)),)
CASES = (*product(FIRST, ((4, 4), (5, 2), (6, 3))), *product(SECOND, ((3, 3), (4, 2))))


def _injected(size: Callable[..., Any] = products_of_moduli) -> bool:
    """Sum the moduli of what an error in each operation does, and compare with ``size``."""
    for ((beta, c, d), (n, b)), periodic in product(CASES, (False, True)):
        plan = plan_of(ALPHA, beta, c, segments(n, b), periodic=periodic, d=d)
        own = products_of(plan)
        signs = np.array([Fraction((-1) ** i) for i in range(n)])
        ramp = np.array([Fraction(i * i % 7 - i) for i in range(n)])
        one_hot = np.array([Fraction(i == n // 2) for i in range(n)])
        r = np.stack([signs, ramp, one_hot], axis=1)
        _, found = errors_in_blocks(own, r)
        if (found > roundings(own) * size(own, r)).any():
            return False
    return True


THEOREMS = (
    Theorem(
        id="T7.injected-blocks",
        title="Rounding: the inverse as products, summed in any order",
        statement=(
            "What one roundoff in each product and each partial sum does adds up to at most "
            "2b + (m+1)p times the products of the moduli of A, C, B and r, for m segments of b "
            "rows that hand over p numbers each; to at most n times, for one segment."
        ),
        tex=(r"|\hat x-x|\le(2b+(m+1)p)\,u\;|B|\begin{pmatrix}|r|\\|C|\,|A|\,|r|\end{pmatrix}"),
        scope="rational arithmetic, every product and partial sum; β = 0 and β > 0, with and "
        "without a curvature, path and cycle; n in {4, 5, 6} in one segment and in segments of 2 "
        "and 3 rows",
        kind="exact",
        check=_injected,
        variant=partial(_injected, size=_told),
        perturbed="The same with the moduli of what is told, |CAr|, for |C||A||r|.",
        page="theory/rounding-variants.md",
    ),
)
