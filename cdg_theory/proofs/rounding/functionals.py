r"""Theorem 7 for kernels that know the sweeps' constants beforehand, on their NumPy model.

The model is what such a kernel computes, in the simplest order: one mean, one functional for the
last row's value, on the cycle one for the start, one forward sweep, one sweep back from the known
end; for β = 0 both running sums from there.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.certificates.judging import Algorithm, certify
from cdg_theory.discrete.sweeps import (
    carry_backward,
    carry_forward,
    solve_fluctuation,
    split_mean,
    sweep_factors,
)
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = ((0.0, 0.11), (0.0, 50.0), (1.0, 0.1), (1e-12, 10.0), (1e-12, 1e12), (1e6, 1e-6))


def functional_gradient(grad: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return k = M⁻¹g with the free constants found as functionals of g, in float64.

    Examples
    --------
    >>> functional_gradient(np.array([[1.0], [2.0], [6.0]]), Metric.reweighted_h0(2.0)).ravel()
    array([2. , 2.5, 4.5])
    """
    g = np.asarray(grad, dtype=np.float64)
    n = len(g)
    mean = g.mean(axis=0)
    y = g - mean
    if not metric.derivative:
        return np.asarray(mean / metric.mean + y / metric.fluctuation)
    factors = sweep_factors(metric, n)
    one_hot = np.full(n, -1.0 / n)
    one_hot[-1] += 1.0
    # x at the end is ⟨e, Gr⟩ = ⟨Ge, g⟩: G is symmetric, and blind to constants.
    x_end = solve_fluctuation(split_mean(one_hot)[1], factors) @ g
    flow: Any = 0.0
    if factors.flux is not None:
        # Where the sweep must start for its sum to vanish; less its mean, it is blind to constants.
        start = np.cumsum(factors.flux)[::-1]
        flow = (start.mean() - start) @ g
    x = np.empty_like(y)
    x[-1] = x_end
    if metric.fluctuation == 0:
        # As the kernels: both sums from the last row back.
        flows = flow - np.cumsum(y[:0:-1], axis=0)
        x[:-1] = (x_end + np.cumsum(flows, axis=0) / metric.stiffness(n))[::-1]
    else:
        y[0] += flow
        carry_forward(y, factors.carry)
        x[:-1] = factors.gain[:-1, None] * y[:-1]
        carry_backward(x, factors.carry)
    return np.asarray(mean / metric.mean + x)


def _functionals(algorithm: Algorithm = "functionals") -> bool:
    """Whether the model is within the bound of that algorithm."""
    for (beta, gamma), boundary, spacing in product(
        WEIGHTS, ("natural", "periodic"), ("normalized", "unit")
    ):
        metric = Metric(1.0, beta, gamma, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]
        solve = partial(functional_gradient, metric=metric)
        # A long column and weak smoothing: here a large mean does most harm.
        longest = 4096 if (spacing, gamma) == ("unit", 50.0) else 129
        for n in (longest, 1, 2, 3, 33):

            def narrow(g: NDArray[Any], solve: Any = solve) -> NDArray[Any]:
                return np.asarray(solve(g).astype(np.float32))

            if not certify(narrow, metric, n, dtype="float32", algorithm=algorithm).holds:
                return False
    return True


THEOREMS = (
    Theorem(
        id="T7.functionals",
        title="Rounding: constants known beforehand",
        statement=(
            "A kernel that finds the free constants of the sweeps beforehand, as functionals "
            "of the gradient, has larger errors than sweeps that close themselves. They stay "
            "under a bound of its own, for which float32 storage has room."
        ),
        tex=(
            r"|\hat k_i-k_i|\le h_i\,\epsilon_e+\epsilon_{\mathrm{sweep},i}"
            r"+\tfrac12\mathrm{ulp}(k_i),\qquad "
            r"\epsilon_e=\sum_j\bigl(\mathrm{err}(w_j)+(n+4)u|w_j|\bigr)|g_j|"
        ),
        scope="float32 storage, float64 inside, β/γ from 0 to 1e12, both ends, n from 1 to 4096",
        kind="numeric",
        check=_functionals,
        variant=partial(_functionals, algorithm="closing"),
        perturbed="The same under the bound of the sweeps that close themselves.",
        page="theory/rounding-variants.md",
    ),
)
