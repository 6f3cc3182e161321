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

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import sympy as sp

from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.grids import Grid, cells, elements
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric
from cdg_theory.proofs.tools.exact_matrices import identity
from cdg_theory.proofs.tools.rational_members import U, form

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PAGE = "theory/two-grids.md"
WEIGHTS = (
    (1.0, 0.0, 0.5, 0.0), (2.0, 3.0, 0.25, 0.0), (1.0, 4.0, 0.0, 0.0),
    (1.0, 0.0, 0.0, 0.01), (2.0, 3.0, 0.25, 0.001),
)  # fmt: skip


def _form(grid: Grid, metric: Metric, h: NDArray[Any], k: NDArray[Any]) -> Any:
    r"""Return :math:`\langle h,k\rangle` of what the numbers on a grid stand for.

    Cells: the sums of the form on channels. Elements: integrals over each element, of quadratics at
    most, by Simpson's rule, which is exact for them.
    """
    if len(grid.nodes) and grid.nodes[0] > 0:
        return form(metric, h, k) / len(h)
    alpha, beta, gamma = map(Fraction, (metric.mean, metric.fluctuation, metric.derivative))
    width = Fraction(1, len(grid.widths))
    after = range(1, len(h) + (grid.boundary == "periodic"))
    pairs = [(i - 1, i % len(h)) for i in after]

    def integral(u: NDArray[Any], v: NDArray[Any]) -> Any:
        middles = sum((u[i] + u[j]) * (v[i] + v[j]) for i, j in pairs)
        return width / 6 * (middles + sum(u[i] * v[i] + u[j] * v[j] for i, j in pairs))

    one = 0 * h + 1
    h_bar, k_bar = integral(h, one), integral(k, one)
    rough = sum((h[j] - h[i]) * (k[j] - k[i]) for i, j in pairs) / width
    return alpha * h_bar * k_bar + beta * (integral(h, k) - h_bar * k_bar) + gamma * rough


def _inner(own: Callable[..., Any] = Grid.inner) -> bool:
    """Compare the form, its matrix and the mean with the definition, on all unit vectors."""
    for boundary, make, n in product(get_args(Boundary), (cells, elements), (1, 2, 3, 5)):
        grid = make(n, boundary)
        size = len(grid.nodes)
        exact_units, units = identity(size), np.eye(size)
        mean = Metric(1.0, 2.0**-60, 0.0)  # h̄k̄, and next to nothing of the rest
        for weights in ((1.5, 0.75, 0.25), (0.5, 0.0, 0.25), (2.0, 3.0, 0.0)):
            metric = Metric(*weights, boundary=boundary)
            exact = [[_form(grid, metric, h, k) for k in exact_units] for h in exact_units]
            wanted = np.array(exact, dtype=float)
            found = [[own(grid, metric, h, k) for k in units] for h in units]
            slack = 32 * U * (wanted.max() + max(weights))
            for matrix in (found, grid.gram(metric)):
                if abs(np.array(matrix) - wanted).max() > slack:
                    return False
        for u, exact_u in zip(units, exact_units, strict=True):
            h_bar = float(_form(grid, mean, exact_u, 0 * exact_u + 1))
            projected = grid.project_mean(u)
            if projected.shape != u.shape or abs(projected - h_bar).max() > 8 * U:
                return False
            if abs(grid.mean @ u - h_bar) > 8 * U:
                return False
    return True


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
    largest symbol, :math:`12n^2` (elements), whose square a curvature weighs.
    """
    n = 48
    for boundary in get_args(Boundary):
        omega = (3 if boundary == "natural" else 4) * np.pi
        for make, symbol in ((cells, cell_symbol), (elements, element_symbol)):
            grid = make(n, boundary)
            wave = np.cos(omega * grid.nodes)
            sigma = square(symbol, omega, n)
            for weights in WEIGHTS:
                metric = Metric(*weights, boundary=boundary)
                alpha, beta, gamma, delta = weights
                predicted = 5 / alpha + wave / (beta + gamma * sigma + delta * sigma**2)
                found = grid.gradient(metric, 5 + wave)
                least, most = (beta + gamma * x + delta * x**2 for x in (8, 12 * n**2))
                smallest = min(alpha, least)
                condition = max(alpha, most) / smallest
                bound = n * 2.0**-53 * condition * 6 / smallest
                if np.abs(found - predicted).max() > bound:
                    return False
    return True


THEOREMS = (
    Theorem(
        id="T1.grids",
        title="the form on a grid is the form of what the numbers stand for",
        statement="On cells the three terms are sums over cells and faces, on elements the "
        "integrals of piecewise linear functions, and the mean is their mean.",
        tex=r"\langle h,k\rangle=(\alpha-\beta)\,(q^Th)(q^Tk)+\beta\,h^TQk+\gamma\,h^TKk",
        scope="all unit vectors on n = 1, 2, 3, 5 cells and elements, three metrics, both "
        "boundaries; against rational numbers",
        kind="numeric",
        check=_inner,
        variant=partial(_inner, own=lambda _grid, _metric, h, k: h @ k / len(h)),
        perturbed="The form is the ordinary product by the midpoint rule.",
        page=PAGE,
    ),
    Theorem(
        id="T2.grid-symbols",
        title="modes and eigenvalues on two grids",
        statement=(
            "On cells and on elements the sampled modes are modes for every n. Their "
            "eigenvalue has a number σ in the place of ω², with θ = ω/n; σ differs from ω² by "
            "ω⁴/12n² to leading order, from below on cells and from above on elements."
        ),
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
        tex=r"A k=Qg\ \Rightarrow\ k=\frac5\alpha"
        r"+\frac{\cos\omega o}{\beta+\gamma\sigma+\delta\sigma^2}",
        scope="g = 5 + cos ωo, five metrics, two with a curvature, both boundaries, both grids",
        kind="numeric",
        check=_solves,
        variant=partial(_solves, square=lambda _symbol, omega, _n: omega**2),
        perturbed="The grid's gradient is the continuum's: σ = ω².",
        page=PAGE,
    ),
)
