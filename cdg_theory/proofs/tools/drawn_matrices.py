"""Matrices for exact proofs: rational, symmetric positive definite, with known eigenvalues."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class SPD:
    """A symmetric positive definite rational matrix Q diag(values) Qᵀ.

    ============  =====================================================
    field         meaning
    ============  =====================================================
    ``vectors``   Q, rational and orthogonal; its columns are the modes
    ``values``    the eigenvalues, rational, > 0
    ============  =====================================================
    """

    vectors: Any
    values: tuple[Any, ...]

    def power(self, exponent: int) -> Any:
        """Return the matrix to an integer power, exactly."""
        diagonal = sp.diag(*(value**exponent for value in self.values))
        return self.vectors * diagonal * self.vectors.T

    @property
    def matrix(self) -> Any:
        """The matrix itself."""
        return self.power(1)

    @property
    def inverse(self) -> Any:
        """Its inverse."""
        return self.power(-1)


def draw_matrix(rng: random.Random, rows: int, columns: int) -> Any:
    """Return a matrix of small integers."""
    return sp.Matrix(rows, columns, lambda *_: sp.Integer(rng.randint(-5, 5)))


def draw_spd(rng: random.Random, n: int) -> SPD:
    r"""Draw one; Q is the Cayley transform :math:`(I-S)(I+S)^{-1}` of a skew-symmetric S.

    Examples
    --------
    >>> drawn = draw_spd(random.Random(0), 3)
    >>> drawn.vectors * drawn.vectors.T == sp.eye(3)
    True
    >>> drawn.matrix * drawn.inverse == sp.eye(3)
    True
    """
    below = sp.Matrix(
        n, n, lambda i, j: sp.Rational(rng.randint(-3, 3), 2) if i > j else sp.Integer(0)
    )
    skew = below - below.T
    vectors = (sp.eye(n) - skew) * (sp.eye(n) + skew).inv()
    values = tuple(sp.Rational(rng.randint(1, 12), rng.randint(1, 4)) for _ in range(n))
    return SPD(vectors, values)
