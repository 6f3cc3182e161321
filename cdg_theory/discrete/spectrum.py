r"""Eigenvalues and eigenvectors of the metric on n output channels, and the fast transforms.

The Gram matrix M = αP + β(I−P) + γsL + δs²L² is diagonal in the cosine basis of the path and in
the Fourier basis of the cycle; the constant has eigenvalue α, mode m ≥ 1 has
:math:`\beta + \gamma s\,\ell_m + \delta s^2\ell_m^2` with

==========  ==================================  ==================================================
boundary    :math:`\ell_m`                      eigenvector :math:`v_m(i)`, up to its norm
==========  ==================================  ==================================================
natural     :math:`4\sin^2(\pi m/2n)`           :math:`\cos(\pi m(i+\frac12)/n)`, the DCT-II
periodic    :math:`4\sin^2(\pi m/n)`            :math:`\exp(2\pi\mathrm i\,mi/n)`, the DFT
==========  ==================================  ==================================================

The transforms cost :math:`O(n\log n)` per column. They serve analysis, and as an oracle; the
gradient itself is cheaper by the sweeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cdg_theory.checks import channel_count, finite_number, float_rows, one_of
from cdg_theory.metric import Boundary, Metric, check_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray


def laplacian_eigenvalues(boundary: Boundary, n: int) -> NDArray[np.float64]:
    r"""Return the eigenvalues :math:`\ell_m` of the path's or the cycle's Laplacian, by mode m.

    .. math::

        \ell_m = 4\sin^2\frac{\pi m}{2n}\ \text{(natural)}, \qquad
        \ell_m = 4\sin^2\frac{\pi m}{n}\ \text{(periodic)}

    =========  ============  ==================================================
    symbol     argument      meaning
    =========  ============  ==================================================
    (graph)    ``boundary``  ``"natural"``: the path; ``"periodic"``: the cycle
    :math:`n`  ``n``         number of nodes, >= 1
    =========  ============  ==================================================

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64.

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` < 1 or ``boundary`` is unknown.

    See Also
    --------
    cdg_theory.discrete.eigenvalues : Those of the metric.
    cdg_theory.discrete.graph_laplacian : L itself.
    cdg_theory.discrete.to_modes : Coefficients in its eigenvectors.

    Examples
    --------
    >>> from cdg_theory.discrete import laplacian_eigenvalues
    >>> laplacian_eigenvalues("natural", 3).round(12)
    array([0., 1., 3.])
    >>> laplacian_eigenvalues("periodic", 4).round(12)
    array([0., 2., 4., 2.])
    """
    n = channel_count(n)
    one_of("boundary", boundary, get_args(Boundary))
    m = np.arange(n)
    if boundary == "natural":
        return 4 * np.sin(np.pi * m / (2 * n)) ** 2
    # Mode m and mode n−m are the same frequency; the smaller number keeps its digits.
    return 4 * np.sin(np.pi * np.minimum(m, n - m) / n) ** 2


def eigenvalues(metric: Metric, n: int) -> NDArray[np.float64]:
    r"""Return the eigenvalues of M by mode number, shape (n,).

    .. math:: \alpha, \quad \beta+\gamma s\,\ell_m+\delta s^2\ell_m^2 \quad (m\ge1)

    for mode 0 and the modes m after it, with the weights :math:`\alpha,\beta,\gamma,\delta` of the
    metric, :math:`s = n^2` or 1, and the Laplacian's eigenvalues :math:`\ell_m`
    (:func:`laplacian_eigenvalues`).

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
    cdg_theory.discrete.laplacian_eigenvalues : Those of L.
    cdg_theory.discrete.to_modes : Coefficients in the eigenvectors.
    cdg_theory.discrete.gram_power : M to any power.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import eigenvalues
    >>> eigenvalues(Metric(5.0, 1.0, 2.0, spacing="unit"), 3).round(12)
    array([5., 3., 7.])
    """
    check_metric(metric)
    n = channel_count(n)
    ell = laplacian_eigenvalues(metric.boundary, n)
    spectrum = metric.fluctuation + (metric.stiffness(n) + metric.rigidity(n) * ell) * ell
    spectrum[0] = metric.mean
    return spectrum


def to_modes(u: NDArray[Any], boundary: Boundary) -> NDArray[Any]:
    r"""Return the coefficients of ``u`` in the orthonormal eigenvectors of M, along axis 0.

    .. math:: \hat u_m = \sum_i \overline{v_m(i)}\,u_i

    with channel number :math:`i` and mode number :math:`m`.
    The eigenvectors :math:`v_m` are the cosines of the DCT-II (natural; real) or the waves of the
    DFT (periodic; complex, and for real ``u`` mode n−m is the conjugate of mode m).

    ===============  ============  ==============================================
    symbol           argument      meaning
    ===============  ============  ==============================================
    :math:`u`        ``u``         (n, ...) numbers; axis 0 is the output channel
    (end condition)  ``boundary``  ``"natural"`` or ``"periodic"``
    ===============  ============  ==============================================

    Returns
    -------
    numpy.ndarray
        The coefficients by mode number, of the shape of ``u``.

    Raises
    ------
    TypeError
        If ``u`` does not hold numbers.
    ValueError
        If ``u`` has no rows, or ``boundary`` is unknown.

    See Also
    --------
    cdg_theory.discrete.from_modes : The inverse.
    cdg_theory.discrete.eigenvalues : What M multiplies each mode by.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory.discrete import to_modes
    >>> to_modes(np.array([2.0, 2.0, 2.0, 2.0]), "natural").round(12)
    array([4., 0., 0., 0.])
    """
    import scipy.fft

    one_of("boundary", boundary, get_args(Boundary))
    u = float_rows("u", u, kinds="fiuc")
    if boundary == "natural":
        return scipy.fft.dct(u, type=2, norm="ortho", axis=0)
    return scipy.fft.fft(u, norm="ortho", axis=0)


def from_modes(modes: NDArray[Any], boundary: Boundary) -> NDArray[Any]:
    r"""Return the array that has given coefficients: the inverse of ``to_modes``.

    .. math:: u_i = \sum_m \hat u_m\,v_m(i)

    for each channel :math:`i`, with the eigenvectors :math:`v_m` of :func:`to_modes`.

    ===============  ============  ================================================
    symbol           argument      meaning
    ===============  ============  ================================================
    :math:`\hat u`   ``modes``     (n, ...) coefficients; axis 0 is the mode number
    (end condition)  ``boundary``  ``"natural"`` or ``"periodic"``
    ===============  ============  ================================================

    Returns
    -------
    numpy.ndarray
        Of the shape of ``modes``; complex for the periodic boundary.

    Raises
    ------
    TypeError
        If ``modes`` does not hold numbers.
    ValueError
        If ``modes`` has no rows, or ``boundary`` is unknown.

    See Also
    --------
    cdg_theory.discrete.to_modes : The inverse.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory.discrete import from_modes
    >>> from_modes(np.array([4.0, 0.0, 0.0, 0.0]), "natural").round(12)
    array([2., 2., 2., 2.])
    """
    import scipy.fft

    one_of("boundary", boundary, get_args(Boundary))
    modes = float_rows("modes", modes, kinds="fiuc")
    if boundary == "natural":
        return scipy.fft.idct(modes, type=2, norm="ortho", axis=0)
    return scipy.fft.ifft(modes, norm="ortho", axis=0)


def spectral_gradient(grad: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    r"""Return :math:`k = M^{-1}g` by transform, division and transform back, in float64.

    A second way to the same result, which shares no code with the sweeps: :math:`O(n\log n)` per
    column.

    =========  ==========  ===========================================
    symbol     argument    meaning
    =========  ==========  ===========================================
    :math:`g`  ``grad``    (n, ...) real; axis 0 is the output channel
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    =========  ==========  ===========================================

    Returns
    -------
    numpy.ndarray
        Of the shape of ``grad``, float64.

    Raises
    ------
    TypeError
        If ``grad`` does not hold real numbers, or ``metric`` is not a metric.
    ValueError
        If ``grad`` has no axis 0 or no rows.

    See Also
    --------
    cdg_theory.discrete.riemannian_gradient : By sweeps, in linear time.
    cdg_theory.discrete.to_modes : The transform.
    cdg_theory.discrete.eigenvalues : The divisors.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import spectral_gradient
    >>> spectral_gradient(np.array([1.0, 2.0, 6.0]), Metric.reweighted_h0(2.0)).round(12)
    array([2. , 2.5, 4.5])
    """
    g = float_rows("grad", grad, kinds="fiu").astype(np.float64)
    spectrum = eigenvalues(metric, len(g)).reshape(-1, *(1,) * (g.ndim - 1))
    return from_modes(to_modes(g, metric.boundary) / spectrum, metric.boundary).real


def gram_power(metric: Metric, n: int, exponent: float) -> NDArray[np.float64]:
    r"""Return :math:`M^p`, the dense n×n matrix, for any real p.

    .. math:: M^p = V\,\mathrm{diag}(\mu_m^p)\,V^T

    with the eigenvalues :math:`\mu_m` of M, mode by mode, and its orthonormal eigenvectors, cosines
    (natural) or waves (periodic), as columns of V.
    :math:`M^{\pm1/2}` changes to the coordinates of theorem 9.

    ===============  ============  ================================================
    symbol           argument      meaning
    ===============  ============  ================================================
    :math:`M`        ``metric``    see :class:`cdg_theory.Metric`
    :math:`n`        ``n``         number of output channels
    :math:`p`        ``exponent``  any finite number: 1 is M, −1 its inverse
    ===============  ============  ================================================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, ``n`` not an integer, or ``exponent`` not a real number.
    ValueError
        If ``n`` < 1, ``exponent`` is not finite, or a power overflows float64.

    See Also
    --------
    cdg_torch.metric_power : Applied to torch tensors, without a matrix.
    cdg_theory.discrete.gram_matrix : The power 1.
    cdg_theory.discrete.inverse_matrix : The power −1, in closed form.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import gram_power
    >>> gram_power(Metric.reweighted_h0(4.0), 2, 0.5).round(12)
    array([[ 1.5, -0.5],
           [-0.5,  1.5]])
    """
    p = finite_number("exponent", exponent, cure="0.5 and -0.5 are the roots")
    with np.errstate(over="ignore"):
        powers = eigenvalues(metric, n) ** p
    if not np.isfinite(powers).all():
        msg = f"exponent must leave the powers of M within float64, got {p}; give one nearer 0"
        raise ValueError(msg)
    modes = to_modes(np.eye(n), metric.boundary)
    return from_modes(powers[:, None] * modes, metric.boundary).real
