r"""The numbers that a kernel needs for one metric and one n: they never depend on the gradient.

The kernels differ from the reference in *when* the free constants of the two sweeps are fixed.
The reference sweeps with a wrong constant, then takes a correction off every row, which costs two
more passes. But the map is linear and symmetric, so each constant is a linear functional of the
column, and its weights are a row of the inverse. The pass that finds the mean finds them too.
With r = g − ḡ and x the solution of mean zero of (βI + cL)x = r:

* the last value :math:`x_{n-1} = \sum_j w_j r_j`, where w solves the same equation for the column
  that is one at row n−1: :math:`x_{n-1} = \langle e_{n-1}, Gr\rangle = \langle Ge_{n-1}, r\rangle`.
  The reference computes w (theorem 5);
* on the cycle, what the forward sweep starts from. The reference takes
  :math:`h_i\sum_l y_l/\sum_l h_l` off the sweep :math:`y`, with :math:`h_i=q^i`. Since
  :math:`\sum_l y_l = \sum_j r_j\sum_{l\le n-1-j} q^l`, this is a start of
  :math:`\sum_j a_j r_j` with :math:`a_j = -\sum_{l\le n-1-j} h_l/\sum_l h_l`.

With a curvature the sweeps go over pairs (:mod:`cdg_theory.discrete.curvature`), and each constant
is a pair: the last row's, and on the cycle the flux φ over the seam that the forward sweep starts
from. Here too the weights are a row of the inverse, which is symmetric over the ring. The CPU
kernel for narrow types sweeps in differences (:mod:`cdg_theory.discrete.cholesky`), and asks of the
last row for its level alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.cholesky import cholesky_factors
from cdg_theory.discrete.curvature import CurvatureFactors, solve_path
from cdg_theory.discrete.sweeps import (
    carry_backward,
    carry_forward,
    factors_of,
    solve_fluctuation,
    split_mean,
    sweep_factors,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cdg_theory import Metric
    from cdg_theory.discrete.curvature import Ring

# Which kernel a member of the family takes.
SCALE, PULL, SUMS, SWEEPS, DOUBLE_PULL, DOUBLE_SWEEPS, PAIRS, DOUBLE_PAIRS = range(8)
# Before the arrays of n numbers: α, β (PULL) or c, whether the columns close to a cycle, and d.
FIXED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    r"""The numbers as one array: ``FIXED`` of them, then arrays of n numbers each.

    ==========  =============================================================================
    kind        arrays
    ==========  =============================================================================
    ``SCALE``   none: k = g/α
    ``PULL``    none: k = ḡ/α + (g−ḡ)/β
    ``SUMS``    ``end`` w, ``start`` a
    ``SWEEPS``  ``end`` w, ``start`` a, ``before`` and ``after`` (the factor p that multiplies
                what comes from the row before in the forward sweep, and from the row after in
                the backward sweep), ``gain``, ``response`` and ``homogeneous`` (what the forward
                sweep has made, *before* row i, of the column of ones and of a unit start)
    ``PAIRS``   the four of R, row by row of its matrix (the last of each is not used), two for
                each pair, of level and of moment, ``end`` and ``start``, and the two of the
                Cholesky factorization, ``carry`` p and ``pull`` s (the last of each is 0): the
                GPU reads R for columns that it scans, else p and s, as the CPU
    ==========  =============================================================================

    ``DOUBLE_PULL``, ``DOUBLE_SWEEPS`` and ``DOUBLE_PAIRS`` serve float64 gradients. The arrays are
    the reference's own: ``before``, ``after``, ``gain``, ``closure``, ``flux`` (0 on the path);
    for pairs the four of R, then the four of ``closure`` and of ``seam`` and those of ``release``
    (n of each number), 0 on the path.
    """

    kind: int
    values: NDArray[np.float64]


def kind_of(metric: Metric, n: int, *, double: bool = False) -> int:
    """Return the kernel that serves ``metric`` for ``n`` output channels."""
    if metric.is_multiple_of_l2 or n == 1:
        return SCALE
    if metric.derivative_order == 0:
        return DOUBLE_PULL if double else PULL
    if metric.derivative_order == 2:
        return DOUBLE_PAIRS if double else PAIRS
    if double:
        return DOUBLE_SWEEPS
    return SUMS if metric.fluctuation == 0 else SWEEPS


def _on_numbers(sweep: Callable[..., None]) -> Callable[..., None]:
    """Return a sweep over one column by Python's own numbers, in a fifth of NumPy's time."""

    def run(column: NDArray[np.float64], carry: NDArray[np.float64]) -> None:
        values = column.tolist()
        sweep(values, carry.tolist())
        column[:] = values

    return run


_SWEEPS = _on_numbers(carry_forward), _on_numbers(carry_backward)


def _after_ones(response: float, carry: float) -> float:
    return 1.0 + carry * response


@lru_cache(maxsize=64)
def _last_row(n: int) -> NDArray[np.float64]:
    """Return the part of mean zero of the column that is one at row n − 1.

    Beside large weights, the rounding error of the column's mean, 1e-17, would be more than w.
    """
    one_hot = np.zeros(n)
    one_hot[-1] = 1.0
    fluctuation: NDArray[np.float64] = split_mean(one_hot)[1]
    fluctuation.setflags(write=False)
    return fluctuation


# A network has a handful of channel counts; a schedule brings new metrics at every step.
@lru_cache(maxsize=256)
def coefficients(metric: Metric, n: int, *, double: bool = False) -> Coefficients:
    """Return the coefficients of the kernel that serves ``metric`` for ``n`` output channels.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> coefficients(Metric.reweighted_h0(4.0), 8).values
    array([1., 4., 0., 0.])
    """
    kind = kind_of(metric, n, double=double)
    if kind == SCALE:
        return Coefficients(kind, np.array([metric.mean, 0.0, 0.0, 0.0]))
    if kind in {PULL, DOUBLE_PULL}:
        return Coefficients(kind, np.array([metric.mean, metric.fluctuation, 0.0, 0.0]))
    if kind in {PAIRS, DOUBLE_PAIRS}:
        return Coefficients(kind, _pair_values(metric, n, double=double))

    factors = sweep_factors(metric, n)
    carry, gain, flux = factors.carry, factors.gain, factors.flux
    fixed = (metric.mean, metric.stiffness(n), flux is not None, 0.0)
    if double:
        own = (gain, factors.closure, np.zeros(n) if flux is None else flux)
        return Coefficients(kind, np.concatenate([fixed, (1.0,), carry, carry, (1.0,), *own]))

    # FIXED numbers, then a row for each array.
    values = np.zeros(FIXED + n * (2 if kind == SUMS else 7))
    values[:FIXED] = fixed
    end, start, *more = values[FIXED:].reshape(-1, n)
    end[:] = solve_fluctuation(_last_row(n).copy(), factors, _SWEEPS)
    if flux is not None:
        # r has mean zero, so a constant is free: without it, g serves as well as r.
        start[:] = -np.cumsum(flux)[::-1]
        start -= start.mean()
    if kind == SWEEPS:
        before, after, gains, response, homogeneous = more
        before[0] = after[-1] = homogeneous[:2] = 1.0
        before[1:] = after[:-1] = carry
        gains[:-1] = gain[:-1]  # the last value is known: nothing is added to it
        # Before row 0 the sweep has made nothing, before row 1 what row 0 hands on.
        handed = carry[:-1].tolist()
        response[:] = [*accumulate((1.0, *handed), _after_ones, initial=0.0)]
        homogeneous[2:] = [*accumulate(handed, mul)]
    return Coefficients(kind, values)


def pair_matrices(factors: CurvatureFactors) -> NDArray[np.float64]:
    """Return what the sweeps over pairs carry from row to row, (n-1, 2, 2)."""
    return np.moveaxis(element_matrix(factors.ring, factors.carry), -1, 0)


def element_matrix(ring: Ring, element: Any) -> NDArray[np.float64]:
    """Return the matrix of an element of the ring, or those of arrays of elements, (2, 2, ...)."""
    a, b = element
    return np.array([[a + ring.c * b, b], [-ring.omega * b, a]])


def _pair_values(metric: Metric, n: int, *, double: bool) -> NDArray[np.float64]:
    factors = factors_of(metric, n)
    assert isinstance(factors, CurvatureFactors)
    ring, seam, release = factors.ring, factors.seam, factors.release
    carry = np.zeros((2, 2, n))
    carry[..., :-1] = element_matrix(ring, factors.carry)
    c, d = metric.stiffness(n), metric.rigidity(n)
    fixed = [metric.mean, c, float(seam is not None), d]
    nothing = np.zeros((2, n))
    if double:
        released = nothing if release is None else np.repeat(np.array(release)[:, None], n, 1)
        own = (factors.closure, nothing if seam is None else seam, released)
        matrices = (element_matrix(ring, element) for element in own)
        return np.concatenate([fixed, carry.ravel(), *(each.ravel() for each in matrices)])

    # Of a load of moments, an element's two numbers are the level and the moment.
    b, a = solve_path((np.zeros(n), _last_row(n).copy()), factors)
    start = nothing
    if seam is not None and release is not None:
        start = -np.array(ring.times(release, (seam[0], seam[1])))
        a, b = np.array([a, b]) + ring.times((seam[0, -1], seam[1, -1]), (start[0], start[1]))
    known = np.zeros((2, n))
    known[:, :-1] = cholesky_factors(metric.fluctuation, c, d, n)
    return np.concatenate([fixed, carry.ravel(), b, a, start[1], start[0], known.ravel()])
