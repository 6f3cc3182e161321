r"""Theorem 2 on a grid: finite differences and finite elements replace ω² and change nothing else.

Both grids have the modes of the continuum, sampled, as their own modes. What differs is the
symbol, what stands for :math:`\omega^2`: with :math:`\theta=\omega/n`,

.. math:: \sigma_{\text{cells}} = 2n^2(1-\cos\theta) = \omega^2-\tfrac{\omega^4}{12n^2}+\dots,
    \qquad
    \sigma_{\text{elements}} = \frac{6n^2(1-\cos\theta)}{2+\cos\theta}
    = \omega^2+\tfrac{\omega^4}{12n^2}+\dots

One errs by as much as the other, on either side: second order both, and the library's choice
(cells) is one of several.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import sympy as sp

from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.grids import cells, elements
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/weak-form.md"


def cell_symbol(n: Any, theta: Any, cos: Any) -> Any:
    """Return what stands for ω² on n cells, θ = ω/n."""
    return 2 * n**2 * (1 - cos(theta))


def element_symbol(n: Any, theta: Any, cos: Any) -> Any:
    """Return what stands for ω² on n elements, θ = ω/n."""
    return 6 * n**2 * (1 - cos(theta)) / (2 + cos(theta))


def _symbols(on_elements: Callable[[Any, Any, Any], Any] = element_symbol) -> bool:
    """Apply every kind of row to a sampled wave, then expand the symbols in 1/n."""
    n, theta, phi, omega = sp.symbols("n theta phi omega", positive=True)

    def stiffness(here: Any) -> Any:
        """Apply an inner row of the stiffness matrix (times 1/n) to cos."""
        return 2 * sp.cos(here) - sp.cos(here - theta) - sp.cos(here + theta)

    cell, element = (symbol(n, theta, sp.cos) / n**2 for symbol in (cell_symbol, on_elements))
    half = theta / 2  # the first cell's middle is half a cell inside: cos(±θ/2) are equal
    rows = [
        # Cells, mass 1: an inner row, and the first, which has one neighbour only.
        stiffness(phi) - cell * sp.cos(phi),
        sp.cos(half) - sp.cos(half + theta) - cell * sp.cos(half),
        # Elements, mass 1/6, 4/6, 1/6: an inner row, and the first node's, half of it.
        stiffness(phi)
        - element * (sp.cos(phi - theta) + 4 * sp.cos(phi) + sp.cos(phi + theta)) / 6,
        1 - sp.cos(theta) - element * (2 + sp.cos(theta)) / 6,
    ]
    series = [
        sp.series(symbol(n, omega / n, sp.cos).subs(n, 1 / theta), theta, 0, 4).removeO()
        for symbol in (cell_symbol, on_elements)
    ]
    orders = [
        sp.expand(one - omega**2 - sign * omega**4 * theta**2 / 12)
        for one, sign in zip(series, (-1, 1), strict=True)
    ]
    # The last row and the circle's rows are the first and an inner one again, at waves that end
    # flat or close.
    return all(map(vanishes, rows)) and orders == [0, 0]


def _predicted(symbol: Callable[..., Any], omega: float, n: int) -> Any:
    """Return what stands for ω² on n cells or elements."""
    return symbol(n, omega / n, np.cos)


def _solves(square: Callable[..., Any] = _predicted) -> bool:
    r"""Solve on both grids and compare with the symbols' prediction, up to rounding.

    The sparse solve is backward stable but for its condition number, at most the ratio of the
    largest and the smallest eigenvalue of the Gram matrix over the mass; the 12 stands for the
    largest symbol, :math:`12n^2` (elements).
    """
    n = 48
    for boundary in get_args(Boundary):
        omega = (3 if boundary == "natural" else 4) * np.pi
        for make, symbol in ((cells, cell_symbol), (elements, element_symbol)):
            grid = make(n, boundary)
            wave = np.cos(omega * grid.nodes)
            sigma = square(symbol, omega, n)
            for weights in ((1.0, 0.0, 0.5), (2.0, 3.0, 0.25), (1.0, 4.0, 0.0)):
                metric = Metric(*weights, boundary=boundary)
                alpha, beta, gamma = weights
                predicted = 5 / alpha + wave / (beta + gamma * sigma)
                found = grid.gradient(metric, 5 + wave)
                smallest = min(alpha, beta + 8 * gamma)
                condition = max(alpha, beta + 12 * gamma * n**2) / smallest
                bound = n * 2.0**-53 * condition * 6 / smallest
                if np.abs(found - predicted).max() > bound:
                    return False
    return True


THEOREMS = (
    Theorem(
        id="T2.grid-symbols",
        title="two grids, one theory",
        statement="On cells and on elements the sampled modes are modes, for every n, with ω² "
        "replaced by a symbol that differs from it by ω⁴/12n² to leading order, from below and "
        "from above.",
        tex=r"\sigma=2n^2(1-\cos\theta),\qquad\sigma=\frac{6n^2(1-\cos\theta)}{2+\cos\theta}",
        scope="all n, all frequencies, both boundaries",
        kind="symbolic",
        check=_symbols,
        variant=partial(_symbols, on_elements=cell_symbol),
        perturbed="Elements have the symbol of cells.",
        page=PAGE,
    ),
    Theorem(
        id="T2.grid-solves",
        title="the sparse solves do what the symbols say",
        statement="The sparse gradients on 48 cells and on 48 elements are the predicted ones up "
        "to rounding: eps times n times the condition number.",
        tex=r"A k=Qg\ \Rightarrow\ k=\frac5\alpha+\frac{\cos\omega o}{\beta+\gamma\sigma}",
        scope="g = 5 + cos ωo, three metrics, both boundaries, both grids",
        kind="numeric",
        check=_solves,
        variant=partial(_solves, square=lambda _symbol, omega, _n: omega**2),
        perturbed="The grid's gradient is the continuum's: σ = ω².",
        page=PAGE,
    ),
)
