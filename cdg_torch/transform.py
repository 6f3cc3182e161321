r"""The gradient in the metric as a pure function of tensors, k = M⁻¹g, and its inverse g = Mk."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_torch.checks import check_arguments
from cdg_torch.reference import apply_gram, solve_gram

__all__ = ["apply_metric", "riemannian_gradient"]


# A registered operator, so that torch.compile sees one node instead of the sweeps' loop.
@torch.library.custom_op("cdg::along_channels", mutates_args=())
def _along_channels(
    tensor: Tensor,
    weights: list[float],
    boundary: str,
    spacing: str,
    dim: int,
    groups: int,
    inverse: bool,
) -> Tensor:
    """Apply M (or its inverse) to the rows of each group, in float64; keep dtype and strides."""
    metric = Metric(*weights, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]
    blocks = (*tensor.shape[:dim], groups, tensor.shape[dim] // groups, *tensor.shape[dim + 1 :])
    rows = tensor.reshape(blocks).movedim(dim + 1, 0)
    result = (solve_gram if inverse else apply_gram)(rows.to(torch.float64), metric)
    # empty_like keeps channels_last and every other dense layout.
    return torch.empty_like(tensor).copy_(result.movedim(0, dim + 1).flatten(dim, dim + 1))


@_along_channels.register_fake
def _(tensor: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(tensor)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.arguments = inputs[1:]


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    # M is symmetric, and so is its inverse: the map is its own transpose.
    return _along_channels(grad, *ctx.arguments), None, None, None, None, None, None


_along_channels.register_autograd(_backward, setup_context=_setup_context)


@_along_channels.register_vmap
def _(
    info: Any,  # noqa: ARG001
    in_dims: tuple[int | None, ...],
    tensor: Tensor,
    weights: list[float],
    boundary: str,
    spacing: str,
    dim: int,
    *rest: Any,
) -> tuple[Tensor, int]:
    assert in_dims[0] is not None
    batched = tensor.movedim(in_dims[0], 0)
    return _along_channels(batched, weights, boundary, spacing, dim + 1, *rest), 0


def _apply(
    tensor: Tensor, metric: Metric, dim: int, groups: int, *, inverse: bool, name: str
) -> Tensor:
    axis = check_arguments(tensor, metric, dim, groups, name)
    weights = [metric.mean, metric.fluctuation, metric.derivative]
    result: Tensor = _along_channels(
        tensor, weights, metric.boundary, metric.spacing, axis, groups, inverse
    )
    return result


def riemannian_gradient(grad: Tensor, metric: Metric, *, dim: int = 0, groups: int = 1) -> Tensor:
    r"""Return the gradient in the metric, :math:`k = M^{-1}g`, in linear time.

    ==========  ===========  =============================================================
    symbol      argument     meaning
    ==========  ===========  =============================================================
    :math:`g`   ``grad``     Euclidean gradient, any shape and dense layout
    :math:`M`   ``metric``   see :class:`cdg_theory.Metric`
    (axis)      ``dim``      the output-channel axis
    (blocks)    ``groups``   contiguous blocks along ``dim``, each with a metric of its own
    ==========  ===========  =============================================================

    Computed in float64 and rounded once to the dtype of ``grad``. Differentiable (any number of
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


def apply_metric(k: Tensor, metric: Metric, *, dim: int = 0, groups: int = 1) -> Tensor:
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
