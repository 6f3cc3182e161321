r"""The metric on ``n`` output channels: Gram matrix, inverse and linear-time gradient.

.. math:: M = \alpha P + \beta (I-P) + \gamma s L + \delta s^2 L^2, \qquad k = M^{-1} g

with :math:`P = \mathbf 1\mathbf 1^T/n` and :math:`L` the Laplacian of the path (natural boundary)
or of the cycle (periodic). One concept per module:

``operators``  M, P and L, as SciPy operators and as the dense matrix that tests compare with
``inverse``    M⁻¹ in closed form
``spectrum``   eigenvalues, and the transforms (DCT-II, DFT) to their eigenvectors
``noise``      how much of white gradient noise is kept, tr(M⁻²)/n
``shrinkage``  how much of each mode to keep: signal against noise, one step or early stopping
``moments``    signal and noise in each mode, measured from independent batches
``sweeps``     the linear-time algorithm, which the torch code runs too
``blocks``     the same when the rows lie in blocks on different ranks: the flux form
``gradient``   k = M⁻¹g of a NumPy array: by the sweeps, or exactly for fractions

The classical variant that the theory compares with, finite elements, is one of the grids of
:mod:`cdg_theory.continuum.grids`.
"""

from __future__ import annotations

from cdg_theory.discrete.blocks import shard_plan, sharded_gradient
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.discrete.inverse import inverse_matrix
from cdg_theory.discrete.noise import variance_kept
from cdg_theory.discrete.operators import (
    gram_matrix,
    gram_operator,
    graph_laplacian,
    inner_product,
)
from cdg_theory.discrete.shrinkage import (
    best_factors,
    best_scale,
    best_stopping,
    early_stopping,
    risk,
)
from cdg_theory.discrete.spectrum import (
    eigenvalues,
    from_modes,
    gram_power,
    laplacian_eigenvalues,
    spectral_gradient,
    to_modes,
)
from cdg_theory.discrete.sweeps import SweepFactors, sweep_factors

__all__ = [
    "SweepFactors",
    "best_factors",
    "best_scale",
    "best_stopping",
    "early_stopping",
    "eigenvalues",
    "from_modes",
    "gram_matrix",
    "gram_operator",
    "gram_power",
    "graph_laplacian",
    "inner_product",
    "inverse_matrix",
    "laplacian_eigenvalues",
    "riemannian_gradient",
    "risk",
    "shard_plan",
    "sharded_gradient",
    "spectral_gradient",
    "sweep_factors",
    "to_modes",
    "variance_kept",
]
