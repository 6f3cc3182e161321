r"""Other transforms of gradients to compare with: smoothing, centralization, other directions.

=============================  ================================================================
``laplacian_smoothing``        Osher et al. (2018): smooths the rasterised tensor, by FFT
``gradient_centralization``    Yong et al. (2020): takes off the mean over all *other* axes
``along_input``                a metric along input channels instead of output channels
``along_kernel``               a metric along the axes of the kernel
``along_raster``               a metric along the rasterised tensor, in linear time
=============================  ================================================================

All are pure: they return a new tensor of the shape, dtype and device of ``grad``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cdg_theory.checks import described, finite_number
from cdg_theory.metric import LARGEST, check_metric
from cdg_torch.checks import check_axis, check_tensor
from cdg_torch.gradient import riemannian_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric

__all__ = [
    "along_input",
    "along_kernel",
    "along_raster",
    "gradient_centralization",
    "laplacian_smoothing",
]


def laplacian_smoothing(grad: Tensor, sigma: float) -> Tensor:
    r"""Return :math:`(I+\sigma L)^{-1}g` of the tensor read as one periodic column, by FFT.

    L is the Laplacian of the cycle on all N numbers of the tensor, last axis fastest, with the
    eigenvalues :math:`2-2\cos(2\pi m/N)`. It mixes the taps of a kernel with channels, and the
    last filter with the first. The same as :func:`along_raster` with
    ``Metric.ordinary_sobolev(sigma, boundary="periodic", spacing="unit")``, which costs linear
    time.

    ==============  =========  ==============================================
    symbol          argument   meaning
    ==============  =========  ==============================================
    :math:`g`       ``grad``   Euclidean gradient, any shape and dense layout
    :math:`\sigma`  ``sigma``  strength, >= 0; 0 is no smoothing
    ==============  =========  ==============================================

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``sigma`` not a
        real number.
    ValueError
        If ``sigma`` is not a finite number >= 0.

    See Also
    --------
    cdg_torch.lab.baselines.along_raster : The same in linear time.
    cdg_torch.lab.baselines.gradient_centralization : Another transform.
    cdg_torch.riemannian_gradient : Along output channels alone.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch.lab.baselines import laplacian_smoothing
    >>> laplacian_smoothing(torch.tensor([1.0, 2.0, 6.0]), 1.0)
    tensor([2.5000, 2.7500, 3.7500])

    Notes
    -----
    Source: Osher et al., arXiv 1806.06317, equation (6).
    """
    check_tensor(grad)
    sigma = finite_number("sigma", sigma, cure="0 is no smoothing")
    if sigma < 0 or sigma > LARGEST:
        msg = f"sigma must be finite and >= 0, at most {LARGEST:g}, got {sigma}; 0 is no smoothing"
        raise ValueError(msg)
    if grad.numel() == 0:
        return grad.clone()
    # FFTs have no 16-bit types on CPUs.
    column = grad.reshape(-1).to(torch.promote_types(grad.dtype, torch.float32))
    size = column.numel()
    modes = torch.arange(size // 2 + 1, dtype=column.dtype, device=column.device)
    filtered = torch.fft.rfft(column) / (
        1 + 2 * sigma * (1 - torch.cos(2 * torch.pi * modes / size))
    )
    return torch.fft.irfft(filtered, n=size).reshape(grad.shape).to(grad.dtype)


def gradient_centralization(grad: Tensor, *, dim: int = 0) -> Tensor:
    r"""Return the gradient less its mean for each output channel.

    It differs from the metrics of this library in two ways: the mean is over all axes but ``dim``,
    and it is removed, while they keep it.

    .. math:: g_i \mapsto g_i - \operatorname{mean}(g_i)

    with :math:`g_i` the slice of output channel i.

    =========  ========  ==============================================
    symbol     argument  meaning
    =========  ========  ==============================================
    :math:`g`  ``grad``  Euclidean gradient, any shape and dense layout
    (axis)     ``dim``   the output-channel axis
    =========  ========  ==============================================

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``dim`` not an int.
    ValueError
        If ``dim`` is not an axis.

    See Also
    --------
    cdg_torch.lab.baselines.laplacian_smoothing : Another transform.
    cdg_torch.riemannian_gradient : The metrics of this library.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch.lab.baselines import gradient_centralization
    >>> gradient_centralization(torch.tensor([[1.0, 3.0], [0.0, 8.0]]))
    tensor([[-1.,  1.],
            [-4.,  4.]])

    Notes
    -----
    Source: Yong et al., arXiv 2004.01461, equation (1).
    """
    check_tensor(grad)
    if grad.numel() == 0:
        return grad.clone()
    kept = check_axis(tuple(grad.shape), dim, 1, "grad")
    others = [axis for axis in range(grad.ndim) if axis != kept]
    return grad - grad.mean(others, keepdim=True) if others else grad.clone()


def along_input(grad: Tensor, metric: Metric, *, dim: int = 0) -> Tensor:
    """Return :math:`k = M^{-1}g` along input channels: axis 1, or 0 if ``dim`` is 1.

    =========  ==========  ==============================================
    symbol     argument    meaning
    =========  ==========  ==============================================
    :math:`g`  ``grad``    Euclidean gradient, any shape and dense layout
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    (axis)     ``dim``     the axis of the output channels, 0 or 1
    =========  ==========  ==============================================

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.
    ValueError
        If ``dim`` is neither 0 nor 1, or ``grad`` has no such axis.

    See Also
    --------
    cdg_torch.riemannian_gradient : Along output channels.
    cdg_torch.lab.baselines.along_kernel : Along the axes of the kernel.
    cdg_torch.lab.baselines.along_raster : Along all of them at once.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch.lab.baselines import along_input
    >>> along_input(torch.tensor([[1.0, 3.0], [0.0, 8.0]]), Metric.reweighted_h0(2.0))
    tensor([[1.5000, 2.5000],
            [2.0000, 6.0000]])
    """
    if isinstance(dim, bool) or not isinstance(dim, int) or dim not in {0, 1}:
        msg = f"dim must be 0 or 1, the axis of the output channels, got {described(dim)}"
        raise ValueError(msg)
    return riemannian_gradient(grad, metric, dim=1 - dim)


def along_kernel(grad: Tensor, metric: Metric) -> Tensor:
    """Return :math:`M^{-1}g` along every axis of the kernel, one after the other.

    These are the axes from the third on. One of length 1 is left out: it has nothing to smooth.

    =========  ==========  ==============================================
    symbol     argument    meaning
    =========  ==========  ==============================================
    :math:`g`  ``grad``    Euclidean gradient, any shape and dense layout
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    =========  ==========  ==============================================

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.
    ValueError
        If an axis of the kernel is empty.

    See Also
    --------
    cdg_torch.riemannian_gradient : Along output channels.
    cdg_torch.lab.baselines.along_input : Along input channels.
    cdg_torch.lab.baselines.along_raster : Along all of them at once.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch.lab.baselines import along_kernel
    >>> along_kernel(torch.tensor([[[0.0, 4.0]]]), Metric.reweighted_h0(2.0))
    tensor([[[1., 3.]]])
    """
    check_tensor(grad)
    check_metric(metric)
    for axis in range(2, grad.ndim):
        if grad.shape[axis] > 1:
            grad = riemannian_gradient(grad, metric, dim=axis)
    return grad


def along_raster(grad: Tensor, metric: Metric) -> Tensor:
    """Return :math:`k = M^{-1}g` of the tensor read as one column, last axis fastest.

    =========  ==========  ==============================================
    symbol     argument    meaning
    =========  ==========  ==============================================
    :math:`g`  ``grad``    Euclidean gradient, any shape and dense layout
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    =========  ==========  ==============================================

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``metric`` is not a
        metric.

    See Also
    --------
    cdg_torch.lab.baselines.laplacian_smoothing : The same for one metric, by FFT.
    cdg_torch.riemannian_gradient : Along output channels.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch.lab.baselines import along_raster
    >>> along_raster(torch.tensor([[0.0, 4.0], [4.0, 8.0]]), Metric.reweighted_h0(2.0))
    tensor([[2., 4.],
            [4., 6.]])
    """
    check_tensor(grad)
    if grad.numel() == 0:
        return grad.clone()
    return riemannian_gradient(grad.reshape(-1), metric).reshape(grad.shape)
