r"""The gradient in the metric as a pure function of tensors, k = M⁻¹g, and its inverse g = Mk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from cdg_torch.checks import check_arguments
from cdg_torch.operands import metric_operand
from cdg_torch.operators import along_channels

if TYPE_CHECKING:
    from cdg_theory import Metric


def _apply(
    tensor: Tensor, metric: Metric | Tensor, dim: int, groups: int, *, inverse: bool, name: str
) -> Tensor:
    axis = check_arguments(tensor, metric, dim, groups, name)
    operand = metric if isinstance(metric, Tensor) else metric_operand(metric)
    result: Tensor = along_channels(tensor, operand, axis, groups, inverse)
    return result


def riemannian_gradient(
    grad: Tensor, metric: Metric | Tensor, *, dim: int = 0, groups: int = 1
) -> Tensor:
    r"""Return the gradient in the metric, :math:`k = M^{-1}g`, in linear time.

    ==========  ===========  =============================================================
    symbol      argument     meaning
    ==========  ===========  =============================================================
    :math:`g`   ``grad``     Euclidean gradient, any shape and dense layout
    :math:`M`   ``metric``   a :class:`cdg_theory.Metric`, or its operand
                             (:func:`cdg_torch.metric_operand`) inside compiled functions
    (axis)      ``dim``      the output-channel axis
    (blocks)    ``groups``   contiguous blocks along ``dim``, each with a metric of its own
    ==========  ===========  =============================================================

    Computed in float64 and rounded to the dtype of ``grad`` at the end, by the fastest
    implementation that serves the tensor (:func:`cdg_torch.backend`). Differentiable (any number of
    times), and friendly to ``torch.compile`` and ``torch.vmap``. A NaN or an infinity spoils its
    own column and no other.

    Returns
    -------
    torch.Tensor
        A new tensor with the shape, dtype, device and strides of ``grad``.

    Raises
    ------
    TypeError
        If ``grad`` is not a dense tensor of a 16-, 32- or 64-bit float type, or ``metric`` is not
        a metric.
    ValueError
        If ``dim`` is not an axis, the axis is empty, or ``groups`` does not divide it.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> riemannian_gradient(torch.tensor([1.0, 2.0, 6.0]), Metric.reweighted_h0(2.0))
    tensor([2.0000, 2.5000, 4.5000])

    Notes
    -----
    Theorem 5 (equals :math:`M^{-1}g` for every n), theorem 7 (rounding).
    """
    return _apply(grad, metric, dim, groups, inverse=True, name="grad")


def apply_metric(k: Tensor, metric: Metric | Tensor, *, dim: int = 0, groups: int = 1) -> Tensor:
    r"""Return :math:`Mk`, the Euclidean gradient whose gradient in the metric is ``k``.

    .. math:: Mk = \beta k + \gamma s L k + (\alpha-\beta)\,\bar k\,\mathbf 1

    The inverse of :func:`riemannian_gradient`, with the same arguments, promises and errors.

    Raises
    ------
    TypeError
        As :func:`riemannian_gradient`.
    ValueError
        As :func:`riemannian_gradient`.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> apply_metric(torch.tensor([2.0, 2.5, 4.5]), Metric.reweighted_h0(2.0))
    tensor([1., 2., 6.])
    """
    return _apply(k, metric, dim, groups, inverse=False, name="k")
