r"""Theorem 7 for kernels that know the sweeps' free constants beforehand.

To read main memory once, a kernel can find the constants that close the sweeps while it finds the
mean, as linear functionals of the column: the value at one end, :math:`x_e=\sum_jw_jg_j` with
:math:`w=Ge_e` a column of the mean-zero inverse, and on the cycle also where the forward sweep
starts. The functionals act on g itself, large mean and all, and nothing is taken off afterwards.
The price is a larger error, which storage types narrower than the accumulator have room for.

The bound follows the same sweeps, on moduli: no cancellation is counted on, neither of the mean
nor between rows. Any order of the functionals' and the mean's sums is within the model; sums of
narrow numbers that fit the accumulator's digits are exact.

**Both running sums.** For :math:`\beta=0` kernels go from the last row back, or in segments, where
the sum below a segment may be had as the sum with it, less it. Which rows' errors a row sees is
another matter in every order, so the bound counts all of them in every row. No partial sum of f is
larger than :math:`T=|f_{n-1}|+2\sum_j|g_j|`. Back from the last row the sum meets a rounding for
each row, and one for each block of rows; in :math:`m\ge2` segments of L rows a number meets fewer
than :math:`2L+m+8\le n+12`. The second sum's numbers, :math:`Lf` and moments, add up to at most
:math:`|k_{n-1}|+(n+L)T/c`, and meet no more roundings. Either sum errs by less than
:math:`\nu=(\tfrac32n+16)u` times T, and :math:`|k_{n-1}|+nT/c`.

**Segments.** For :math:`\beta>0` sweeps in two levels, over rows within segments and over segments,
with the products P of the carries computed beforehand, are within the model, too. A row by itself,
:math:`w_i=p_i(w_{i-1}+r_i)`, costs :math:`\mathrm{err}(p_i)+2u`. A whole segment, :math:`Pw+W`,
costs the sum of :math:`\mathrm{err}(p_i)+v` over its rows, and 4u for the product, the sum, and the
products of P that a scan forms; the bound counts :math:`\mathrm{err}(p)+8u` for *every* row. A gain
taken as :math:`p_i/c` is off by :math:`\mathrm{err}(p_i)+v+3u`, and the bound counts more than 2u
for the gain, and :math:`\mathrm{err}(p)+8u` once more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.sweeps import carry_backward, carry_forward, split_mean, sweep_factors
from cdg_theory.rounding.bounds import (
    ErrorBound,
    accumulator_for,
    factor_errors,
    forward_error_bound,
    slack,
    stored,
)
from cdg_theory.rounding.formats import float_format
from cdg_theory.rounding.pair_functionals import counted, known_errors
from cdg_theory.rounding.pairs import PairSteps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.discrete.sweeps import SweepFactors
    from cdg_theory.metric import Metric

    Array = NDArray[np.float64]
    # A number's size and its error.
    Pair = tuple[Any, Any]

HEAVY = 2.0**400


def sum_is_exact(g: Array, precision: int) -> NDArray[np.bool_]:
    r"""Return whether every sum of entries of a column fits in ``precision`` bits, whatever order.

    All entries are multiples of the last place of the smallest one, and no partial sum exceeds the
    sum of the moduli.

    Examples
    --------
    >>> sum_is_exact(np.array([[1.0, 1.0], [3.0, 2.0**-60]]), 53)
    array([ True, False])
    """
    significands, exponents = np.frexp(g)
    # Trailing zeros of the 53-bit significands: the lowest set bit.
    integers = np.ldexp(np.abs(significands), 53).astype(np.int64)
    lowest = np.frexp((integers & -integers).astype(np.float64))[1] - 1
    places = exponents.astype(np.int64) - 53 + lowest
    last = np.where(integers != 0, places, np.iinfo(np.int64).max).min(axis=0)
    top = np.frexp(np.abs(g).sum(axis=0))[1] + 1
    exact: NDArray[np.bool_] = (top - last <= precision) | (np.abs(g).max(axis=0) == 0)
    return exact


def _end_error(g: Array, metric: Metric, u: float) -> Array:
    """Return the error of the functional that gives the last row's value."""
    n = len(g)
    one_hot = np.zeros((n, 1))
    one_hot[-1] = 1.0
    # Of the part of mean zero alone: a heavy mean takes what is said of the mean out of the bound.
    weights = forward_error_bound(one_hot, replace(metric, mean=HEAVY))
    # The weights sum to 0 exactly, but for their errors; n products, summed in any order. The
    # column that they come from is itself rounded, once per row.
    relative = weights.bound + (n + 4) * u * np.abs(weights.gradient)
    error: Array = (relative * np.abs(g)).sum(axis=0)
    return error


def sums_error(sizes: Any, start: Pair, end: Pair, mean: Any, gain: Pair, u: Any) -> Any:
    r"""Return the error of both running sums, :math:`\beta=0`, in whatever order they are taken.

    ==================================  =========  ==========================================
    symbol                              argument   meaning
    ==================================  =========  ==========================================
    :math:`|g|`                         ``sizes``  (n, columns)
    :math:`|f_{n-1}|`, its error        ``start``  0 on the path
    :math:`|k_{n-1}|`, its error        ``end``
    (error of :math:`\bar g`)           ``mean``
    :math:`1/c`, its relative error     ``gain``
    :math:`u`                           ``u``      unit roundoff
    ==================================  =========  ==========================================

    Over any field.

    Examples
    --------
    >>> none = (0.0, 0.0)
    >>> sums_error(np.ones((2, 1)), none, none, 0.0, (1.0, 0.0), 2.0**-20) * 2.0**20
    array([304.])
    """
    n = len(sizes)
    count = (3 * n + 32) * u / 2
    held = start[0] + 2 * sizes.sum(axis=0)
    flow = start[1] + count * held + n * mean
    return end[1] + count * end[0] + n * gain[0] * (flow + (gain[1] + count) * held)


def _known_sums_error(
    g: Array, metric: Metric, factors: SweepFactors, u: float, mean: Array
) -> Array:
    """Return the error of x for β = 0; ``mean`` is that of the mean of g."""
    n = len(g)
    known, total = factor_errors(metric, n), np.abs(g).sum(axis=0)
    # The flux is 1/n in every row. Less their mean, its partial sums are at most a half: two sums
    # of n, and the functional's own.
    half = 0 * total if factors.flux is None else total / 2
    last = np.abs(forward_error_bound(g, metric).gradient[-1])
    error = sums_error(
        np.abs(g),
        (half, (5 * n + 16) * u * half),
        (last, _end_error(g, metric, u)),
        mean,
        (float(factors.gain[0]), float(known.gain[0])),
        u,
    )
    return np.tile(error, (n, 1))


def _sweep_errors(g: Array, metric: Metric, factors: SweepFactors, u: float, mean: Array) -> Array:
    """Return the error of x for β > 0; ``mean`` is that of the mean of g."""
    n = len(g)
    known = factor_errors(metric, n)
    step = float(known.carry.max(initial=0.0)) + 8 * u
    moduli = np.abs(g)
    average, total = moduli.mean(axis=0), moduli.sum(axis=0)

    # y: what the forward sweep holds, and its error.
    size = moduli + average
    carry_forward(size, factors.carry)
    unit, start_error = np.zeros((n, 1)), np.zeros_like(total)
    if factors.flux is not None and known.flux is not None:
        # The weights of the start are partial sums of the flux, at most 1.
        unit = (factors.flux / factors.flux[0])[:, None]
        start_error = (float(known.flux.max()) + (2 * n + 8) * u) * total
        size += unit * total
    error = step * size + mean
    carry_forward(error, factors.carry)
    error += unit * start_error

    # x: from the known end, row by row.
    gain = factors.gain[:, None]
    size *= gain
    error = gain * error + (known.gain + step)[:, None] * size
    end_error = _end_error(g, metric, u)
    reached = size.copy()
    carry_backward(reached, factors.carry)
    homogeneous = (factors.closure / factors.closure[-1])[:, None]
    known_end = np.abs(forward_error_bound(g, metric).gradient[-1])
    error += step * (reached + homogeneous * known_end)
    carry_backward(error, factors.carry)
    error += homogeneous * end_error
    return error


def functional_error_bound(
    g: Array, metric: Metric, *, dtype: str = "float32", accumulator: str = "float64"
) -> ErrorBound:
    r"""Return theorem 7's bound for kernels that know the sweeps' constants beforehand.

    A bound on :math:`|\hat k - k|` for every entry, wider than that of
    :func:`cdg_theory.rounding.bounds.forward_error_bound`, which is for sweeps that compute their
    constants themselves.

    ======================  ===============  =================================================
    symbol                  argument         meaning
    ======================  ===============  =================================================
    :math:`g`               ``g``            (n, columns) gradient, representable in ``dtype``
    :math:`M`               ``metric``       a :class:`cdg_theory.Metric`
    :math:`u_\mathrm{out}`  ``dtype``        storage type of the result
    :math:`u`               ``accumulator``  type of all arithmetic before the last rounding
    ======================  ===============  =================================================

    Raises
    ------
    TypeError
        As :func:`cdg_theory.rounding.bounds.forward_error_bound`.
    ValueError
        As :func:`cdg_theory.rounding.bounds.forward_error_bound`.

    See Also
    --------
    cdg_theory.rounding.forward_error_bound : For sweeps that compute their constants.
    cdg_theory.certify : Judges a solver by it.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.rounding import functional_error_bound
    >>> g = np.linspace(-1.0, 2.0, 512).astype(np.float32).astype(float)[:, None]
    >>> e = functional_error_bound(g, Metric.sobolev(1.0))
    >>> bool((e.bound <= 0.501 * 2.0**-23 * np.abs(e.gradient).max()).all())
    True
    """
    inner, n = accumulator_for(g, metric, accumulator), len(g)
    u = inner.unit_roundoff
    curved = metric.derivative_order == 2
    sizes = counted(g) if curved else np.abs(g)
    average = sizes.mean(axis=0)
    mean_error = np.where(sum_is_exact(sizes, inner.precision), 2.0, n + 2.0) * u * average
    mean, r = split_mean(np.array(g, dtype=np.float64))
    if curved and n > 1:
        steps = PairSteps.of(metric, n, u, inner.smallest_normal)
        x, over_pairs, in_differences = known_errors(metric, steps, g, mean_error)
        error = np.maximum(over_pairs, in_differences)
        k, least = mean / metric.mean + x, np.zeros_like(x)
    else:
        closing = forward_error_bound(g, metric, dtype=dtype, accumulator=accumulator)
        k, least = closing.gradient, closing.bound
        if metric.derivative_order == 1:
            errors = _sweep_errors if metric.fluctuation else _known_sums_error
            error = errors(g, metric, sweep_factors(metric, n), u, mean_error)
        elif curved:
            error = np.zeros_like(r)  # one row is all mean
        else:
            error = (mean_error + 4 * u * np.abs(r)) / metric.fluctuation
    error = error + (mean_error + 4 * u * average) / metric.mean
    error += 2 * u * np.abs(k) + n * inner.smallest_normal
    bound = stored(k, error / (1 - slack(metric, n, u)), float_format(dtype), inner)
    return ErrorBound(k, np.maximum(least, bound))
