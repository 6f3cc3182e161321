r"""Theorem 12 on grids: in the metric, descent converges equally fast on every grid.

Take a loss whose curvature is itself of the family, with weights α′, β′, γ′. On every grid and in
every mode the curvature relative to the metric is

.. math:: \frac{\alpha'}{\alpha}\quad\text{or}\quad
    \frac{\beta'+\gamma'\sigma}{\beta+\gamma\sigma}, \qquad \sigma\ge0,

a mean of :math:`\beta'/\beta` and :math:`\gamma'/\gamma`, whatever the grid's symbol σ is. Relative
to the ordinary product it is :math:`\beta'+\gamma'\sigma`, which grows like n².
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import sympy as sp

from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.grids import Grid, cells, elements
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric
from cdg_theory.proofs.continuum.grids import cell_symbol, element_symbol

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/descent.md"
b, c, b2, c2, sigma = sp.symbols("beta gamma beta2 gamma2 sigma", positive=True)


def _between(metric: Any = b + c * sigma) -> bool:
    """Write the curvature relative to the metric as a weighted mean of its two ends."""
    curvature = (b2 + c2 * sigma) / metric
    share = c * sigma / (b + c * sigma)  # in (0, 1) for every σ > 0
    mean = (1 - share) * b2 / b + share * c2 / c
    return vanishes(curvature - mean) and bool((1 - share).together().is_positive)


def _grids(product: Callable[[Grid, Metric], Any] = Grid.gram) -> bool:
    r"""Compute the extreme curvatures on both grids, relative to the metric and to L².

    Bounds: the weighted mean for the metric; for the ordinary product the grid's symbol at its
    highest mode. Rounding: a symmetric eigenproblem of size n, relative to the largest entry.
    """
    from scipy.linalg import eigh

    low, high = 0.5, 4.0  # α′/α = 2, β′/β = 4, γ′/γ = 1/2
    for boundary in get_args(Boundary):
        metric = Metric(1.0, 0.5, 0.2, boundary=boundary)
        loss = Metric(2.0, 2.0, 0.1, boundary=boundary)
        for make, symbol in ((cells, cell_symbol), (elements, element_symbol)):
            for n in (4, 8, 16, 32):
                grid = make(n, boundary)
                curvature, mass = grid.gram(loss), grid.mass.toarray()
                relative = eigh(curvature, product(grid, metric), eigvals_only=True)
                rounding = 16 * n * 2.0**-53 * 12 * n**2
                if relative[0] < low - rounding or relative[-1] > high + rounding:
                    return False
                plain = eigh(curvature, mass, eigvals_only=True)[-1]
                # The highest mode: θ = π on closed or even grids, (n−1)π/n on natural cells.
                theta = np.pi * (n - 1) / n if (boundary, make) == ("natural", cells) else np.pi
                expected = 2.0 + 0.1 * symbol(n, theta, np.cos)
                if abs(plain - max(expected, 2.0)) > rounding * expected:
                    return False
    return True


THEOREMS = (
    Theorem(
        id="T12.relative-curvature",
        title="curvature relative to the metric is bounded, whatever the grid",
        statement="If the loss has a curvature of the family, with weights α′, β′, γ′, its "
        "curvature relative to the metric lies between β′/β and γ′/γ in every mode of every grid.",
        tex=r"\frac{\beta'+\gamma'\sigma}{\beta+\gamma\sigma}\in"
        r"\Bigl[\min(\tfrac{\beta'}\beta,\tfrac{\gamma'}\gamma),"
        r"\max(\tfrac{\beta'}\beta,\tfrac{\gamma'}\gamma)\Bigr]",
        scope="all σ ≥ 0, all positive weights: every grid, and the continuum",
        kind="symbolic",
        check=_between,
        variant=partial(_between, metric=b),
        perturbed="The same relative to the metric without its derivative term.",
        page=PAGE,
    ),
    Theorem(
        id="T12.grids",
        title="the step size does not depend on the grid",
        statement="On cells and on elements from n = 4 to 32 the relative curvatures stay within "
        "these bounds, so one step size does for all; relative to the ordinary product they grow "
        "like n², as the symbols say.",
        tex=r"\|w_{t+1}-w^*\|\le\max(|1-\tau m|,|1-\tau\Lambda|)\,\|w_t-w^*\|",
        scope="one metric and one loss, both boundaries, both grids; up to rounding",
        kind="numeric",
        check=_grids,
        variant=partial(_grids, product=lambda grid, _metric: grid.mass.toarray()),
        perturbed="They stay within these bounds relative to the ordinary product.",
        page=PAGE,
    ),
)
