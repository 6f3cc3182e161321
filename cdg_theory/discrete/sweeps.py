r"""k = M⁻¹g in linear time: one forward sweep, one backward sweep, closed by the mean.

Split the gradient into its mean and its fluctuation, :math:`g = \bar g\mathbf 1 + r`. Then
:math:`k = \bar g/\alpha + x`, and ``x`` is the solution *of mean zero* of

.. math:: (\beta I + cL)\,x = r, \qquad c = \gamma s .

If :math:`c = 0` then :math:`x = r/\beta`: the one line. Otherwise, on the path, eliminate from
the first row on. With pivots :math:`c + E_i`,

.. math::

    E_0 = \beta, \qquad p_i = \frac{c}{c+E_i}, \qquad E_{i+1} = \beta + p_i E_i,

the rows :math:`i < n-1` become :math:`(c+E_i)\,x_i - c\,x_{i+1} = y_i`, where
:math:`y_0=r_0,\ y_{i+1} = r_{i+1} + p_i\,y_i`. The usual last step divides :math:`y_{n-1}` by the
last pivot, which tends to 0 with :math:`\beta`: 0/0. It is not needed. The equations sum to
:math:`\beta\sum_i x_i = 0`, so *the mean constraint replaces the last equation*: sweep backward
from :math:`x_{n-1}=0`, then add the multiple of the homogeneous solution
:math:`h_i = p_i p_{i+1}\cdots p_{n-2}` that makes the sum vanish. Nothing is divided by
:math:`\beta`, no number overflows, and at :math:`\beta=0` every :math:`p_i = 1`, :math:`h = 1` and
the two sweeps *are* the two running sums.

On the cycle :math:`\beta I + cL = (c/q)(I-qS)(I-qS^T)` with :math:`q + 1/q = 2 + \beta/c`,
:math:`0<q\le1`: two first-order recursions with constant factor. Each is closed by the same
constraint; at :math:`\beta = 0` the first closure takes off the mean flux.

Theorem 5 proves both for every n, theorem 7 bounds their rounding errors. The proof is about this
very code: everything between the factors and the result runs over any field, so that it can be
executed on symbols, row by row for the induction, and on rational numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import channel_count
from cdg_theory.discrete.curvature import CurvatureFactors, curvature_factors, solve_curvature
from cdg_theory.metric import check_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.discrete.curvature import PairRows
    from cdg_theory.metric import Metric

# How the two sweeps go over the rows of an array, in place.
Rows = tuple[Callable[[Any, Any], None], Callable[[Any, Any], None]]


@dataclass(frozen=True, slots=True, eq=False)
class SweepFactors:
    r"""The numbers that the two sweeps need: they depend on the metric and on n, never on g.

    ====================  ==============  ====================================================
    symbol                field           shape and meaning
    ====================  ==============  ====================================================
    :math:`p`             ``carry``       (n-1,) what a sweep carries from row to row
    :math:`1/(c+E)`       ``gain``        (n,) inverse pivots; the path's last is 0
    :math:`h/\sum h`      ``closure``     (n,) homogeneous solution of the backward sweep
    :math:`h/\sum h`      ``flux``        (n,) the same of the forward sweep (cycle only)
    ====================  ==============  ====================================================

    See Also
    --------
    cdg_theory.discrete.sweep_factors : Makes them.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import sweep_factors
    >>> sweep_factors(Metric.sobolev(1.0, spacing="unit"), 3).gain
    array([1., 1., 0.])
    """

    carry: NDArray[Any]
    gain: NDArray[Any]
    closure: NDArray[Any]
    flux: NDArray[Any] | None


def eliminate_row(beta: Any, c: Any, excess: Any) -> tuple[Any, Any]:
    r"""Return :math:`p_i = c/(c+E_i)` and :math:`E_{i+1} = \beta + p_iE_i`, over any field."""
    carry = c / (c + excess)
    return carry, beta + carry * excess


def path_pivots(beta: Any, c: Any, n: int) -> tuple[list[Any], list[Any]]:
    r"""Return the excesses :math:`E_i` and the carries :math:`p_i`, i < n, of the elimination.

    .. math:: E_0 = \beta, \qquad p_i = \frac{c}{c+E_i}, \qquad E_{i+1} = \beta + p_i E_i

    Over any field. Positive terms only: in floating point each has full relative accuracy.

    Examples
    --------
    >>> path_pivots(2.0, 2.0, 2)
    ([2.0, 3.0], [0.5, 0.4])
    """
    excess, carry = [beta], []
    for i in range(n):
        p, following = eliminate_row(beta, c, excess[i])
        carry.append(p)
        excess.append(following)
    return excess[:n], carry


def path_factors(beta: Any, c: Any, n: int) -> SweepFactors:
    r"""Return the factors for the path, :math:`\beta I + cL` with c > 0, over any field."""
    excess, carry = path_pivots(beta, c, n)
    gain = 1 / (c + np.array(excess))
    gain[-1] = 0  # the mean constraint stands in for the last equation
    carry_ = np.array(carry)[:-1]
    homogeneous = np.cumprod(np.append(c / c, carry_[::-1]))[::-1]  # c/c is the field's 1
    return SweepFactors(carry_, gain, homogeneous / homogeneous.sum(), None)


def cycle_factors(c: Any, excess: Any, n: int) -> SweepFactors:
    r"""Return the factors for the cycle, over any field.

    ``excess`` is :math:`E = c/q - c \ge 0` with :math:`q + 1/q = 2 + \beta/c`: the fixed point of
    the path's elimination, :math:`E = \beta + qE`.
    """
    pivot = c + excess
    q = c / pivot
    powers = np.power(q, np.arange(n))
    powers = powers / powers.sum()
    return SweepFactors(np.full(n - 1, q), np.full(n, 1 / pivot), powers[::-1].copy(), powers)


def cycle_excess(beta: float, c: float) -> float:
    r"""Return :math:`E = \beta/2 + \sqrt\beta\sqrt{c+\beta/4}`, the root >= 0 of E² = β(c+E)."""
    return beta / 2 + math.sqrt(beta) * math.sqrt(c + beta / 4)


def sweep_factors(metric: Metric, n: int) -> SweepFactors:
    r"""Return the factors of the two sweeps for ``n`` output channels.

    .. math:: E_0 = \beta, \qquad p_i = \frac{c}{c+E_i}, \qquad E_{i+1} = \beta + p_iE_i,
        \qquad c = \gamma s

    These are the path's: in row :math:`i` the forward sweep hands on the share :math:`p_i`, and
    :math:`E_i` is what the pivot is above :math:`c`. :math:`\beta,\gamma` are the weights of
    fluctuation and derivative, and :math:`s = n^2` or 1. The cycle has one factor for all rows, the
    smaller root q of :math:`q+1/q=2+\beta/c`.

    Parameters
    ----------
    metric
        A metric with ``derivative`` > 0 and no curvature.
    n
        Number of output channels of one group.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``n`` not an integer.
    ValueError
        If ``metric.derivative`` is 0, ``metric.curvature`` is not 0, or ``n`` < 1.

    See Also
    --------
    cdg_theory.discrete.SweepFactors : What is returned.
    cdg_theory.discrete.riemannian_gradient : The sweeps.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import sweep_factors

    At β = 0 the sweeps are running sums:

    >>> sweep_factors(Metric.sobolev(1.0), 4).carry
    array([1., 1., 1.])

    Notes
    -----
    Theorem 5 (the sweeps), theorem 7 (their rounding).
    """
    check_metric(metric)
    if metric.derivative_order != 1:
        msg = (
            f"metric must have a derivative term and no curvature, got {metric}: without either "
            "there are no sweeps, and a curvature has sweeps of its own"
        )
        raise ValueError(msg)
    return _sweep_factors(metric, channel_count(n))


# A network has a handful of channel counts; a schedule brings new metrics at every step.
@lru_cache(maxsize=256)
def _sweep_factors(metric: Metric, n: int) -> SweepFactors:
    beta, c = metric.fluctuation, metric.stiffness(n)
    if metric.boundary == "natural":
        factors = path_factors(beta, c, n)
    else:
        factors = cycle_factors(c, cycle_excess(beta, c), n)
    for array in (factors.carry, factors.gain, factors.closure, factors.flux):
        if array is not None:
            array.setflags(write=False)
    return factors


def split_mean(g: Any) -> tuple[Any, Any]:
    r"""Return :math:`\bar g` and the fluctuation :math:`r = g - \bar g`, along axis 0.

    The mean is taken off twice: the first pass leaves a mean of the size of the rounding error
    of :math:`\bar g`, the second one of the size of the rounding error of ``r``. For a nearly
    constant gradient and small weights this is the difference between a right and a wrong answer.
    """
    mean = g.mean(axis=0)
    fluctuation = g - mean
    rest = fluctuation.mean(axis=0)
    return mean + rest, fluctuation - rest


def carry_forward(y: NDArray[Any], carry: NDArray[Any]) -> None:
    r"""Run :math:`y_{i+1} \mathrel{+}= p_i\,y_i` down the rows of ``y``, in place."""
    for i in range(len(carry)):
        y[i + 1] += carry[i] * y[i]


def carry_backward(x: NDArray[Any], carry: NDArray[Any]) -> None:
    r"""Run :math:`x_i \mathrel{+}= p_i\,x_{i+1}` up the rows of ``x``, in place."""
    for i in reversed(range(len(carry))):
        x[i] += carry[i] * x[i + 1]


def _column(weights: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    return weights.reshape(-1, *(1,) * (like.ndim - 1))


def close(u: NDArray[Any], homogeneous: NDArray[Any]) -> None:
    r"""Add the multiple of the homogeneous solution that makes the sum over axis 0 vanish.

    ``homogeneous`` is scaled to sum to 1.
    """
    u -= _column(homogeneous, u) * u.sum(axis=0)


def solve_fluctuation(r: Any, factors: SweepFactors, rows: Rows | None = None) -> Any:
    """Return the mean-zero x with (βI + cL)x = r, for r of mean zero; ``r`` is overwritten.

    ``rows``, if given, are an array type's own :func:`carry_forward` and :func:`carry_backward`.
    """
    forward, backward = rows or (carry_forward, carry_backward)
    forward(r, factors.carry)
    if factors.flux is not None:
        close(r, factors.flux)
    x = _column(factors.gain, r) * r
    backward(x, factors.carry)
    close(x, factors.closure)
    return x


@lru_cache(maxsize=256)
def _curvature_factors(metric: Metric, n: int) -> CurvatureFactors:
    weights = metric.fluctuation, metric.stiffness(n), metric.rigidity(n)
    if not math.isfinite(weights[0] * weights[2]):
        msg = (
            f"fluctuation times curvature must stay within float64 for {n} channels, got {metric}; "
            "scale all weights, which scales the gradient inversely"
        )
        raise ValueError(msg)
    factors = curvature_factors(*weights, n, periodic=metric.boundary == "periodic")
    for array in (factors.carry, factors.closure, factors.seam):
        if array is not None:
            array.setflags(write=False)
    return factors


def factors_of(metric: Metric, n: int) -> SweepFactors | CurvatureFactors | None:
    """Return what :func:`solve_member` needs for ``n`` > 1 rows: None where nothing is swept."""
    if metric.derivative_order == 2:
        return _curvature_factors(metric, n)
    return _sweep_factors(metric, n) if metric.derivative else None


def solve_gram(
    g: Any, alpha: Any, beta: Any, factors: SweepFactors | None, rows: Rows | None = None
) -> Any:
    r"""Return :math:`k = \bar g/\alpha + x` over any field; no ``factors`` means c = 0.

    It uses arithmetic, ``mean``, ``sum`` and ``reshape`` only: arrays of numbers, of fractions, of
    symbols, and torch tensors go through this very code.
    """
    mean, r = split_mean(g)
    x = r / beta if factors is None else solve_fluctuation(r, factors, rows)
    return mean / alpha + x


def solve_second_order(
    g: Any, alpha: Any, factors: CurvatureFactors, rows: PairRows | None = None
) -> Any:
    """Return the same with a curvature term, over any field."""
    mean, r = split_mean(g)
    return mean / alpha + solve_curvature(r, factors, rows)


def solve_member(
    g: Any,
    alpha: Any,
    beta: Any,
    factors: SweepFactors | CurvatureFactors | None,
    rows: Any = None,
) -> Any:
    """Return the same for every member of the family, those with a curvature term included."""
    if isinstance(factors, CurvatureFactors):
        return solve_second_order(g, alpha, factors, rows)
    return solve_gram(g, alpha, beta, factors, rows)
