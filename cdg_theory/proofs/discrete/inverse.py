r"""Theorem 5, first half: the inverse of the Gram matrix in closed form, for every n.

Row by row, :math:`MX = I` with :math:`X_{ij} = 1/\alpha n + G_{ij}` and

.. math:: (MX)_{ij} = (\alpha-\beta)\tfrac1n\sum_k X_{kj} + \beta X_{ij} + c\,(LX)_{ij}.

The formulas are those of :mod:`cdg_theory.discrete.inverse`, evaluated on symbols.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.discrete import inverse
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric
from cdg_theory.proofs.tools.algebra import Powers, is_zero, path_rows, vanish
from cdg_theory.proofs.tools.exact_matrices import exact_inverse, identity, laplacian

if TYPE_CHECKING:
    from collections.abc import Callable

i, j, k, n, u = sp.symbols("i j k n u", integer=True, nonnegative=True)
alpha, beta, c = sp.symbols("alpha beta c", positive=True)
PAGE = "theory/discretization.md"
U = 2.0**-53  # float64's unit roundoff


def _is_inverse(rows: list[tuple[Any, int]], column_sum: Any, weight: Any) -> bool:
    """Check the rows of MX = I, given those of (βI + cL)X and the sum of a column of X."""
    mean = (alpha - weight) / n * column_sum
    return vanish(mean + row - unit for row, unit in rows)


def _h0(weight: Any = beta) -> bool:
    on, off = (1 / (alpha * n) + inverse.h0_entry(delta, n, weight) for delta in (1, 0))
    return _is_inverse([(beta * on, 1), (beta * off, 0)], on + (n - 1) * off, beta)


def _path(
    pseudoinverse: Callable[[Any, Any], Any] = lambda lo, hi: inverse.path_entry(lo, hi, n),
) -> bool:
    def entry(lo: Any, hi: Any) -> Any:
        return 1 / (alpha * n) + pseudoinverse(lo, hi) / c

    rows = path_rows(entry, i, j, n, 0, c)
    left = sp.summation(sp.expand(entry(k, j)), (k, 0, j - 1))
    right = sp.summation(sp.expand(entry(j, k)), (k, j, n - 1))
    # n = 1 has no neighbour: M = α, and the formula must give 1/α.
    single = alpha * entry(0, 0).subs(n, 1) - 1
    return _is_inverse(rows, left + right, 0) and is_zero(single)


def _cycle_rows(entry: Callable[[Any], Any], weight: Any) -> list[tuple[Any, int]]:
    """Return the rows of (βI + cL)X for a circulant X with entry(u) = entry(n − u).

    Row i has the neighbours i − 1 and i + 1 modulo n. They are at distances u − 1 and u + 1 from
    column j, or, which gives the same entries, at n minus these. For n = 2 and n = 1 nothing
    changes: L = 2I − S − Sᵀ.
    """
    return [
        ((weight + 2 * c) * entry(0) - 2 * c * entry(1), 1),
        ((weight + 2 * c) * entry(u) - c * entry(u - 1) - c * entry(u + 1), 0),
    ]


def _cycle(nodes: Any = n) -> bool:
    def entry(d: Any) -> Any:
        return 1 / (alpha * n) + inverse.cycle_entry(d, nodes) / c

    total = sp.summation(sp.expand(entry(u)), (u, 0, n - 1))
    symmetric = is_zero(entry(n - u) - entry(u))
    return symmetric and _is_inverse(_cycle_rows(entry, 0), total, 0)


def _path_resolvent(end: int = 1) -> bool:
    power = Powers("r", i, j, k, n)
    r = power.base
    weight = c * (1 - r) ** 2 / r

    def entry(lo: Any, hi: Any) -> Any:
        resolvent = inverse.path_resolvent(lo, hi, n, c, power)
        return 1 / (alpha * n) + resolvent - 1 / (n * weight)

    rows = path_rows(entry, i, j, n, weight, c, end=end)
    left = power.total(entry(k, j), k, 0, j - 1)
    right = power.total(entry(j, k), k, j, n - 1)
    single = alpha * entry(0, 0).subs({n: 1, power.of[n]: r}) - 1
    return _is_inverse(rows, left + right, weight) and is_zero(single)


def _cycle_resolvent(nodes: Any = n) -> bool:
    power = Powers("r", u, n)
    r = power.base
    weight = c * (1 - r) ** 2 / r

    def entry(d: Any) -> Any:
        resolvent = inverse.cycle_resolvent(d, nodes, c, power)
        return 1 / (alpha * n) + resolvent - 1 / (n * weight)

    total = power.total(entry(u), u, 0, n - 1)
    symmetric = is_zero(entry(n - u) - entry(u))
    return symmetric and _is_inverse(_cycle_rows(entry, weight), total, weight)


def _images(mirrored: Any = i + j + 1) -> bool:
    power = Powers("r", i, j, u, n)
    scale = c * (power(-1) - power(1))

    def drop(distance: Any, nodes: Any) -> Any:
        return inverse.cycle_drop(distance, nodes, scale, lambda e: 1 - power(e))

    def resolvent(d: Any, nodes: Any) -> Any:
        return inverse.cycle_resolvent(d, nodes, c, power)

    path = inverse.path_resolvent(i, j, n, c, power)
    image = resolvent(j - i, 2 * n) + resolvent(mirrored, 2 * n)
    at_rest = inverse.cycle_drop(u, n, 2 * c, lambda e: e)
    return vanish(
        [
            path - image,
            # What the cycle has less at distance u: the matrix is filled from these.
            resolvent(0, n) - resolvent(u, n) - drop(u, n),
            # The same at β = 0, for the cycle and, folded, for the path.
            (inverse.cycle_entry(0, n) - inverse.cycle_entry(u, n)) / c - at_rest,
            inverse.path_entry(i, j, n)
            - inverse.cycle_entry(j - i, 2 * n)
            - inverse.cycle_entry(mirrored, 2 * n),
        ]
    )


class Gaussian:
    """Complex numbers with rational parts."""

    def __init__(self, real: Any, imag: Any = 0) -> None:
        self.parts = Fraction(real), Fraction(imag)

    def __eq__(self, other: object) -> bool:
        return self.parts == _gaussian(other).parts

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Any) -> Gaussian:
        (a, b), (c, d) = self.parts, _gaussian(other).parts
        return Gaussian(a + c, b + d)

    def __mul__(self, other: Any) -> Gaussian:
        (a, b), (c, d) = self.parts, _gaussian(other).parts
        return Gaussian(a * c - b * d, a * d + b * c)

    def __truediv__(self, other: Any) -> Gaussian:
        c, d = _gaussian(other).parts
        return self * Gaussian(c / (c * c + d * d), -d / (c * c + d * d))

    def __pow__(self, e: int) -> Gaussian:
        power = Gaussian(1)
        for _ in range(abs(e)):
            power = power * self
        return power if e >= 0 else 1 / power

    def __neg__(self) -> Gaussian:
        return self * -1

    def __sub__(self, other: Any) -> Gaussian:
        return self + -_gaussian(other)

    def __rsub__(self, other: Any) -> Gaussian:
        return _gaussian(other) - self

    def __rtruediv__(self, other: Any) -> Gaussian:
        return _gaussian(other) / self

    __radd__, __rmul__ = __add__, __mul__


def _gaussian(value: Any) -> Gaussian:
    return value if isinstance(value, Gaussian) else Gaussian(value)


# r of the two factors, t = (1 − r)²/r: real roots, one 0, both 0, a double one, conjugate ones.
FACTORS: tuple[tuple[Any, Any], ...] = (
    (Fraction(1, 2), Fraction(1, 3)),
    (Fraction(1, 2), Fraction(1)),
    (Fraction(1), Fraction(1)),
    (Fraction(2, 3), Fraction(2, 3)),
    (Gaussian(Fraction(3, 4), Fraction(1, 8)), Gaussian(Fraction(3, 4), -Fraction(1, 8))),
    (Gaussian(Fraction(1, 2), Fraction(1, 10)), Gaussian(Fraction(1, 2), -Fraction(1, 10))),
)


def _factors(times: int = 1) -> bool:
    r"""Multiply the two closed forms, in rational or Gaussian numbers, and compare the code.

    :math:`(\beta I+cL+dL^2)\,G_1G_2/d=I-P` for :math:`c=d(t_1+t_2)`, :math:`\beta=dt_1t_2`. The
    code's matrix is compared with the exact one; t, and each factor, is off by some 2n + 64
    roundings of its largest entry, and so is the product of the largest row sums.
    """
    d = Fraction(3, 4)
    for n in (2, 3, 5):
        for one, other in FACTORS:
            roots = [(1 - r) ** 2 / r for r in (one, other)]
            c = _gaussian(d * (roots[0] + roots[1])).parts[0]
            beta = _gaussian(d * roots[0] * roots[1]).parts[0]
            for boundary in ("natural", "periodic"):
                periodic = boundary == "periodic"
                factors = [exact_inverse(n, 1, r, periodic=periodic) for r in (one, other)]
                G = factors[0] @ factors[1] / d
                once = laplacian(G, periodic=periodic)
                left = beta * G + times * c * once + d * laplacian(once, periodic=periodic)
                if not (left == identity(n) - Fraction(1, n)).all():
                    return False
                if not _code_agrees(n, boundary, (beta, c, d), G):
                    return False
    return True


def _code_agrees(n: int, boundary: Boundary, weights: tuple[Any, ...], G: Any) -> bool:
    metric = Metric(1.0, *map(float, weights), boundary=boundary, spacing="unit")
    parts = [[float(x.parts[0] if isinstance(x, Gaussian) else x) for x in row] for row in G]
    exact = np.array(parts) + 1 / n
    roots = inverse.roots(*map(float, weights))
    moduli = [abs(inverse.resolvent(t, 1.0, n, boundary)) for t in roots]
    size = moduli[0].sum(0).max() * moduli[1].sum(0).max() / float(weights[-1]) + 1 / n
    return bool(np.abs(inverse.inverse_matrix(metric, n) - exact).max() <= (4 * n + 128) * U * size)


THEOREMS = (
    Theorem(
        id="T5.inverse-h0",
        title="Inverse of the re-weighted H⁰ Gram matrix",
        statement="For every n the inverse of αP + β(I−P) is P/α + (I−P)/β.",
        tex=r"\Big(\tfrac{1}{\alpha}P+\tfrac1\beta(I-P)\Big)\big(\alpha P+\beta(I-P)\big)=I",
        scope="all n ≥ 1, all α, β > 0, γ = 0",
        kind="symbolic",
        check=_h0,
        variant=partial(_h0, weight=2 * beta),
        perturbed="The same with 2β for β in the inverse.",
        page=PAGE,
        formal=("T5_inverse_h0",),
    ),
    Theorem(
        id="T5.inverse-path",
        title="Inverse of the channel-directed Sobolev Gram matrix, natural ends",
        statement=(
            "For every n the inverse of αP + cL on the path is P/α + L⁺/c with a polynomial "
            "pseudoinverse: every row of the product is the identity's, at the ends too."
        ),
        tex=(
            r"L^+_{ij}=\frac{i(i+1)+j(j+1)}{2n}-\max(i,j)+\frac{(n-1)(2n-1)}{6n},\qquad "
            r"(\alpha P+cL)\big(\tfrac1\alpha P+\tfrac1cL^+\big)=I"
        ),
        scope="all n ≥ 1, all α, c > 0, β = 0, natural",
        kind="symbolic",
        check=_path,
        variant=partial(_path, pseudoinverse=lambda lo, hi: inverse.path_entry(hi, lo, n)),
        perturbed="The same with min(i,j) for max(i,j).",
        page=PAGE,
        formal=("T5_inverse_path",),
    ),
    Theorem(
        id="T5.inverse-cycle",
        title="Inverse of the channel-directed Sobolev Gram matrix, periodic",
        statement="For every n the inverse of αP + cL on the cycle is P/α + L⁺/c.",
        tex=r"L^+_{ij}=\frac{n^2-1}{12n}-\frac{d(n-d)}{2n},\qquad d=|i-j|",
        scope="all n ≥ 1 (n = 1 and n = 2 included), all α, c > 0, β = 0, periodic",
        kind="symbolic",
        check=_cycle,
        variant=partial(_cycle, nodes=2 * n),
        perturbed="The same for a cycle of 2n nodes.",
        page=PAGE,
        formal=("T5_inverse_cycle",),
    ),
    Theorem(
        id="T5.resolvent-path",
        title="Inverse of the general Gram matrix, natural ends",
        statement=(
            "For every n the inverse of αP + β(I−P) + cL on the path is P/α + R − P/β, with R the "
            "resolvent in powers of r, r + 1/r = 2 + β/c."
        ),
        tex=(
            r"R_{ij}=(\beta I+cL)^{-1}_{ij}=\frac{r^{d}\,(1+r^{2\min(i,j)+1})"
            r"(1+r^{2(n-1-\max(i,j))+1})}{c\,(1/r-r)(1-r^{2n})}"
        ),
        scope="all n ≥ 1, all α, β, c > 0, natural; powers of r as independent symbols",
        kind="symbolic",
        check=_path_resolvent,
        variant=partial(_path_resolvent, end=2),
        perturbed="The same for a path that is held at its ends (Dirichlet).",
        page=PAGE,
        formal=("T5_resolvent_path",),
    ),
    Theorem(
        id="T5.resolvent-cycle",
        title="Inverse of the general Gram matrix, periodic",
        statement="For every n the inverse of αP + β(I−P) + cL on the cycle is P/α + R − P/β.",
        tex=r"R_{ij}=(\beta I+cL)^{-1}_{ij}=\frac{r^{d}+r^{n-d}}{c\,(1/r-r)(1-r^{n})}",
        scope="all n ≥ 1 (n = 1 and n = 2 included), all α, β, c > 0, periodic",
        kind="symbolic",
        check=_cycle_resolvent,
        variant=partial(_cycle_resolvent, nodes=n - 1),
        perturbed="The same for a cycle of n − 1 nodes.",
        page=PAGE,
        formal=("T5_resolvent_cycle",),
    ),
    Theorem(
        id="T5.images",
        title="The path is half of a cycle of 2n nodes",
        statement=(
            "The path's inverse is that of a cycle of 2n nodes, folded at the ends; the cycle's is "
            "filled, for every β ≥ 0, from positive numbers without cancellation."
        ),
        tex=(
            r"R^{\text{path}}_{ij}=R^{2n}(i-j)+R^{2n}(i+j+1),\qquad "
            r"R^N(0)-R^N(u)=\frac{(1-r^u)(1-r^{N-u})}{c\,(1/r-r)(1-r^N)}"
        ),
        scope="all n ≥ 1, all c > 0, β ≥ 0",
        kind="symbolic",
        check=_images,
        variant=partial(_images, mirrored=i + j),
        perturbed="The same, folded half a channel off (i + j for i + j + 1).",
        page=PAGE,
        formal=("T5_images", "T5_images_drop", "T5_images_at_rest"),
    ),
    Theorem(
        id="T18.inverse",
        title="The inverse with a curvature term, in two factors",
        statement=(
            "The inverse of βI + cL + dL² on vectors of mean zero is the product of two "
            "first-order inverses over d, whose roots sum to c/d and multiply to β/d: real roots, "
            "a double one, conjugate ones, and 0."
        ),
        tex=(
            r"(\beta I+cL+dL^2)^+=\tfrac1d\,(t_1I+L)^+(t_2I+L)^+,\qquad t_1+t_2=\tfrac cd,\ "
            r"t_1t_2=\tfrac\beta d"
        ),
        scope="rational and Gaussian roots, n = 2, 3, 5, both boundaries; the code's matrix up to "
        "rounding. Each factor is theorem 5's, for all n",
        kind="exact",
        check=_factors,
        variant=partial(_factors, times=2),
        perturbed="The same for 2c in the place of c.",
        page="theory/second-order.md",
    ),
)
