r"""The Gram matrix M = αP + β(I−P) + γsL + δs²L² and its parts, as operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cdg_theory.checks import channel_count, float_rows, one_of
from cdg_theory.metric import Boundary, Metric, check_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator


def graph_laplacian(boundary: Boundary, n: int) -> csr_array:
    r"""Return L, the Laplacian of the path (natural) or of the cycle (periodic) on ``n`` nodes.

    The path's Laplacian is :math:`L = D^T D` with the difference :math:`(Dk)_i = k_{i+1}-k_i`,
    :math:`i < n-1`. The cycle's is :math:`L = 2I - S - S^T` with the cyclic shift S, for every n:
    on two nodes both neighbours are the other node, :math:`L = [[2,-2],[-2,2]]`, and on one
    node L = 0.

    =========  ============  ==================================================
    symbol     argument      meaning
    =========  ============  ==================================================
    (graph)    ``boundary``  ``"natural"``: the path; ``"periodic"``: the cycle
    :math:`n`  ``n``         number of nodes, >= 1
    =========  ============  ==================================================

    Returns
    -------
    scipy.sparse.csr_array
        L, of shape (n, n), in float64.

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` < 1 or ``boundary`` is unknown.

    See Also
    --------
    cdg_theory.discrete.laplacian_eigenvalues : Its eigenvalues in closed form.
    cdg_theory.discrete.gram_operator : The metric's matrix, made of it.

    Examples
    --------
    >>> from cdg_theory.discrete import graph_laplacian
    >>> graph_laplacian("natural", 3).toarray()
    array([[ 1., -1.,  0.],
           [-1.,  2., -1.],
           [ 0., -1.,  1.]])
    >>> graph_laplacian("periodic", 2).toarray()
    array([[ 2., -2.],
           [-2.,  2.]])
    """
    import scipy.sparse as sp

    n = channel_count(n)
    one_of("boundary", boundary, get_args(Boundary))
    if boundary == "natural":
        difference = sp.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(n - 1, n))
        return (difference.T @ difference).tocsr()
    identity = sp.eye_array(n, format="csr")
    shift = identity[np.roll(np.arange(n), 1)]
    return (2 * identity - shift - shift.T).tocsr()


def gram_operator(metric: Metric, n: int) -> LinearOperator:
    r"""Return M as a SciPy operator: sparse plus rank one, linear time per column.

    .. math:: M k = \beta k + \gamma s L k + \delta s^2 L(Lk) + (\alpha-\beta)\,\bar k\,\mathbf 1

    with the weights :math:`\alpha,\beta,\gamma,\delta` of the metric, the Laplacian :math:`L`, and
    :math:`s = n^2` or 1 (:class:`cdg_theory.Metric`).

    =========  ==========  ===============================
    symbol     argument    meaning
    =========  ==========  ===============================
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    :math:`n`  ``n``       number of output channels, >= 1
    =========  ==========  ===============================

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        M, of shape (n, n), in float64.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``n`` not an integer.
    ValueError
        If ``n`` < 1.

    See Also
    --------
    cdg_theory.discrete.gram_matrix : The same as a dense matrix.
    cdg_theory.discrete.graph_laplacian : L.
    cdg_theory.discrete.riemannian_gradient : Applies the inverse.
    cdg_torch.apply_metric : M k for torch tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import gram_operator
    >>> gram_operator(Metric.sobolev(2.0, spacing="unit"), 3) @ np.array([1.0, 0.0, 0.0])
    array([ 2.33333333, -1.66666667,  0.33333333])
    """
    from scipy.sparse.linalg import LinearOperator

    check_metric(metric)
    n = channel_count(n)
    laplacian = graph_laplacian(metric.boundary, n)
    alpha, beta = metric.mean, metric.fluctuation
    stiffness, rigidity = metric.stiffness(n), metric.rigidity(n)

    def apply(k: NDArray[Any]) -> NDArray[Any]:
        bent = laplacian @ k
        smooth = stiffness * bent + rigidity * (laplacian @ bent)
        return beta * k + smooth + (alpha - beta) * k.mean(axis=0)

    # M is symmetric, so the adjoint is M itself.
    return LinearOperator(
        shape=(n, n), matvec=apply, rmatvec=apply, matmat=apply, rmatmat=apply, dtype=np.float64
    )


def gram_matrix(metric: Metric, n: int) -> NDArray[np.float64]:
    r"""Return M as a dense float64 matrix (n, n), written from its definition.

    .. math::

        M = \alpha P + \beta (I-P) + \gamma s L + \delta s^2 L^2,
        \qquad P = \mathbf 1\mathbf 1^T/n

    with the weights :math:`\alpha,\beta,\gamma,\delta` of the metric, the identity :math:`I`, the
    Laplacian :math:`L`, and :math:`s = n^2` or 1 (:class:`cdg_theory.Metric`). P takes the mean.

    It costs :math:`n^2` memory. It is what the tests compare the fast algorithms with.

    =========  ==========  ===============================
    symbol     argument    meaning
    =========  ==========  ===============================
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    :math:`n`  ``n``       number of output channels, >= 1
    =========  ==========  ===============================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``n`` not an integer.
    ValueError
        If ``n`` < 1.

    See Also
    --------
    cdg_theory.discrete.gram_operator : The same without a dense matrix.
    cdg_theory.discrete.inverse_matrix : Its inverse, in closed form.
    cdg_theory.discrete.gram_power : Any other power.
    cdg_theory.discrete.eigenvalues : Its eigenvalues.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import gram_matrix
    >>> gram_matrix(Metric.reweighted_h0(3.0), 2)
    array([[ 2., -1.],
           [-1.,  2.]])
    """
    check_metric(metric)
    n = channel_count(n)
    identity, projector = np.eye(n), np.full((n, n), 1.0 / n)
    laplacian = graph_laplacian(metric.boundary, n).toarray()
    gram: NDArray[np.float64] = (
        metric.mean * projector
        + metric.fluctuation * (identity - projector)
        + metric.stiffness(n) * laplacian
        + metric.rigidity(n) * (laplacian @ laplacian)
    )
    return gram


def inner_product(h: NDArray[Any], k: NDArray[Any], metric: Metric) -> float:
    r"""Return :math:`\langle h,k\rangle_M = \sum h^TMk`, summed over columns, in linear time.

    ==========  ===========  ==============================================
    symbol      argument     shape and meaning
    ==========  ===========  ==============================================
    :math:`h`   ``h``        (n, ...) real; axis 0 is the output channel
    :math:`k`   ``k``        the same shape
    :math:`M`   ``metric``   see :class:`cdg_theory.Metric`
    ==========  ===========  ==============================================

    Raises
    ------
    TypeError
        If ``h`` or ``k`` does not hold real numbers.
    ValueError
        If they have no rows, or not the same shape.

    See Also
    --------
    cdg_torch.inner_product : The same for torch tensors.
    cdg_theory.discrete.gram_operator : M alone.
    cdg_theory.continuum.InnerProduct : The same on functions.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import inner_product
    >>> inner_product(np.array([1.0, 3.0]), np.array([1.0, 3.0]), Metric.reweighted_h0(10.0))
    28.0

    Notes
    -----
    Theorem 9: in this product :math:`k=M^{-1}g` is the gradient, and :math:`M^{-1}` self-adjoint.
    """
    h, k = (float_rows(name, u, kinds="fiu") for name, u in (("h", h), ("k", k)))
    if h.shape != k.shape:
        msg = f"h and k must have the same shape, got {h.shape} and {k.shape}"
        raise ValueError(msg)
    columns = k.reshape(len(k), -1).astype(np.float64)
    return float(np.vdot(h, gram_operator(metric, len(k)) @ columns))
