r"""Theorem 7 with a curvature: how far rounding takes the sweeps over pairs.

The model is that of :mod:`~cdg_theory.rounding.bounds`. Here the sweeps are those of
:mod:`cdg_theory.discrete.curvature`, over pairs z = (x, m), with the equation of first order
:math:`(L+T)z=(0,r)`. An error made on the way is one of two kinds:

*a load* on a row of the equation (of r, of a forward step, of the factors). The closed sweeps make
of a load in row j what the closed kernel says, an element :math:`K_{ij}` of the ring;

*a local error* :math:`\ell_j` of the backward sweep, which reaches the rows :math:`i\le j` as
:math:`R_i\cdots R_{j-1}\ell_j` before the closing: an element :math:`N_{ij}`.

**The factors need no recursion of errors.** The computed :math:`A_i, B_i` are those of a slightly
different equation: each step's rounding, relative to positive terms, is a change
:math:`\tau_i = q\,\delta A_i + \delta B_i\,T` of the equation's own T in row i, hence the load
:math:`-\tau_iz_i`. All the numbers in these loads are a few u whatever n is.

Products of the ring's elements may be smaller than the products of their moduli. So the moduli of
:math:`K` and :math:`N` are taken entry by entry, in time quadratic in n; sizes, not values, are
used of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.curvature import (
    CurvatureFactors,
    carry_backward,
    carry_forward,
    eliminate_pair,
)
from cdg_theory.discrete.sweeps import factors_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cdg_theory.discrete.curvature import Element, Pair, Ring
    from cdg_theory.metric import Metric

    Array = NDArray[np.float64]

#: Unit roundoff of float64, in which the factors are computed.
V = 2.0**-53
#: So many columns of the kernels are in memory at a time.
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class PairFactorErrors:
    r"""What float64 makes of the factors, to first order.

    ======================  ============  ====================================================
    symbol                  field         meaning
    ======================  ============  ====================================================
    :math:`\mathrm{err}`    ``carry``     (n-1,) relative error of both numbers of R
    :math:`|q\,\delta A|`   ``constant``  (n,) of the change τ of T, the multiple of 1
    :math:`|\delta B|`      ``slope``     (n,) of the change τ of T, the multiple of T
    ======================  ============  ====================================================
    """

    carry: Array
    constant: Array
    slope: Array


def pair_factor_errors(beta: float, c: float, d: float, n: int) -> PairFactorErrors:
    r"""Return how far float64 takes the factors of ``n`` rows from those of its own p, q and d.

    With one v for each operation,

    .. math::

        \mathrm{err}(N) = \frac{2qA+pB+5qW}{N}v+3v,\qquad
        \mathrm{err}(R) = \frac{qA}{1+qA}v+2v+\mathrm{err}(N),

    .. math::

        \delta A' = \Bigl(\frac{4W}{A+W}v+2v+\mathrm{err}(N)\Bigr)A',\qquad
        \delta B' = \frac BN\bigl(\mathrm{err}(N)+v\bigr)+vB' .

    Examples
    --------
    >>> errors = pair_factor_errors(0.0, 0.0, 1.0, 4096)
    >>> bool(errors.carry.max() < 6 * 2.0**-53)
    True
    """
    p, q, A, B = c / d, beta / d, 0.0, 1.0
    carry, constant, slope = [], [0.0], [0.0]
    for _ in range(n - 1):
        W = q * A * A + p * A * B + B * B
        N, following, rise = eliminate_pair(p, q, A, B)
        errN = (2 * q * A + p * B + 5 * q * W) / N + 3
        carry.append(q * A / (1 + q * A) + 2 + errN)
        constant.append(q * following * (4 * W / (A + W) + 2 + errN))
        slope.append(B / N * (errN + 1) + rise)
        A, B = following, rise
    return PairFactorErrors(*(V * np.array(each) for each in (carry, constant, slope)))


def as_column(element: Any) -> Element:
    """Return the elements of the rows, to act on the rows of an array."""
    return element[0][..., None], element[1][..., None]


def apply_moduli(matrix: tuple[Any, Any, Any, Any], pair: Pair) -> Pair:
    """Return a matrix of numbers >= 0 times a pair of numbers >= 0."""
    return matrix[0] * pair[0] + matrix[1] * pair[1], matrix[2] * pair[0] + matrix[3] * pair[1]


def moduli(ring: Ring, element: Any, *, summed: bool = False) -> tuple[Any, Any, Any, Any]:
    r"""Return the moduli of an element's matrix; ``summed``: with :math:`|a|+c|b|` for the first.

    A rounding error in a or b is relative to the sum.
    """
    a, b = element
    first = abs(a) + ring.c * abs(b) if summed else abs(a + ring.c * b)
    return first, abs(b), ring.omega * abs(b), abs(a)


def _kernels(
    factors: CurvatureFactors, n: int, *, closed: bool
) -> Iterator[tuple[slice, Element, Element]]:
    """Yield columns of K and of N, as elements: what the sweeps make of units of moment."""
    ring, carry = factors.ring, factors.carry
    for start in range(0, n, BLOCK):
        columns = slice(start, min(start + BLOCK, n))
        (Kb, K), (Nb, N) = (np.zeros((2, n, columns.stop - start)) for _ in range(2))
        for units in (K, N):
            np.fill_diagonal(units[columns], 1.0)
        carry_forward(Kb, K, ring, carry)
        carry_backward(Kb, K, ring, carry)
        carry_forward(Nb[::-1], N[::-1], ring, carry[:, ::-1])
        if closed:
            yield columns, _closed((K, Kb), factors), _closed((N, Nb), factors)
        else:
            yield columns, (K, Kb), (N, Nb)


def _closed(element: Element, factors: CurvatureFactors) -> Element:
    """Return what the closing, and on the cycle the seam, makes of columns of a kernel."""
    ring = factors.ring
    total = ring.times(as_column(factors.closure), (element[0].sum(axis=0), element[1].sum(axis=0)))
    a, b = element[0] - total[0], element[1] - total[1]
    if factors.seam is None or factors.release is None:
        return a, b
    missing = ring.times(factors.release, (a[-1] - a[0], b[-1] - b[0]))
    more = ring.times(as_column(factors.seam), missing)
    return a + more[0], b + more[1]


def travelled(factors: CurvatureFactors, loads: Pair, locals_: Pair) -> Pair:
    r"""Return :math:`\sum_j|K_{ij}|\,\mathrm{load}_j+\sum_j|N_{ij}|\,\ell_j` for closed sweeps."""
    ring, n = factors.ring, len(loads[0])
    level, moment = np.zeros_like(loads[0]), np.zeros_like(loads[0])
    for columns, *kernels in _kernels(factors, n, closed=True):
        for (a, b), (first, second) in zip(kernels, (loads, locals_), strict=True):
            size = abs(b)
            level += abs(a + ring.c * b) @ first[columns] + size @ second[columns]
            moment += ring.omega * (size @ first[columns]) + abs(a) @ second[columns]
    return level, moment


def travelled_open(factors: CurvatureFactors, *errors: tuple[Pair, Pair, Array]) -> list[Array]:
    r"""Return the levels of the same for sweeps from a known end.

    Each of the ``errors`` is loads, local errors and slants, (n,): the first number of load j
    stands for a load along :math:`(1,-\mathrm{slant}_j)`.
    """
    ring, n = factors.ring, len(errors[0][2])
    levels = [np.zeros_like(loads[0]) for loads, _, _ in errors]
    for columns, (K, Kb), (N, Nb) in _kernels(factors, n, closed=False):
        for level, (loads, locals_, slant) in zip(levels, errors, strict=True):
            level += abs(K + (ring.c - slant[columns]) * Kb) @ loads[0][columns]
            level += abs(Kb) @ loads[1][columns]
            level += abs(N + ring.c * Nb) @ locals_[0][columns] + abs(Nb) @ locals_[1][columns]
    return levels


@dataclass(frozen=True, slots=True, eq=False)
class PairSteps:
    """The sweeps over pairs for one metric and n > 1, and the errors of their steps."""

    n: int
    u: float
    tiny: float
    factors: CurvatureFactors
    known: PairFactorErrors
    weights: tuple[float, float, float]

    @classmethod
    def of(cls, metric: Metric, n: int, u: float, tiny: float) -> PairSteps:
        """Return those of a metric with a curvature."""
        beta, c, d = metric.fluctuation, metric.stiffness(n), metric.rigidity(n)
        factors = factors_of(metric, n)
        assert isinstance(factors, CurvatureFactors)
        known = pair_factor_errors(beta, c, d, n)
        return cls(n, u, tiny, factors, known, (beta, c, d))

    def rounded(self, pair: Pair) -> Pair:
        r"""Return the error of :math:`R_i` times a pair of these moduli, for all rows but one.

        Beside err(R): v and 2v for c and ω, and the roundings of the products and their sum.
        """
        e, u = self.known.carry[:, None], self.u
        first, second, third, fourth = moduli(self.factors.ring, as_column(self.factors.carry))
        errors = (e + V + 5 * u) * first, (e + 3 * u) * second
        return apply_moduli((*errors, (e + 2 * V + 4 * u) * third, (e + 3 * u) * fourth), pair)

    def factor_loads(self, z: Pair) -> Pair:
        r"""Return the loads :math:`|\tau_i||z_i|` of the factors, and those of the weights.

        1/d, βδs²/d and c/d, as the factors have them, are off by 2v, v and 4v.
        """
        x, m = abs(z[0]), abs(z[1])
        constant, slope = self.known.constant[:, None], self.known.slope[:, None]
        beta, c, d = self.weights
        return (
            constant * x + (slope + 2 * V) / d * m,
            constant * m + (slope + V) * beta * x + (slope + 4 * V) * c / d * m,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClosedSweeps:
    r"""What the closed sweeps hold on their way, for r of mean zero; pairs throughout.

    ==================  ===========  =====================================================
    symbol              field        meaning
    ==================  ===========  =====================================================
    :math:`\varphi`      ``flux``     over the seam; 0 on the path
    :math:`y`           ``y``        forward
    (before closing)    ``open``     backward, from 0
    :math:`z`           ``z``        closed
    ==================  ===========  =====================================================
    """

    flux: Pair
    y: Pair
    open: Pair
    z: Pair

    @classmethod
    def of(cls, factors: CurvatureFactors, r: Array) -> ClosedSweeps:
        """Run the sweeps of :func:`cdg_theory.discrete.curvature.solve_curvature`."""
        ring, u, w = factors.ring, np.zeros_like(r), r.copy()
        flux: Pair = (np.zeros_like(r[0]), np.zeros_like(r[0]))
        if factors.seam is not None and factors.release is not None:
            a, b = factors.seam
            flux = ring.act(factors.release, (-(b @ r), -(a @ r)))
            u[0] += flux[0]
            w[0] += flux[1]
        carry_forward(u, w, ring, factors.carry)
        x, m = u.copy(), w.copy()
        carry_backward(x, m, ring, factors.carry)
        off = ring.act(as_column(factors.closure), (x.sum(axis=0), m.sum(axis=0)))
        return cls(flux, (u, w), (x, m), (x - off[0], m - off[1]))


def closed_error(steps: PairSteps, sweeps: ClosedSweeps, own: Array) -> Pair:
    r"""Return the error of the closed sweeps' z, where the rows of r have errors of their own."""
    n, u, tiny, factors, ring = steps.n, steps.u, steps.tiny, steps.factors, steps.factors.ring
    y, z, before = sweeps.y, sweeps.z, sweeps.open
    sums = before[0].sum(axis=0), before[1].sum(axis=0)

    # What is taken off: η = XH, with the sums' inverse X.
    H = homogeneous(factors)
    X = ring.inverse((H[0].sum(), H[1].sum()))
    total = abs(sums[0]), abs(sums[1])
    scaled = apply_moduli(moduli(ring, X), total)
    part = apply_moduli(moduli(ring, as_column(H), summed=True), scaled)

    # Loads: r's own, forward steps, factors. Local errors: backward steps of z and of H.
    loads = [each + tiny for each in steps.factor_loads(z)]
    locals_ = [np.zeros_like(own), np.zeros_like(own)]
    loads[1] += own
    through = steps.rounded((abs(y[0][:-1]), abs(y[1][:-1])))
    into = [abs(y[i][:-1] + before[i][1:]) for i in (0, 1)]
    back = steps.rounded((into[0] + part[0][1:], into[1] + part[1][1:]))
    added = apply_moduli(moduli(ring, as_column(factors.carry)), (into[0], into[1]))
    for i in (0, 1):
        loads[i][1:] += through[i]
        loads[i] += u * abs(y[i])
        locals_[i][:-1] = back[i] + u * added[i] + tiny
    error = travelled(factors, (loads[0], loads[1]), (locals_[0], locals_[1]))

    # The closing's own: the sums, the inverse of ΣH, the product XH, the subtraction.
    spread = apply_moduli(moduli(ring, (abs(H[0]).sum(), abs(H[1]).sum()), summed=True), scaled)
    missed = [n * u * abs(before[i]).sum(axis=0) + n * V * spread[i] for i in (0, 1)]
    weights = as_column(factors.closure)
    left = apply_moduli(moduli(ring, weights), (missed[0], missed[1]))
    rounded = apply_moduli(moduli(ring, weights, summed=True), total)
    inverted = apply_moduli(
        moduli(ring, as_column(H)), apply_moduli(moduli(ring, X, summed=True), total)
    )
    known = (6 * cancellation(ring, (H[0].sum(), H[1].sum())) + 7) * V
    direct = [
        left[i]
        + known * inverted[i]
        + 5 * V * part[i]
        + 6 * u * rounded[i]
        + 2 * u * abs(z[i])
        + tiny * (1 + scaled[i])
        for i in (0, 1)
    ]
    if factors.seam is not None and factors.release is not None:
        open_ = [direct[i][-1] + direct[i][0] + 3 * u * abs(sweeps.flux[i]) for i in (0, 1)]
        seam = apply_moduli(moduli(ring, factors.release), (open_[0], open_[1]))
        back = apply_moduli(moduli(ring, as_column(factors.seam)), seam)
        direct = [direct[i] + back[i] for i in (0, 1)]
    return error[0] + direct[0], error[1] + direct[1]


def homogeneous(factors: CurvatureFactors) -> Array:
    """Return H, of which the closing weights are a multiple."""
    ring = factors.ring
    H: list[Element] = [(1.0, 0.0)]
    for i in reversed(range(factors.carry.shape[1])):
        H.append(ring.times((factors.carry[0, i], factors.carry[1, i]), H[-1]))
    return np.array(H[::-1]).T


def cancellation(ring: Ring, element: Element) -> float:
    """Return how much larger the terms of an element's determinant are than the determinant."""
    a, b = element
    terms = abs(a) * (abs(a) + ring.c * abs(b)) + ring.omega * b * b
    return float(terms / (a * (a + ring.c * b) + ring.omega * b * b))
