r"""How much of theorem 7's bound can be reached: a search for the worst gradient.

An evolution of columns of mean (nearly) zero, so that the sweeps' errors count and not the one
rounding of the mean. What survives are the columns whose error, measured against the exact
solution, is the largest fraction of its bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cdg_theory.certificates.judging import (
    BOUNDS,
    NARROWER,
    Algorithm,
    Solver,
    largest_errors,
)
from cdg_theory.certificates.oracle import enclose_gradient, scaled_integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Metric

    Array = NDArray[np.float64]


def bound_fractions(
    solve: Solver, metric: Metric, g: Array, *, algorithm: Algorithm = "closing"
) -> Array:
    r"""Return the largest :math:`|\hat k_i-k_i|/\mathrm{bound}_i` of each column, in float64.

    ``algorithm`` names the bound, as in :func:`cdg_theory.certify`.

    Examples
    --------
    >>> from cdg_theory import Metric, discrete
    >>> metric, g = Metric.sobolev(1.0), np.array([[1.0, 3.0], [2.0, -3.0], [6.0, 0.5]])
    >>> fractions = bound_fractions(lambda g: discrete.riemannian_gradient(g, metric), metric, g)
    >>> bool((fractions < 1).all())
    True
    """
    limit = BOUNDS[algorithm](g, metric, dtype="float64")
    exact = enclose_gradient(g, metric, limit.bound.min(axis=0) * NARROWER)
    got = np.asarray(solve(g.copy()), dtype=np.float64)
    # The bound's integer keeps 20 bits or more: the enclosure is that much finer. A column of zeros
    # is known exactly, and may have a bound below the enclosure's unit.
    bounds = np.maximum(scaled_integers(limit.bound, exact.scale), 1)
    quotient = largest_errors(got, exact) / bounds
    fractions: Array = quotient.astype(np.float64).max(axis=0)
    return fractions


def largest_fraction(
    solve: Solver,
    metric: Metric,
    n: int,
    *,
    algorithm: Algorithm = "closing",
    generations: int = 40,
    population: int = 64,
    seed: int = 0,
) -> float:
    """Return the largest fraction of the bound that an evolution of columns reaches.

    ``solve`` takes and returns float64 arrays of shape (n, population). Deterministic in ``seed``.

    Examples
    --------
    >>> from cdg_theory import Metric, discrete
    >>> metric = Metric.sobolev(1.0)
    >>> found = largest_fraction(lambda g: discrete.riemannian_gradient(g, metric), metric, 8)
    >>> 0.01 < found < 1
    True
    """
    rng = np.random.default_rng(seed)
    survivors = max(1, population // 8)
    columns = rng.standard_normal((n, population))
    for generation in range(generations + 1):
        columns -= columns.mean(axis=0)
        fractions = bound_fractions(solve, metric, columns, algorithm=algorithm)
        if generation == generations:
            break
        parents = columns[:, np.argsort(-fractions)[:survivors]]
        # The last columns stay as they are: the best found is never lost.
        children = np.tile(parents, -(-population // survivors))[:, :population]
        where = rng.random(children.shape) < max(1 / n, 0.1)
        where[:, -survivors:] = False
        steps = rng.standard_normal(children.shape) * 10.0 ** rng.uniform(-16, 0, children.shape)
        columns = np.where(where, children * (1 + steps), children)
    return float(fractions.max())
