r"""Theorem 7 with a curvature, for kernels that know the sweeps' constants beforehand.

As :mod:`~cdg_theory.rounding.functionals`, with pairs: the pair at the last row,
:math:`z_{n-1}=\sum_j w_jg_j`, w the column of the inverse for the load :math:`e_{n-1}-\frac1n`, and
on the cycle the seam's flux :math:`\varphi=-(1+2h_0)^{-1}\sum_jh_jg_j`. Nothing is taken off
afterwards, so the kernels of the errors are those of the open sweeps. A kernel may sweep over pairs
or in differences (:mod:`~cdg_theory.rounding.differences`), row by row; the bound is the larger of
the two. Sweeps in two levels, over rows within segments and over segments, are not within it.

A kernel may count from the column's first number, :math:`g_j-g_0`: then a large mean never meets a
weight, but a small number is a large one. And its forward sweep may run before the mean is known,
and take off the mean's part later. So the sizes are those of sums and sweeps of
:math:`|g_j|+|g_0|`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cdg_theory.discrete.curvature import carry_backward, carry_forward
from cdg_theory.discrete.sweeps import split_mean
from cdg_theory.rounding.differences import cholesky_errors, sweep_errors
from cdg_theory.rounding.pairs import (
    ClosedSweeps,
    PairSteps,
    V,
    apply_moduli,
    as_column,
    cancellation,
    closed_error,
    homogeneous,
    moduli,
    travelled_open,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.discrete.curvature import Pair
    from cdg_theory.metric import Metric

    Array = NDArray[np.float64]


def _summed(weights: Pair, errors: Pair, g: Array, u: float) -> Pair:
    r"""Return :math:`\sum_j(\mathrm{err}(w_j)+(n+4)u|w_j|)|g_j|` for both of a pair."""
    level, moment = (
        ((error + (len(g) + 4) * u * abs(weight)) * abs(g)).sum(axis=0)
        for weight, error in zip(weights, errors, strict=True)
    )
    return level, moment


@lru_cache(maxsize=2)
def _weights(metric: Metric, n: int, u: float, tiny: float) -> tuple[Pair, Pair]:
    """Return the path's inverse, and its error, of the end's load and of the seam's: columns."""
    steps = PairSteps.of(metric, n, u, tiny)
    path = replace(steps, factors=replace(steps.factors, seam=None, release=None))
    loads = np.zeros((n, 2))
    loads[:, 0] = -1.0 / n
    loads[-1] += 1.0, -1.0
    loads[0, 1] += 1.0
    sweeps = ClosedSweeps.of(path.factors, loads)
    return sweeps.z, closed_error(path, sweeps, np.zeros_like(loads))


def _columns(pair: Pair, column: int) -> Pair:
    return pair[0][:, column, None], pair[1][:, column, None]


def _seam_error(steps: PairSteps, h: Pair, errors: Pair, g: Array, r: Array) -> Pair:
    r"""Return the error of the flux over the seam, :math:`(1+2h_0)^{-1}` times a functional."""
    ring, release, u = steps.factors.ring, steps.factors.release, steps.u
    missed = _summed(h, errors, g, u)
    (b, a), (b_error, a_error) = h, errors
    sums = abs((b * r).sum(axis=0)), abs((a * r).sum(axis=0))
    # 1/(1+2h₀) has an error by that of h₀, and by the roundings of the inverse.
    inverted = 1 + 2 * float(a[0, 0]), 2 * float(b[0, 0])
    off = (
        2 * float(a_error[0, 0]) + V * abs(inverted[0]),
        2 * float(b_error[0, 0]) + V * abs(inverted[1]),
    )
    released = apply_moduli(moduli(ring, release), sums)
    moved = apply_moduli(moduli(ring, off, summed=True), released)
    total = missed[0] + moved[0], missed[1] + moved[1]
    level, moment = apply_moduli(moduli(ring, release), total)
    known = (6 * cancellation(ring, inverted) + 7) * V + 6 * u
    own = apply_moduli(moduli(ring, release, summed=True), sums)
    return level + known * own[0], moment + known * own[1]


def counted(g: Array) -> Array:
    r"""Return :math:`|g_j|+|g_0|`: no number is larger, from wherever a kernel counts."""
    sizes: Array = np.abs(g) + np.abs(g[0])
    return sizes


def _swept_pairs(steps: PairSteps, size: Pair, z: Pair) -> tuple[Pair, Pair]:
    """Return the loads and the local errors of sweeps over pairs, the end's apart."""
    u, tiny, ring = steps.u, steps.tiny, steps.factors.ring
    carried = steps.rounded((size[0][:-1], size[1][:-1]))
    into = [size[i][:-1] + abs(z[i][1:]) for i in (0, 1)]
    back = steps.rounded((into[0], into[1]))
    again = apply_moduli(moduli(ring, as_column(steps.factors.carry)), (into[0], into[1]))
    loads = list(steps.factor_loads(z))
    locals_ = [np.zeros_like(z[0]), np.zeros_like(z[0])]
    for i in (0, 1):
        loads[i][1:] += carried[i]
        loads[i] += 3 * u * size[i] + tiny
        locals_[i][:-1] = back[i] + 4 * u * again[i] + tiny
    return (loads[0], loads[1]), (locals_[0], locals_[1])


def _mean_responses(steps: PairSteps) -> tuple[Array, Array]:
    """Return the levels that one unit of load in every row makes, for both kinds of sweeps."""
    ring, carry = steps.factors.ring, steps.factors.carry
    level, moment = np.zeros((steps.n, 1)), np.ones((steps.n, 1))
    carry_forward(level, moment, ring, carry)
    beta, c, d = steps.weights
    # In differences the last moment follows from the last level of the loads.
    last = d / cholesky_errors(beta, c, d, steps.n).B[-1] * level[-1]
    carry_backward(level, moment, ring, carry)
    return abs(level), abs(level - homogeneous(steps.factors)[1][:, None] * last)


def known_errors(
    metric: Metric, steps: PairSteps, g: Array, mean: Array
) -> tuple[Array, Array, Array]:
    """Return x and its error, by sweeps over pairs and by sweeps in differences.

    ``mean`` is the error of the mean of g.
    """
    n, u, factors, ring = steps.n, steps.u, steps.factors, steps.factors.ring
    _, r = split_mean(g)
    largest = counted(g)
    sweeps = ClosedSweeps.of(factors, r)
    z, flux = sweeps.z, sweeps.flux
    weights, errors = _weights(metric, n, u, steps.tiny)
    end = _summed(_columns(weights, 0), _columns(errors, 0), largest, u)

    # Sizes in the forward sweep, on moduli; the flux enters at the first row. A load on the last
    # row has no effect.
    size = np.zeros_like(g), largest + largest.mean(axis=0)
    wrong: Pair = (np.zeros_like(mean), np.zeros_like(mean))
    if factors.seam is not None:
        wrong = _seam_error(steps, _columns(weights, 1), _columns(errors, 1), largest, r)
        through = apply_moduli(moduli(ring, (factors.seam[0, -1], factors.seam[1, -1])), wrong)
        end = end[0] + through[0], end[1] + through[1]
        for i in (0, 1):
            size[i][0] += abs(flux[i])
    first, second, third, fourth = moduli(ring, factors.carry)
    for i in range(n - 2):
        level, moment = size[0][i], size[1][i]
        size[0][i + 1] += first[i] * level + second[i] * moment
        size[1][i + 1] += third[i] * level + fourth[i] * moment

    loads, locals_ = _swept_pairs(steps, size, z)
    for i in (0, 1):
        loads[i][0] += wrong[i]
        locals_[i][-1] = end[i]
    own = sweep_errors(steps, size, z, abs(flux[0]), wrong, end[0])
    over_pairs, in_differences = (
        error + response * mean
        for error, response in zip(
            travelled_open(factors, (loads, locals_, np.zeros(n)), own),
            _mean_responses(steps),
            strict=True,
        )
    )
    # What is written is a product with 1/d, which is off by 3v, in differences.
    size_x = np.abs(z[0])
    return z[0], over_pairs + 2 * u * size_x, in_differences + (2 * u + 3 * V) * size_x
