"""A list of gradients at once, in place or into given buffers: what an optimizer's step calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.checks import described
from cdg_theory.metric import check_metric
from cdg_torch.checks import (
    check_arguments,
    check_on_one_rank,
    check_operand,
    check_tensor,
)
from cdg_torch.dispatch import write_all
from cdg_torch.operands import from_operand, metric_operand
from cdg_torch.operators import write_operator

__all__ = ["riemannian_gradients_", "write_riemannian_gradients"]

T = TypeVar("T")


def _one_each(name: str, value: T | Sequence[T], count: int) -> list[T]:
    """Return ``count`` values: the given sequence, or the given value over and over.

    Raises
    ------
    ValueError
        If the sequence is of another length.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return [value] * count  # a tensor is no Sequence: it is one operand
    if len(value) != count:
        msg = f"{name} must be one value or one per tensor, got {len(value)} for {count} tensors"
        raise ValueError(msg)
    return list(value)


# typed: 1.0 and True are equal to 1, and are refused.
@lru_cache(maxsize=4096, typed=True)
def _axis(shape: tuple[int, ...], dtype: torch.dtype, dim: int, groups: int) -> int:
    """Check what does not depend on a tensor's memory, once for every shape."""
    stand_in = torch.empty(shape, dtype=dtype, device="meta")
    return check_arguments(stand_in, Metric.l2(), dim, groups, "tensors")


def _known(metric: object) -> Metric:
    """Return the metric, or the metric of an operand, or raise as ``check_metric`` does."""
    if isinstance(metric, Tensor):
        check_operand(metric)
        return from_operand(metric)
    check_metric(metric)
    assert isinstance(metric, Metric)
    return metric


def write_riemannian_gradients(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    metrics: Sequence[Metric | Tensor],
    dims: Sequence[int],
    groups: Sequence[int],
) -> None:
    """Write M⁻¹g of every gradient into the buffer of the same index, which may be ``grads[i]``.

    ``outs[i]`` has the shape, dtype and device of ``grads[i]``, and is either the same memory or
    none of it. Arguments are checked before anything is written.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.riemannian_gradient`.
    ValueError
        As :func:`cdg_torch.riemannian_gradient`.
    """
    arguments = zip(grads, metrics, dims, groups, strict=True)
    if torch.compiler.is_compiling():
        axes = [check_arguments(*one, "tensors") for one in arguments]
        operands = [m if isinstance(m, Tensor) else metric_operand(m) for m in metrics]
        write_operator(outs, grads, torch.stack(operands), axes, groups)
        return
    axes, known = [], []
    for grad, metric, dim, count in arguments:
        check_tensor(grad, "tensors")
        check_on_one_rank(grad, "tensors")
        for label, value in (("dim", dim), ("groups", count)):
            if not isinstance(value, int):  # before it is looked up: it may have no hash
                msg = f"{label} must be an int, got {described(value)}"
                raise TypeError(msg)
        axes.append(_axis(grad.shape, grad.dtype, dim, count))
        known.append(_known(metric))
    with torch.no_grad():
        write_all(outs, grads, known, axes, groups)


def riemannian_gradients_(
    tensors: Sequence[Tensor],
    metric: Metric | Tensor | Sequence[Metric | Tensor],
    *,
    dims: int | Sequence[int] = 0,
    groups: int | Sequence[int] = 1,
) -> None:
    r"""Replace every gradient of a list by its gradient in the metric, :math:`k = M^{-1}g`.

    For people who write their own optimizer: one call per step, no copy of the gradients.

    ==========  ===========  =============================================================
    symbol      argument     meaning
    ==========  ===========  =============================================================
    :math:`g`   ``tensors``  Euclidean gradients, overwritten
    :math:`M`   ``metric``   a :class:`cdg_theory.Metric`, or its operand
                             (:func:`cdg_torch.metric_operand`); one, or one per tensor
    (axis)      ``dims``     the output-channel axis; one, or one per tensor
    (blocks)    ``groups``   contiguous blocks along the axis; one, or one per tensor
    ==========  ===========  =============================================================

    Autograd does not see it. The tensors must not share memory with each other. All arguments
    are checked before anything is written.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.riemannian_gradient`.
    ValueError
        As :func:`cdg_torch.riemannian_gradient`, or if a sequence has not one value per tensor.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> grads = [torch.tensor([1.0, 2.0, 6.0]), torch.tensor([[0.0, 4.0]])]
    >>> riemannian_gradients_(grads, Metric.reweighted_h0(2.0), dims=[0, 1])
    >>> grads
    [tensor([2.0000, 2.5000, 4.5000]), tensor([[1., 3.]])]
    """
    if not isinstance(tensors, Sequence) or isinstance(tensors, str | bytes):
        msg = f"tensors must be a list of torch.Tensor, got {described(tensors)}"
        raise TypeError(msg)
    count = len(tensors)
    write_riemannian_gradients(
        tensors,
        tensors,
        _one_each("metric", metric, count),
        _one_each("dims", dims, count),
        _one_each("groups", groups, count),
    )
