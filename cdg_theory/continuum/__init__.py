r"""The continuum theory: metrics on functions of the output channel, and their gradients.

The output-channel axis of a parameter tensor is read as a variable :math:`o\in[0,1]`; every other
axis only indexes independent columns. A column is a function on [0,1], a change of it is a tangent
vector, and a metric measures it. In the order in which a reader would ask:

``functions``      the variable o, arbitrary functions, integrals, and a decision for "equal"
``inner_product``  the metric: three terms, three weights
``weak_form``      from its definition to the gradient's equation and end conditions
``gradient``       the gradient, solved in closed form
``greens``         Green's functions: the kernels that smooth
``spectrum``       modes, eigenvalues, smoothing factors
``noise``          how much white noise is kept, what smoothing costs, the best strength
``grids``          the same on a fine grid: finite differences and finite elements, sparse

Everything is derived from the one formula in ``inner_product`` by machine. What is *claimed* of it,
and proved, stands in :mod:`cdg_theory.proofs`; the ledger runs the proofs.
"""

from __future__ import annotations

from cdg_theory.continuum.functions import (
    generic,
    integral,
    mean,
    o,
    polynomial,
    s,
    trigonometric,
    vanishes,
)
from cdg_theory.continuum.gradient import riemannian_gradient
from cdg_theory.continuum.greens import GreenFunction, green_function
from cdg_theory.continuum.inner_product import InnerProduct
from cdg_theory.continuum.weak_form import (
    StrongForm,
    integrate_by_parts,
    strong_form,
    weak_residual,
)

__all__ = [
    "GreenFunction",
    "InnerProduct",
    "StrongForm",
    "generic",
    "green_function",
    "integral",
    "integrate_by_parts",
    "mean",
    "o",
    "polynomial",
    "riemannian_gradient",
    "s",
    "strong_form",
    "trigonometric",
    "vanishes",
    "weak_residual",
]
