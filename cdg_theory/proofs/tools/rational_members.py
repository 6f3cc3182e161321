r"""Metrics of every kind, and their Gram matrices in rational numbers, written from the definition.

What floating point makes of a member is compared with these. Weights are dyadic: their binary
values are themselves.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cdg_theory.metric import Boundary, Metric, Spacing
from cdg_theory.proofs.tools.exact_matrices import identity, inverse_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Unit roundoff of float64.
U = 2.0**-53

#: The ordinary gradient, the one line, running sums, sweeps, sweeps at a β next to nothing.
MEMBERS = tuple(
    Metric(*weights, boundary=boundary, spacing=spacing)
    for weights in (
        (1.0, 1.0, 0.0),
        (2.0, 3.0, 0.0),
        (0.5, 0.0, 0.25),
        (1.5, 0.75, 0.25),
        (1.0, 2.0**-40, 4.0),
    )
    for boundary, spacing in product(get_args(Boundary), get_args(Spacing))
)

#: With a curvature: alone, with β = 0, with γ = 0, a double root, real roots, next to nothing else.
CURVED = tuple(
    Metric(*weights, boundary=boundary, spacing=spacing)
    for weights in (
        (0.5, 0.0, 0.0, 0.25),
        (1.5, 0.0, 0.75, 0.5),
        (1.0, 0.75, 0.0, 0.25),
        (2.0, 1.0, 2.0, 1.0),
        (1.0, 0.5, 8.0, 0.25),
        (1.0, 2.0**-40, 2.0**-50, 4.0),
    )
    for boundary, spacing in product(get_args(Boundary), get_args(Spacing))
)


def form(metric: Metric, h: NDArray[Any], k: NDArray[Any]) -> Any:
    r"""Return the metric's form: its four terms, over any field.

    .. math:: \alpha n\bar h\bar k+\beta\sum(h-\bar h)(k-\bar k)+\gamma s\sum\Delta h\,\Delta k
              +\delta s^2\sum_ib_i(h)\,b_i(k)

    The third sum is over neighbours, round the circle if periodic; :math:`b_i` is what row i's
    differences to its neighbours sum to.

    Examples
    --------
    >>> h = np.array([Fraction(1), Fraction(0), Fraction(0)])
    >>> form(Metric(3.0, 0.0, 2.0, spacing="unit"), h, h)
    Fraction(3, 1)
    """
    n = len(h)
    weights = metric.mean, metric.fluctuation, metric.derivative, metric.curvature
    alpha, beta, gamma, delta = map(Fraction, weights)
    s = n * n if metric.spacing == "normalized" else 1
    h_bar, k_bar = h.sum() / n, k.sum() / n
    pairs = [(i, i + 1) for i in range(n - 1)]
    if metric.boundary == "periodic":
        pairs.append((n - 1, 0))
    rough = sum((h[j] - h[i]) * (k[j] - k[i]) for i, j in pairs)
    first = alpha * n * h_bar * k_bar + beta * ((h - h_bar) * (k - k_bar)).sum()
    bends = [[Fraction(0)] * n, [Fraction(0)] * n]
    for bend, values in zip(bends, (h, k), strict=True):
        for i, j in pairs:
            bend[i] += values[i] - values[j]
            bend[j] += values[j] - values[i]
    bent = sum(b * c for b, c in zip(*bends, strict=True))
    return first + gamma * s * rough + delta * s * s * bent


@cache
def gram_of(metric: Metric, n: int) -> NDArray[Any]:
    """Return the matrix of the form in rational numbers."""
    units = identity(n)
    return np.array([[form(metric, h, k) for k in units] for h in units], dtype=object)


@cache
def inverse_gram_of(metric: Metric, n: int) -> NDArray[Any]:
    """Return its inverse in rational numbers."""
    return inverse_of(gram_of(metric, n))


def size_of(matrix: NDArray[Any]) -> float:
    """Return the largest modulus of an entry."""
    return float(abs(matrix).max())
