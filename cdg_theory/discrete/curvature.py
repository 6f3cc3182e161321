r"""k = M⁻¹g with a curvature term: the first-order sweeps, over pairs of a level and a moment.

The solution of mean zero of :math:`(\beta I + cL + dL^2)\,x = r`, with :math:`c=\gamma s` and
:math:`d=\delta s^2 > 0`, is a beam's: with the *bending moment* :math:`m = d\,Lx` it is

.. math::

    (L + T)\begin{pmatrix}x\\m\end{pmatrix} = \begin{pmatrix}0\\r\end{pmatrix}, \qquad
    T = \begin{pmatrix}0 & -1/d\\ \beta & c/d\end{pmatrix}, \qquad T^2 = pT - q, \quad
    p = \frac cd,\ q = \frac\beta d ,

an equation of first order in which the number β/c has become the matrix T. All that is done with T
stays in the commutative ring :math:`\mathbb R[T]`, so the elimination of
:mod:`~cdg_theory.discrete.sweeps` runs as it is: with pivots :math:`1+E_i`,

.. math::

    E_0 = T, \qquad R_i = \frac1{1+E_i}, \qquad E_{i+1} = T + R_iE_i .

**No root is asked for.** The polynomial :math:`dz^2+cz+\beta` of L has real roots, complex ones or
a double one; the ring does not care, nor whether β or γ is 0. Write :math:`E = qA + BT`. Then

.. math::

    A' = \frac{A+W}{N}, \quad B' = 1+\frac BN, \qquad
    W = qA^2+pAB+B^2,\quad N = 1+2qA+pB+qW,

from :math:`A_0=0,\ B_0=1`: positive terms only, so every pivot has full relative accuracy, for all
weights. (N is the determinant of 1+E.) The ring's elements are matrices

.. math:: \begin{pmatrix} a+cb & b\\ -\beta d\,b & a\end{pmatrix},

two numbers each; :math:`R` has :math:`a=(1+qA)/N` and :math:`b=B/(dN)`.

**Closing.** As for first order, the last equation gives way to the mean constraint: all equations
sum to :math:`T\sum_i(x_i,m_i)=0`. The backward sweep starts from 0, and the multiple of the
homogeneous solution :math:`H_i=R_iR_{i+1}\cdots R_{n-2}` that makes both sums vanish comes off.

**The cycle** is the path and one more edge, from the last row to the first. What flows over this
seam, :math:`\varphi=(x,m)_{n-1}-(x,m)_0`, is a load :math:`\varphi` on the first row and
:math:`-\varphi` on the last. With the path's response :math:`h` to the unit load,

.. math:: \varphi = -\,(1+2h_0)^{-1}\sum_j h_j\,(0,r_j)^T .

The sweeps start with this φ. Its rounding error comes off at the end, when the seam's equation
is asked for once more: h times :math:`(1+2h_0)^{-1}` of what is missing there.

Theorem 18 proves it for every n. Everything between the factors and the result runs over any
field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# A pair: levels and moments. An element of the ring: the numbers a and b of its matrix.
Pair = tuple[Any, Any]
Element = tuple[Any, Any]
# How the two sweeps go over the rows of an array.
PairRows = tuple["Callable[..., None]", "Callable[..., None]"]


@dataclass(frozen=True, slots=True)
class Ring:
    r"""The matrices :math:`[[a+cb,\ b],\ [-\omega b,\ a]]`, which commute: c and ω = βd."""

    c: Any
    omega: Any

    def times(self, y: Element, z: Element) -> Element:
        """Return the product of two elements."""
        (a, b), (a_, b_) = y, z
        return a * a_ - self.omega * b * b_, (a + self.c * b) * b_ + b * a_

    def act(self, y: Element, pair: Pair) -> Pair:
        """Return an element times a pair."""
        (a, b), (x, m) = y, pair
        return (a + self.c * b) * x + b * m, a * m - self.omega * b * x

    def inverse(self, y: Element) -> Element:
        """Return 1/y: the adjugate over the determinant."""
        a, b = y
        determinant = a * (a + self.c * b) + self.omega * b * b
        return (a + self.c * b) / determinant, -b / determinant


@dataclass(frozen=True, slots=True, eq=False)
class CurvatureFactors:
    r"""The numbers that the sweeps over pairs need: of the metric and of n, never of g.

    =====================  ==============  =================================================
    symbol                 field           shape and meaning
    =====================  ==============  =================================================
    :math:`c,\ \omega`     ``ring``        γs and βδs², which tell the elements' matrices
    :math:`R`              ``carry``       (2, n-1) what a sweep carries from row to row
    :math:`H/\sum H`       ``closure``     (2, n) homogeneous solution of the backward sweep
    :math:`h`              ``seam``        (2, n) response to a unit flux over the seam
                                           (cycle only)
    :math:`(1+2h_0)^{-1}`  ``release``     two numbers (cycle only)
    =====================  ==============  =================================================
    """

    ring: Ring
    carry: NDArray[Any]
    closure: NDArray[Any]
    seam: NDArray[Any] | None
    release: Element | None


def eliminate_pair(p: Any, q: Any, A: Any, B: Any) -> tuple[Any, Any, Any]:
    r"""Return :math:`N_i`, :math:`A_{i+1}` and :math:`B_{i+1}`, over any field."""
    W = q * A * A + p * A * B + B * B
    N = 1 + 2 * q * A + p * B + q * W
    return N, (A + W) / N, 1 + B / N


def pair_carries(beta: Any, c: Any, d: Any, n: int) -> list[Element]:
    r"""Return :math:`R_i`, i < n−1, over any field.

    Examples
    --------
    >>> pair_carries(0.0, 0.0, 1.0, 3)
    [(1.0, 1.0), (1.0, 2.0)]
    """
    p, q = c / d, beta / d
    A, B = 0 * d, d / d
    carries: list[Element] = []
    for _ in range(n - 1):
        a, b = 1 + q * A, B / d
        N, A, B = eliminate_pair(p, q, A, B)
        carries.append((a / N, b / N))
    return carries


def homogeneous_pairs(carry: list[Element], ring: Ring, d: Any, n: int) -> NDArray[Any]:
    r"""Return the homogeneous solution of the backward sweep, :math:`H_i=R_iH_{i+1}`, (2, n)."""
    upwards = carry[::-1]
    homogeneous = [(d / d, 0 * d)]
    for i in range(n - 1):
        homogeneous.append(ring.times(upwards[i], homogeneous[i]))
    return np.array(homogeneous[::-1]).reshape(-1, 2).T


def path_pair_factors(beta: Any, c: Any, d: Any, n: int) -> CurvatureFactors:
    r"""Return the factors for the path, d > 0, over any field."""
    ring = Ring(c, beta * d)
    carry = pair_carries(beta, c, d, n)
    H = homogeneous_pairs(carry, ring, d, n)
    closure = np.array(ring.times(ring.inverse((H[0].sum(), H[1].sum())), (H[0], H[1])))
    return CurvatureFactors(ring, np.array(carry).reshape(-1, 2).T, closure, None, None)


def cycle_pair_factors(beta: Any, c: Any, d: Any, n: int) -> CurvatureFactors:
    r"""Return the factors for the cycle, d > 0, over any field."""
    path = path_pair_factors(beta, c, d, n)
    dipole = np.full(n, 0 * d)
    dipole[0] += d / d
    dipole[-1] -= d / d
    b, a = solve_path((0 * dipole, dipole), path)
    release = path.ring.inverse((1 + 2 * a[0], 2 * b[0]))
    return CurvatureFactors(path.ring, path.carry, path.closure, np.array([a, b]), release)


def curvature_factors(beta: Any, c: Any, d: Any, n: int, *, periodic: bool) -> CurvatureFactors:
    r"""Return the factors for :math:`\beta I+cL+dL^2`, d > 0, of n rows, over any field."""
    return cycle_pair_factors(beta, c, d, n) if periodic else path_pair_factors(beta, c, d, n)


def carry_forward(u: Any, w: Any, ring: Ring, carry: NDArray[Any]) -> None:
    r"""Run :math:`(u,w)_{i+1} \mathrel{+}= R_i\,(u,w)_i` down the rows, in place."""
    for i in range(carry.shape[1]):
        level, moment = ring.act((carry[0, i], carry[1, i]), (u[i], w[i]))
        u[i + 1] += level
        w[i + 1] += moment


def carry_backward(u: Any, w: Any, ring: Ring, carry: NDArray[Any]) -> None:
    r"""Run :math:`(x,m)_i = R_i\,((x,m)_{i+1} + (u,w)_i)` up the rows, from 0, in place."""
    u[-1] *= 0
    w[-1] *= 0
    for i in reversed(range(carry.shape[1])):
        pair = u[i + 1] + u[i], w[i + 1] + w[i]
        u[i], w[i] = ring.act((carry[0, i], carry[1, i]), pair)


def _column(element: Any, like: Any) -> Element:
    shape = (-1, *(1,) * (like.ndim - 1))
    return element[0].reshape(shape), element[1].reshape(shape)


def _plus(pair: Pair, other: Pair) -> Pair:
    return pair[0] + other[0], pair[1] + other[1]


def _minus(pair: Pair, other: Pair) -> Pair:
    return pair[0] - other[0], pair[1] - other[1]


def solve_path(loads: Pair, factors: CurvatureFactors, rows: PairRows | None = None) -> Pair:
    """Return levels and moments of sum zero on the path; the loads are overwritten."""
    forward, backward = rows or (carry_forward, carry_backward)
    u, w = loads
    forward(u, w, factors.ring, factors.carry)
    backward(u, w, factors.ring, factors.carry)
    sums = u.sum(axis=0), w.sum(axis=0)
    return _minus((u, w), factors.ring.act(_column(factors.closure, u), sums))


def seam_flux(r: Any, factors: CurvatureFactors) -> Pair:
    r"""Return what flows over the seam, :math:`\varphi`, for r of mean zero on the cycle."""
    assert factors.seam is not None
    assert factors.release is not None
    a, b = _column(factors.seam, r)
    return factors.ring.act(factors.release, (-(b * r).sum(axis=0), -(a * r).sum(axis=0)))


def close_seam(pair: Pair, flux: Pair, factors: CurvatureFactors) -> Pair:
    """Return the path's solution for a flux, corrected so that this flux is what flows."""
    assert factors.seam is not None
    assert factors.release is not None
    levels, moments = pair
    flows = levels[-1] - levels[0], moments[-1] - moments[0]
    missing = factors.ring.act(factors.release, _minus(flows, flux))
    return _plus(pair, factors.ring.act(_column(factors.seam, levels), missing))


def solve_curvature(r: Any, factors: CurvatureFactors, rows: PairRows | None = None) -> Any:
    """Return the mean-zero x with (βI + cL + dL²)x = r, for r of mean zero; r is overwritten."""
    u, w = 0 * r, r
    if factors.seam is None:
        return solve_path((u, w), factors, rows)[0]
    flux = seam_flux(r, factors)
    u[0] += flux[0]
    w[0] += flux[1]
    return close_seam(solve_path((u, w), factors, rows), flux, factors)[0]
