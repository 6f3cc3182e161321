r"""The inverse in closed form, entry by entry.

.. math:: M^{-1} = \tfrac1\alpha P + G, \qquad G = (\beta I + cL)^{+} \text{ on } \mathbf 1^\perp,
   \qquad c = \gamma s .

The formulas below are functions of the indices over any field, so that theorem 5 can put symbols
into them and the matrices numbers. With :math:`r + 1/r = 2 + \beta/c`, ``power(e)`` stands for
:math:`r^e`; ``lo`` and ``hi`` are the smaller and the larger of the two indices, d their distance.

- c = 0 (:func:`h0_entry`): :math:`G_{ij} = (\delta_{ij} - 1/n)/\beta`
- β = 0, path (:func:`path_entry`):
  :math:`cG_{ij} = \frac{lo(lo+1)+hi(hi+1)}{2n} - hi + \frac{(n-1)(2n-1)}{6n}`
- β = 0, cycle (:func:`cycle_entry`): :math:`cG_{ij} = \frac{n^2-1}{12n} - \frac{d(n-d)}{2n}`
- β > 0, path (:func:`path_resolvent`): :math:`G_{ij} =
  \frac{r^d(1+r^{2lo+1})(1+r^{2(n-1-hi)+1})}{c(1/r-r)(1-r^{2n})} - \frac1{n\beta}`
- β > 0, cycle (:func:`cycle_resolvent`): :math:`G_{ij} =
  \frac{r^d+r^{n-d}}{c(1/r-r)(1-r^n)} - \frac1{n\beta}`

For small β the resolvents and :math:`1/n\beta` are nearly equal, and their difference is lost to
rounding. The matrix is therefore filled from a drop: how much smaller the entry of a cycle of N
nodes is at distance u than at distance 0. This is a positive number, computed without
cancellation for every β ≥ 0 (:func:`cycle_drop`):

.. math:: b_N(u) = \frac{(1-r^u)(1-r^{N-u})}{c(1/r-r)(1-r^N)} \;\xrightarrow{\beta\to0}\;
    \frac{u(N-u)}{2Nc}, \qquad G_{ij} = \frac1n\sum_u b_n(u) - b_n(d).

The path is the even half of a cycle of 2n nodes, folded at its ends (the method of images):
:math:`G_{ij} = \frac1{n}\sum_u b_{2n}(u) - b_{2n}(d) - b_{2n}(i+j+1)`.

**With a curvature term** the inverse comes in two factors, each in closed form,

.. math:: (\beta I+cL+dL^2)^{+} = \tfrac1d\,(t_1I+L)^{+}(t_2I+L)^{+},
    \qquad t_1+t_2 = \tfrac cd,\quad t_1t_2 = \tfrac\beta d .

Real roots or complex ones: conjugate factors :math:`X\pm\mathrm iY` have the product
:math:`X^2+Y^2`. Nothing cancels where the roots meet, as it would in partial fractions. The larger
real root is a sum of positive numbers, the smaller one a quotient; near a double root both are
wrong by the square root of the rounding error, but not their product, and their sum only by its
square.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import channel_count
from cdg_theory.metric import check_metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cdg_theory.metric import Boundary, Metric


def h0_entry(delta: Any, n: Any, beta: Any) -> Any:
    r"""Return :math:`G_{ij}` for c = 0; ``delta`` is 1 on the diagonal, 0 off it."""
    return (delta - 1 / n) / beta


def path_entry(lo: Any, hi: Any, n: Any) -> Any:
    r"""Return :math:`L^+_{ij}` of the path, lo = min(i,j), hi = max(i,j)."""
    return (lo * (lo + 1) + hi * (hi + 1)) / (2 * n) - hi + (n - 1) * (2 * n - 1) / (6 * n)


def cycle_entry(d: Any, n: Any) -> Any:
    r"""Return :math:`L^+_{ij}` of the cycle, d = abs(i−j) (or n − d, which gives the same)."""
    return (n**2 - 1) / (12 * n) - d * (n - d) / (2 * n)


def path_resolvent(lo: Any, hi: Any, n: Any, c: Any, power: Callable[[Any], Any]) -> Any:
    r"""Return :math:`(\beta I + cL)^{-1}_{ij}` on the path, :math:`\beta = c(1-r)^2/r > 0`."""
    numerator = power(hi - lo) * (1 + power(2 * lo + 1)) * (1 + power(2 * (n - 1 - hi) + 1))
    return numerator / (c * (power(-1) - power(1)) * (1 - power(2 * n)))


def cycle_resolvent(d: Any, n: Any, c: Any, power: Callable[[Any], Any]) -> Any:
    r"""Return :math:`(\beta I + cL)^{-1}_{ij}` on the cycle, :math:`\beta = c(1-r)^2/r > 0`."""
    return (power(d) + power(n - d)) / (c * (power(-1) - power(1)) * (1 - power(n)))


def cycle_drop(u: Any, nodes: Any, scale: Any, below_one: Callable[[Any], Any]) -> Any:
    r"""Return :math:`b_N(u)`: what the cycle's resolvent has less at distance u than at 0.

    ``below_one(e)`` is :math:`1-r^e`, ``scale`` is :math:`c(1/r-r)`, ``nodes`` is N. At β = 0
    both tend to 0, :math:`1-r^e` like e and the scale like 2c.
    """
    return below_one(u) / scale * (below_one(nodes - u) / below_one(nodes))


def inverse_matrix(metric: Metric, n: int) -> NDArray[np.float64]:
    r"""Return :math:`M^{-1}` as a dense float64 matrix (n, n), from the closed forms.

    =========  ==========  ===============================
    symbol     argument    meaning
    =========  ==========  ===============================
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    :math:`n`  ``n``       number of output channels, >= 1
    =========  ==========  ===============================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``n`` not an integer.
    ValueError
        If ``n`` < 1.

    See Also
    --------
    cdg_theory.discrete.gram_matrix : M.
    cdg_theory.discrete.riemannian_gradient : Applies it in linear time, without a matrix.
    cdg_theory.continuum.green_function : The same in the continuum.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import inverse_matrix
    >>> inverse_matrix(Metric.reweighted_h0(2.0), 2)
    array([[0.75, 0.25],
           [0.25, 0.75]])
    >>> inverse_matrix(Metric.sobolev(1.0, boundary="periodic", spacing="unit"), 3) * 9
    array([[5., 2., 2.],
           [2., 5., 2.],
           [2., 2., 5.]])

    Notes
    -----
    Theorem 5, and theorem 18 with a curvature term, where two matrices are multiplied. No matrix is
    inverted and no system solved, so that it can stand beside both.
    """
    check_metric(metric)
    n = channel_count(n)
    mean = 1.0 / (n * metric.mean)
    beta, c = metric.fluctuation, metric.stiffness(n)
    if metric.curvature:
        d = metric.rigidity(n)
        one, other = (resolvent(root, 1.0, n, metric.boundary) for root in roots(beta, c, d))
        # Two different summation orders would leave rounding that is not symmetric.
        product = (one @ other).real
        return mean + (product + product.T) / (2 * d)
    if c == 0:
        return mean + h0_entry(np.eye(n), n, beta)
    return mean + resolvent(beta, c, n, metric.boundary)


def roots(beta: float, c: float, d: float) -> tuple[complex, complex]:
    r"""Return :math:`t_1,t_2` with :math:`\beta+cz+dz^2=d(z+t_1)(z+t_2)`: real, or conjugate.

    Examples
    --------
    >>> roots(2.0, 3.0, 1.0), roots(5.0, 2.0, 1.0)
    ((2.0, 1.0), ((1-2j), (1+2j)))
    """
    p, q = c / d, beta / d
    discriminant = p * p - 4 * q
    if discriminant < 0:
        root = complex(p, math.sqrt(-discriminant)) / 2
        return root.conjugate(), root
    larger = (p + math.sqrt(discriminant)) / 2
    return larger, q / larger if larger else 0.0


def resolvent(beta: complex, c: float, n: int, boundary: Boundary) -> NDArray[Any]:
    r"""Return G, the inverse of :math:`\beta I+cL` on vectors of mean zero; β may be complex."""
    i, j = np.indices((n, n))
    nodes = 2 * n if boundary == "natural" else n
    drop = _drops(nodes, beta, c)
    fluctuation = drop.sum() / n - drop[abs(i - j)]
    if boundary == "natural":
        fluctuation -= drop[i + j + 1]
    return fluctuation


def _drops(nodes: int, beta: complex, c: float) -> NDArray[Any]:
    """Return b_N(u) for u = 0, ..., N−1."""
    u = np.arange(nodes, dtype=np.float64)
    if beta == 0:
        return cycle_drop(u, nodes, 2 * c, lambda e: e)
    # c(1/r − r) = 2c sinh θ with 4c sinh²(θ/2) = β and r = exp(−θ).
    root = np.sqrt(beta)
    theta = 2 * np.arcsinh(root / math.sqrt(c) / 2)
    scale = 2 * root * np.sqrt(c + beta / 4)
    return cycle_drop(u, nodes, scale, lambda e: -np.expm1(-theta * e))
