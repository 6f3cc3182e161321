r"""The finite-element variant: the metric's form itself, on continuous piecewise linear functions.

.. math:: \langle h,k\rangle = \alpha\,\bar h\bar k + \beta(h-\bar h,\,k-\bar k) + \gamma(h',k')

restricted to hat functions :math:`\varphi_i` on a uniform mesh. With the mass matrix
:math:`B_{ij}=(\varphi_i,\varphi_j)`, the stiffness matrix
:math:`K_{ij}=(\varphi_i',\varphi_j')` and the means :math:`m_i=\bar\varphi_i` the gradient solves

.. math:: \big(\alpha\,mm^T + \beta(B-mm^T) + \gamma K\big)\,k = B g .

It lives on the nodes of the mesh, not on cell centres, and its matrix couples neighbours in every
term, so that no one-line H⁰ gradient is left: this is why the library uses the cell-centred Gram
matrix instead. It stands here as the classical discretization to compare with (theorem 6), and is
solved with a dense matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import channel_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Boundary, Metric

__all__ = ["finite_element_gradient", "finite_element_nodes", "mass_matrix", "stiffness_matrix"]


def finite_element_nodes(boundary: Boundary, elements: int) -> NDArray[np.float64]:
    r"""Return the nodes of ``elements`` equal intervals of [0,1]; periodic: 1 is 0.

    Examples
    --------
    >>> finite_element_nodes("natural", 2), finite_element_nodes("periodic", 2)
    (array([0. , 0.5, 1. ]), array([0. , 0.5]))
    """
    count = channel_count(elements) + (boundary == "natural")
    return np.arange(count) / elements


def _assemble(
    boundary: Boundary, elements: int, element_matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add the 2×2 matrix of one interval at every interval; on the cycle the last ends at 0."""
    count = len(finite_element_nodes(boundary, elements))
    matrix = np.zeros((count, count))
    left = np.arange(elements)
    ends = np.stack([left, (left + 1) % count])
    for a, row in enumerate(element_matrix):
        for b, value in enumerate(row):
            # add.at: on a cycle of one interval both ends are the same node.
            np.add.at(matrix, (ends[a], ends[b]), value)
    return matrix


def mass_matrix(boundary: Boundary, elements: int) -> NDArray[np.float64]:
    r"""Return :math:`B_{ij}=(\varphi_i,\varphi_j)`.

    Examples
    --------
    >>> mass_matrix("natural", 1) * 6
    array([[2., 1.],
           [1., 2.]])
    """
    return _assemble(boundary, elements, np.array([[2.0, 1.0], [1.0, 2.0]]) / (6 * elements))


def stiffness_matrix(boundary: Boundary, elements: int) -> NDArray[np.float64]:
    r"""Return :math:`K_{ij}=(\varphi_i',\varphi_j')`.

    Examples
    --------
    >>> stiffness_matrix("natural", 1)
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    return _assemble(boundary, elements, elements * np.array([[1.0, -1.0], [-1.0, 1.0]]))


def finite_element_gradient(grad: NDArray[Any], metric: Metric) -> NDArray[Any]:
    r"""Return the gradient in the metric from nodal values of the L² gradient.

    ==========  ===========  ===============================================================
    symbol      argument     meaning
    ==========  ===========  ===============================================================
    :math:`g`   ``grad``     values at :func:`finite_element_nodes`, interpolated in between
    (weights)   ``metric``   the continuum metric; its spacing is not used
    ==========  ===========  ===============================================================

    Raises
    ------
    ValueError
        If ``grad`` has fewer nodes than one interval has ends.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> finite_element_gradient(np.array([2.0, 2.0, 2.0]), Metric.sobolev(1.0)).round(12)
    array([2., 2., 2.])
    """
    g = np.asarray(grad, dtype=np.float64)
    elements = len(g) - (metric.boundary == "natural")
    if elements < 1:
        msg = f"grad must have the nodes of at least one interval, got {len(g)}"
        raise ValueError(msg)
    mass = mass_matrix(metric.boundary, elements)
    mean = np.outer(mass.sum(axis=1), mass.sum(axis=1))
    gram = (
        metric.mean * mean
        + metric.fluctuation * (mass - mean)
        + metric.derivative * stiffness_matrix(metric.boundary, elements)
    )
    return np.linalg.solve(gram, mass @ g)
