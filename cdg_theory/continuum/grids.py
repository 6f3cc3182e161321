r"""The metric on a grid: finite differences on cells, and linear finite elements; both sparse.

On any grid a function becomes a vector u of numbers, and the four terms become

.. math:: \int hk \to h^T Q k, \qquad \bar h \to q^T h\ (q=Q\mathbf 1), \qquad
    \int h'k' \to h^T D^T W D\,k = h^T K k, \qquad \int h''k'' \to (Q^{-1}Kh)^TQ\,(Q^{-1}Kk),

so the Gram matrix is :math:`A = \alpha qq^T + \beta(Q-qq^T) + \gamma K + \delta KQ^{-1}K`, and the
gradient solves :math:`A k = Q g`. Q is the mass matrix, q the mean, D the derivative, K the
stiffness matrix, and :math:`Q^{-1}Ku` stands for :math:`-u''` with no slope at natural ends. On
elements, whose functions have no second derivative, this is the mixed method.

=====================  ==============================  =====================================
grid                   numbers stand for               mass matrix
=====================  ==============================  =====================================
:func:`cells`          values in the middles of n      :math:`I/n`
                       equal cells (finite             (midpoint rule)
                       differences)
:func:`elements`       values at the nodes of a        tridiagonal 1/6, 4/6, 1/6 over n
                       piecewise linear function       (exact integrals of the functions)
                       (P1 finite elements)
=====================  ==============================  =====================================

The library's own discretization is :func:`cells`: there :math:`M=nA`, and :math:`k=M^{-1}g`.
Both converge to the continuum at second order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cdg_theory.checks import channel_count, one_of
from cdg_theory.metric import Boundary, Metric, check_metric, check_normalized

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid on [0, 1] and the sparse operators on it.

    ================  ========  ==================================================
    field             symbol    meaning
    ================  ========  ==================================================
    ``nodes``         o_i       where the numbers stand, (N,)
    ``mass``          Q         the ordinary inner product, (N, N)
    ``derivative``    D         derivative in every cell or element, (E, N)
    ``widths``        diag W    length of each, (E,)
    ``boundary``                natural, or a cycle
    ================  ========  ==================================================
    """

    nodes: NDArray[np.float64]
    mass: csr_array
    derivative: csr_array
    widths: NDArray[np.float64]
    boundary: Boundary

    def _check(self, metric: Metric) -> None:
        """Refuse a metric that this grid cannot hold: another boundary, or steps of one channel."""
        check_metric(metric)
        check_normalized(metric)
        if metric.derivative_order and metric.boundary != self.boundary:
            msg = (
                f"the metric has boundary {metric.boundary!r} and the grid {self.boundary!r}; make "
                "the grid with the metric's"
            )
            raise ValueError(msg)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The vector q of the mean: q·u approximates the integral of u."""
        return self.mass @ np.ones(len(self.nodes))

    @property
    def stiffness(self) -> csr_array:
        """The stiffness matrix K = DᵀWD."""
        import scipy.sparse as sp

        return (self.derivative.T @ sp.diags_array(self.widths) @ self.derivative).tocsr()

    def bend(self, u: NDArray[Any]) -> NDArray[Any]:
        """Return what stands for −u″, without slope at natural ends: v with Q v = K u.

        Examples
        --------
        >>> cells(4).bend(np.array([0.0, 1.0, 1.0, 1.0]))
        array([-16.,  16.,   0.,   0.])
        """
        from scipy.sparse.linalg import spsolve

        return spsolve(self.mass.tocsc(), self.stiffness @ u)

    def project_mean(self, u: NDArray[Any]) -> NDArray[Any]:
        """Return the constant function that has the mean of ``u``."""
        return np.broadcast_to(self.mean @ u, u.shape)

    def inner(self, metric: Metric, h: NDArray[Any], k: NDArray[Any]) -> Any:
        """Return ⟨h, k⟩ on this grid.

        Raises
        ------
        TypeError
            If ``metric`` is not a metric.
        ValueError
            If its boundary is not the grid's, or its spacing is "unit".

        Examples
        --------
        The form of theorem 1's table, (α, β, γ) = (1, 0, 1), on h = k = o: 1/4 + 1.

        >>> from cdg_theory import Metric
        >>> grid = elements(8)
        >>> round(float(grid.inner(Metric.sobolev(1.0), grid.nodes, grid.nodes)), 12)
        1.25
        """
        self._check(metric)
        q = self.mean
        return (
            (metric.mean - metric.fluctuation) * (q @ h) * (q @ k)
            + metric.fluctuation * h @ (self.mass @ k)
            + metric.derivative * h @ (self.stiffness @ k)
            + metric.curvature * (self.stiffness @ h) @ self.bend(k)
        )

    def gram(self, metric: Metric) -> NDArray[np.float64]:
        r"""Return A, the matrix of the inner product, dense.

        Examples
        --------
        >>> from cdg_theory import Metric, discrete
        >>> metric = Metric(1.0, 0.5, 0.25, boundary="periodic")
        >>> gram = cells(5, "periodic").gram(metric)
        >>> bool(np.allclose(5 * gram, discrete.gram_matrix(metric, 5)))
        True
        """
        self._check(metric)
        q = self.mean
        stiffness = self.stiffness.toarray()
        square = stiffness @ np.linalg.solve(self.mass.toarray(), stiffness)
        plain = metric.fluctuation * self.mass.toarray() + metric.derivative * stiffness
        mean = (metric.mean - metric.fluctuation) * np.outer(q, q)
        return plain + metric.curvature * square + mean

    def gradient(self, metric: Metric, g: NDArray[Any]) -> NDArray[Any]:
        r"""Return k with A k = Q g by one sparse solve.

        A is sparse but for two terms. With the mean :math:`\kappa=q^Tk` and the moment
        :math:`m=\delta Q^{-1}Kk` as further unknowns the system is sparse altogether, and regular
        for every definite metric, also at :math:`\beta=0`; without curvature m is left out:

        .. math:: \begin{pmatrix}\beta Q+\gamma K & K & (\alpha-\beta)q\\ \delta K & -Q & 0\\
            q^T & 0 & -1\end{pmatrix}
            \begin{pmatrix}k\\m\\\kappa\end{pmatrix}=\begin{pmatrix}Qg\\0\\0\end{pmatrix}

        Examples
        --------
        >>> from cdg_theory import Metric
        >>> grid = elements(4)
        >>> grid.gradient(Metric.reweighted_h0(2.0), np.array([0.0, 0.0, 4.0, 0.0, 0.0]))
        array([0.5, 0.5, 2.5, 0.5, 0.5])
        """
        import scipy.sparse as sp
        from scipy.sparse.linalg import spsolve

        self._check(metric)
        q, size = sp.csr_array(self.mean[:, None]), len(self.nodes)
        stiffness = self.stiffness
        body = metric.fluctuation * self.mass + metric.derivative * stiffness
        if metric.curvature:
            moment = sp.block_array([[body, stiffness], [metric.curvature * stiffness, -self.mass]])
            body, q = moment, sp.vstack([q, sp.csr_array((size, 1))])
        border = (metric.mean - metric.fluctuation) * q
        system = sp.block_array([[body, border], [q.T, sp.csr_array([[-1.0]])]])
        right = np.append(self.mass @ g, np.zeros(system.shape[0] - size))
        return spsolve(system.tocsc(), right)[:size]


def cells(n: int, boundary: Boundary = "natural") -> Grid:
    """Return n equal cells with values in their middles: the finite differences of the library.

    Raises
    ------
    ValueError
        If ``n`` < 1 or ``boundary`` is unknown.

    Examples
    --------
    >>> cells(4).nodes
    array([0.125, 0.375, 0.625, 0.875])
    """
    import scipy.sparse as sp

    n = channel_count(n)
    one_of("boundary", boundary, get_args(Boundary))
    mass = sp.eye_array(n, format="csr") / n
    return Grid((np.arange(n) + 0.5) / n, mass, *_differences(n, boundary, closed=n), boundary)


def elements(n: int, boundary: Boundary = "natural") -> Grid:
    """Return n equal elements with piecewise linear functions: P1 finite elements.

    Natural: n + 1 nodes. Periodic: n nodes, the last element ends at the first node.

    Raises
    ------
    ValueError
        If ``n`` < 1 or ``boundary`` is unknown.

    Examples
    --------
    >>> elements(2).mass.toarray() * 12
    array([[2., 1., 0.],
           [1., 4., 1.],
           [0., 1., 2.]])
    """
    import scipy.sparse as sp

    n = channel_count(n)
    one_of("boundary", boundary, get_args(Boundary))
    count = n + 1 if boundary == "natural" else n
    left, right = np.arange(n), (np.arange(n) + 1) % count
    # On one element of length 1/n: the products of the two hat functions' halves.
    i = np.concatenate([left, right, left, right])
    j = np.concatenate([left, right, right, left])
    values = np.repeat([1 / 3, 1 / 3, 1 / 6, 1 / 6], n) / n
    mass = sp.coo_array((values, (i, j)), shape=(count, count)).tocsr()
    return Grid(np.arange(count) / n, mass, *_differences(count, boundary, closed=n), boundary)


def _differences(
    count: int, boundary: Boundary, closed: int
) -> tuple[csr_array, NDArray[np.float64]]:
    """Return D and the widths: neighbours ``1/closed`` apart, round the circle if periodic."""
    import scipy.sparse as sp

    steps = count - 1 if boundary == "natural" else count
    i = np.arange(steps)
    rows, columns = np.concatenate([i, i]), np.concatenate([i, (i + 1) % count])
    values = np.repeat([-float(closed), float(closed)], steps)
    derivative = sp.coo_array((values, (rows, columns)), shape=(steps, count)).tocsr()
    return derivative, np.full(steps, 1.0 / closed)
