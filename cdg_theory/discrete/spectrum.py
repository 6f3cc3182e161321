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
    r"""Return :math:`\ell_0, \ldots, \ell_{n-1}` of the path or the cycle, by mode number.

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` < 1 or ``boundary`` is unknown.

    Examples
    --------
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
    r"""Return the eigenvalues of M by mode number.

    .. math:: \alpha, \quad \beta+\gamma s\,\ell_m+\delta s^2\ell_m^2 \quad (m\ge1)

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` < 1.

    Examples
    --------
    >>> from cdg_theory import Metric
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
    r"""Return the coefficients of ``u`` (n, ...) in the orthonormal eigenvectors, along axis 0.

    The DCT-II for the natural boundary (real), the DFT for the periodic one (complex, mode m and
    mode n−m conjugate for real ``u``).

    Examples
    --------
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
    r"""Return ``u`` from its coefficients: the inverse of :func:`to_modes`.

    Examples
    --------
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

    A second way to the same result, sharing nothing with the sweeps.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> spectral_gradient(np.array([1.0, 2.0, 6.0]), Metric.reweighted_h0(2.0)).round(12)
    array([2. , 2.5, 4.5])
    """
    g = float_rows("grad", grad, kinds="fiu").astype(np.float64)
    spectrum = eigenvalues(metric, len(g)).reshape(-1, *(1,) * (g.ndim - 1))
    return from_modes(to_modes(g, metric.boundary) / spectrum, metric.boundary).real


def gram_power(metric: Metric, n: int, exponent: float) -> NDArray[np.float64]:
    r"""Return :math:`M^p`, the dense n×n matrix, for any real p.

    .. math:: M^p = V\,\mathrm{diag}(\mu_m^p)\,V^T

    with the orthonormal cosines (natural) or waves (periodic) as columns of V.
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
        If ``n`` is not an integer, or ``exponent`` not a real number.
    ValueError
        If ``n`` < 1, or ``exponent`` is not finite or leaves float64.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> gram_power(Metric.reweighted_h0(4.0), 2, 0.5).round(12)
    array([[ 1.5, -0.5],
           [-0.5,  1.5]])
    """
    p = finite_number("exponent", exponent, cure="0.5 and -0.5 are the roots")
    with np.errstate(over="ignore"):
        powers = eigenvalues(metric, n) ** p
    if not np.isfinite(powers).all():
        msg = f"exponent must leave the powers of M within float64, got {p}; nearer to 0"
        raise ValueError(msg)
    modes = to_modes(np.eye(n), metric.boundary)
    return from_modes(powers[:, None] * modes, metric.boundary).real
