r"""The library's matrices on n channels without rounding: over the rationals, or over any field."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete import inverse
from cdg_theory.discrete.operators import graph_laplacian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Boundary


def identity(n: int) -> NDArray[Any]:
    """Return I in rational numbers."""
    return np.array([[Fraction(i == j) for j in range(n)] for i in range(n)], dtype=object)


def inverse_of(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the inverse of a positive definite matrix of rationals.

    Examples
    --------
    >>> bool((inverse_of(4 * identity(2)) == identity(2) / 4).all())
    True
    """
    n = len(matrix)
    rows = np.concatenate([matrix, identity(n)], axis=1)
    for i in range(n):
        rows[i] = rows[i] / rows[i, i]
        for j in range(n):
            if j != i:
                rows[j] = rows[j] - rows[j, i] * rows[i]
    return rows[:, n:]


def laplacian(k: NDArray[Any], *, periodic: bool) -> NDArray[Any]:
    """Return Lk over any field, with the L of :mod:`cdg_theory.discrete.operators`.

    Examples
    --------
    >>> laplacian(np.array([1, 2, 4], dtype=object), periodic=False)
    array([-1, -1, 2], dtype=object)
    """
    boundary: Boundary = "periodic" if periodic else "natural"
    # As Python integers: NumPy's would overflow.
    L = graph_laplacian(boundary, len(k)).toarray().astype(int).astype(object)
    Lk: NDArray[Any] = L @ k
    return Lk


def gram_product(
    k: NDArray[Any], alpha: Any, beta: Any, c: Any, d: Any, *, periodic: bool
) -> NDArray[Any]:
    r"""Return :math:`Mk=\alpha\bar k+\beta(k-\bar k)+cLk+dL(Lk)`, over any field.

    Examples
    --------
    >>> gram_product(np.array([Fraction(3), Fraction(1)]), 1, 0, 0, 1, periodic=False)
    array([Fraction(6, 1), Fraction(-2, 1)], dtype=object)
    """
    mean, bent = k.sum(axis=0) / len(k), laplacian(k, periodic=periodic)
    smooth = c * bent + d * laplacian(bent, periodic=periodic)
    product: NDArray[Any] = alpha * mean + beta * (k - mean) + smooth
    return product


def exact_gram(
    alpha: Any, beta: Any, c: Any, n: int, *, d: Any = 0, periodic: bool
) -> NDArray[Any]:
    r"""Return :math:`M = \alpha P + \beta(I-P) + cL + dL^2` in rational numbers."""
    return gram_product(identity(n), alpha, beta, c, d, periodic=periodic)


def exact_inverse(n: int, c: Any, r: Any, *, periodic: bool) -> NDArray[Any]:
    r"""Return G, the inverse of :math:`\beta I+cL` on mean-zero vectors, over the field of c and r.

    The closed forms of :mod:`cdg_theory.discrete.inverse`, with :math:`\beta = c(1-r)^2/r`.
    """
    size, weight = Fraction(n), c * (1 - r) ** 2 / r

    def entry(lo: int, hi: int) -> Any:
        if r == 1 and periodic:
            return inverse.cycle_entry(Fraction(hi - lo), size) / c
        if r == 1:
            return inverse.path_entry(Fraction(lo), Fraction(hi), size) / c
        if periodic:
            resolvent = inverse.cycle_resolvent(hi - lo, n, c, lambda e: r**e)
        else:
            resolvent = inverse.path_resolvent(lo, hi, n, c, lambda e: r**e)
        return resolvent - 1 / (size * weight)

    rows = [[entry(min(i, j), max(i, j)) for j in range(n)] for i in range(n)]
    return np.array(rows, dtype=object)
