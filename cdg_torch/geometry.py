r"""Lengths and angles in the metric: inner product, norms, and the powers :math:`M^p`.

The inner product is :math:`\langle h,k\rangle_M = \sum h^T M k`, summed over columns and groups:
with :math:`M=I` it is the dot product of two tensors, and it is the one in which the library's
:math:`k = M^{-1}g` *is* the gradient, :math:`\langle k,h\rangle_M = \sum g\,h` for every h.
(The integral of the continuum is this sum divided by n, on both sides of that equation.)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cdg_theory.checks import finite_number
from cdg_torch.checks import check_arguments
from cdg_torch.devices import widened
from cdg_torch.gradient import apply_metric, riemannian_gradient
from cdg_torch.operators import from_operand
from cdg_torch.solve.reference import from_rows, to_rows

if TYPE_CHECKING:
    from cdg_theory import Metric


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(widened(a).reshape(-1), widened(b).reshape(-1))


def inner_product(h: Tensor, k: Tensor, metric: Metric, *, dim: int = 0, groups: int = 1) -> Tensor:
    r"""Return :math:`\langle h,k\rangle_M = \sum h^TMk`, a number in float64. Linear time.

    ==========  ===========  =============================================================
    symbol      argument     meaning
    ==========  ===========  =============================================================
    :math:`h`   ``h``        tangent vector, any shape and dense layout
    :math:`k`   ``k``        another, of the same shape
    :math:`M`   ``metric``   see :class:`cdg_theory.Metric`
    (axis)      ``dim``      the output-channel axis
    (blocks)    ``groups``   contiguous blocks along ``dim``, each with a metric of its own
    ==========  ===========  =============================================================

    Returns
    -------
    torch.Tensor
        A number in float64, summed over all columns and groups.

    Raises
    ------
    TypeError
        If a tensor is not a dense one of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.
    ValueError
        If ``dim`` is not an axis, the axis is empty, ``groups`` does not divide it, or the shapes
        differ.

    See Also
    --------
    cdg_torch.metric_norm : The length that it gives.
    cdg_torch.dual_norm : The length of a gradient.
    cdg_torch.apply_metric : M k.
    cdg_theory.discrete.inner_product : The same in NumPy.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import inner_product
    >>> h = torch.tensor([1.0, 3.0])
    >>> inner_product(h, h, Metric.reweighted_h0(10.0)).item()  # 2·2² + 10·(1² + 1²)
    28.0
    """
    check_arguments(h, metric, dim, groups, "h")
    check_arguments(k, metric, dim, groups, "k")
    if h.shape != k.shape:
        msg = f"h and k must have the same shape, got {tuple(h.shape)} and {tuple(k.shape)}"
        raise ValueError(msg)
    return _dot(h, apply_metric(widened(k), metric, dim=dim, groups=groups))


def metric_norm(h: Tensor, metric: Metric, *, dim: int = 0, groups: int = 1) -> Tensor:
    r"""Return :math:`\|h\|_M = \sqrt{\langle h,h\rangle_M}`, a number in float64. Linear time.

    =========  ==========  ==============================================================
    symbol     argument    meaning
    =========  ==========  ==============================================================
    :math:`h`  ``h``       tangent vector, any shape and dense layout
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    (axis)     ``dim``     the output-channel axis
    (blocks)   ``groups``  contiguous blocks along ``dim``, each with a metric of its own
    =========  ==========  ==============================================================

    Raises
    ------
    TypeError
        If ``h`` is not a dense one of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.
    ValueError
        If ``dim`` is not an axis, the axis is empty, or ``groups`` does not divide it.

    See Also
    --------
    cdg_torch.inner_product : The product of two tensors.
    cdg_torch.dual_norm : The length of a gradient.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import metric_norm
    >>> metric_norm(torch.tensor([3.0, 4.0]), Metric.l2()).item()
    5.0
    """
    return inner_product(h, h, metric, dim=dim, groups=groups).clamp_min(0).sqrt()


def dual_norm(g: Tensor, metric: Metric, *, dim: int = 0, groups: int = 1) -> Tensor:
    r"""Return :math:`\|g\|_{M^*} = \sqrt{g^TM^{-1}g}`, the length of the gradient in the metric.

    It equals :math:`\|M^{-1}g\|_M`, and is the largest slope of the loss in a direction of unit
    length, :math:`\max_{\|h\|_M=1}\sum g\,h`. Clip gradients by it. A number in float64, in linear
    time.

    =========  ==========  ==============================================================
    symbol     argument    meaning
    =========  ==========  ==============================================================
    :math:`g`  ``g``       Euclidean gradient, any shape and dense layout
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    (axis)     ``dim``     the output-channel axis
    (blocks)   ``groups``  contiguous blocks along ``dim``, each with a metric of its own
    =========  ==========  ==============================================================

    Raises
    ------
    TypeError
        If ``g`` is not a dense one of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.
    ValueError
        If ``dim`` is not an axis, the axis is empty, or ``groups`` does not divide it.

    See Also
    --------
    cdg_torch.metric_norm : The length of a direction.
    cdg_torch.Handle.dual_norm : Of all gradients of a model.
    cdg_torch.riemannian_gradient : The steepest direction.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import dual_norm
    >>> dual_norm(torch.tensor([1.0, 3.0]), Metric.reweighted_h0(2.0)).item()  # √(2·2² + 2/2)
    3.0
    """
    check_arguments(g, metric, dim, groups, "g")
    k = riemannian_gradient(widened(g), metric, dim=dim, groups=groups)
    return _dot(g, k).clamp_min(0).sqrt()


def _eigenvalues(metric: Metric, n: int, period: int) -> Tensor:
    """Return the eigenvalues of M for the frequencies of a real FFT of length ``period``."""
    m = torch.arange(period // 2 + 1, dtype=torch.float64, device="cpu")
    # The path is half a cycle of twice the length, so both boundaries read sin²(πm/period).
    laplacian = 4 * torch.sin(math.pi * m / period).square()
    values = metric.fluctuation + metric.stiffness(n) * laplacian
    values += metric.rigidity(n) * laplacian.square()
    values[0] = metric.mean
    return values


def metric_power(
    tensor: Tensor, metric: Metric, exponent: float, *, dim: int = 0, groups: int = 1
) -> Tensor:
    r"""Return :math:`M^p` applied to a tensor, for any real p.

    .. math:: M^p = V\,\mathrm{diag}(\mu_m^p)\,V^T

    with the eigenvalues :math:`\mu_m` of M, mode by mode, and its orthonormal eigenvectors, cosines
    (natural) or waves (periodic), as the columns of V. In the coordinates
    :math:`w = M^{-1/2}v` descent in the metric is plain gradient descent (theorem 9).

    Differentiable. By FFT, with the path extended by its mirror image to a cycle:
    :math:`O(n\log n)` per column, and about ten copies of the tensor in float64. It is for
    analysis; no optimizer step needs it.

    =========  ============  ==============================================================
    symbol     argument      meaning
    =========  ============  ==============================================================
    (tensor)   ``tensor``    any shape and dense layout
    :math:`M`  ``metric``    a :class:`cdg_theory.Metric`
    :math:`p`  ``exponent``  any finite number; 1 is :func:`apply_metric`, −1 is
                             :func:`riemannian_gradient`
    (axis)     ``dim``       the output-channel axis
    (blocks)   ``groups``    contiguous blocks along ``dim``, each with a metric of its own
    =========  ============  ==============================================================

    Returns
    -------
    torch.Tensor
        A new tensor with the shape, dtype and device of ``tensor``.

    Raises
    ------
    TypeError
        If ``tensor`` is not a dense one of a 16-, 32- or 64-bit float type, ``metric`` is not a
        metric, or ``exponent`` not a real number.
    ValueError
        If ``dim`` is not an axis, the axis is empty, ``groups`` does not divide it, or ``exponent``
        is not finite or too large for float64.

    See Also
    --------
    cdg_torch.apply_metric : The power 1, in linear time.
    cdg_torch.riemannian_gradient : The power −1, in linear time.
    cdg_torch.matched_initialisation : A use of the power −½.
    cdg_theory.discrete.gram_power : The matrix itself.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import metric_power, riemannian_gradient
    >>> metric = Metric.sobolev(0.5)
    >>> g = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    >>> half = metric_power(metric_power(g, metric, -0.5), metric, -0.5)
    >>> torch.allclose(half, riemannian_gradient(g, metric))
    True
    """
    axis = check_arguments(tensor, metric, dim, groups, "tensor")
    exponent = finite_number("exponent", exponent, cure="0.5 and -0.5 are the roots")
    if isinstance(metric, Tensor):
        metric = from_operand(metric)
    if tensor.numel() == 0:  # an FFT wants numbers
        return tensor.clone()
    rows = to_rows(tensor, axis, groups)
    n = len(rows)
    cycle = torch.cat([rows, rows.flip(0)]) if metric.boundary == "natural" else rows
    period = len(cycle)
    multipliers = _eigenvalues(metric, n, period).pow(exponent)
    if not bool(multipliers.isfinite().all()):
        msg = (
            f"exponent must leave the powers of M within float64, got {exponent}; give one nearer 0"
        )
        raise ValueError(msg)
    multipliers = multipliers.to(rows.device).reshape(-1, *(1,) * (rows.ndim - 1))
    result = torch.fft.irfft(torch.fft.rfft(cycle, dim=0) * multipliers, n=period, dim=0)[:n]
    return from_rows(result, axis).to(tensor.dtype).to(tensor.device)
