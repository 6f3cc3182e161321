"""The gradient without rounding, for the very floats a test holds, and what rounding may add.

The oracle solves the dense system in rational numbers: it shares no formula with the library. The
allowance follows the sweeps with every number replaced by its modulus; with a curvature term it is
theorem 7's bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import flint
import numpy as np

from cdg_theory.discrete.sweeps import carry_backward, carry_forward, split_mean, sweep_factors
from cdg_theory.rounding.bounds import forward_error_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory import Metric

EPS = float(np.finfo(np.float64).eps)


def rational(value: float) -> flint.fmpq:
    return flint.fmpq(*float(value).as_integer_ratio())


def exact_gram(metric: Metric, n: int, *, rounded: bool = True) -> flint.fmpq_mat:
    """M = αP + β(I−P) + cL + dL², from the definition, edge by edge; γs, δs² rounded or not."""
    alpha, beta = rational(metric.mean), rational(metric.fluctuation)
    c, d = rational(metric.stiffness(n)), rational(metric.rigidity(n))
    if not rounded:
        s = n * n if metric.spacing == "normalized" else 1
        c, d = rational(metric.derivative) * s, rational(metric.curvature) * s * s
    rows = [[(alpha - beta) / n + (beta if i == j else 0) for j in range(n)] for i in range(n)]
    edges = [(i, i + 1) for i in range(n - 1)]
    if metric.boundary == "periodic":
        edges.append((n - 1, 0))
    L = [[flint.fmpq(0)] * n for _ in range(n)]
    for i, j in edges:
        L[i][i] += 1
        L[j][j] += 1
        L[i][j] -= 1
        L[j][i] -= 1
    laplacian = flint.fmpq_mat(L)
    smooth = c * laplacian + d * laplacian * laplacian
    return flint.fmpq_mat(rows) + smooth


def exact_solution(g: NDArray[np.float64], metric: Metric) -> flint.fmpq_mat:
    """M⁻¹g for a matrix of columns, in rational numbers."""
    right = flint.fmpq_mat(*g.shape, [rational(value) for value in g.ravel()])
    return exact_gram(metric, len(g)).solve(right)


def exact_gradient(g: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """M⁻¹g for a matrix of columns, rounded once."""
    n, columns = g.shape
    k = exact_solution(g, metric)
    return np.array([[int(k[i, j].p) / int(k[i, j].q) for j in range(columns)] for i in range(n)])


def rounding_allowance(g: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    r"""Return what rounding may add to k, entry by entry.

    An entry is a sum of products of at most 2n + 4 factors (carries, a gain, closing weights), each
    a float with at most 4 roundings of its own, added in at most 2n + 4 steps: fewer than
    16(n + 8) roundings, each of at most eps times the sum of the moduli. The moduli are those of
    the same sweeps with closures that add; a constant of the size of the fluctuation stands for
    what the subtraction of its mean leaves.
    """
    n = len(g)
    mean, r = split_mean(g)
    size = np.abs(r) + np.abs(r).max(axis=0)
    if metric.is_multiple_of_l2 or n == 1:
        return 2 * EPS * np.abs(g) / metric.mean
    if metric.curvature:
        # Products of the ring's elements are smaller than those of their moduli: theorem 7's bound.
        return forward_error_bound(g, metric).bound
    if metric.derivative == 0:
        x = size / metric.fluctuation
    else:
        factors = sweep_factors(metric, n)
        carry_forward(size, factors.carry)
        if factors.flux is not None:
            size += factors.flux[:, None] * size.sum(axis=0)
        x = factors.gain[:, None] * size
        carry_backward(x, factors.carry)
        x += factors.closure[:, None] * x.sum(axis=0)
    # The mean itself is known to n roundings of the mean modulus.
    mean_modulus = np.abs(mean) + np.abs(g).mean(axis=0)
    return 16 * (n + 8) * EPS * x + (n + 4) * EPS * mean_modulus / metric.mean
