"""A list of gradients at once, in place or into given buffers: what an optimizer's step calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import TypeVar

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.checks import described
from cdg_torch.checks import check_arguments
from cdg_torch.operands import from_operand, metric_operand
from cdg_torch.operators import write_operator
from cdg_torch.solve.backends import forced
from cdg_torch.solve.plan import Batches, batches_of

T = TypeVar("T")


def _one_each(name: str, value: T | Sequence[T], count: int) -> list[T]:
    """Return ``count`` values: the given sequence, or the given value over and over."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return [value] * count  # a tensor is no Sequence: it is one operand
    if len(value) != count:
        msg = f"{name} must be one value or one per tensor, got {len(value)} for {count} tensors"
        raise ValueError(msg)
    return list(value)


_PLAIN = {Tensor, torch.nn.Parameter}
# Lists that have been checked, the latest of them: a metric schedule makes a new one at every step,
# and one of 160 gradients takes a tenth of a megabyte.
_seen: OrderedDict[Hashable, Batches] = OrderedDict()
_MOST = 64


def _key(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    metrics: Sequence[Metric | Tensor],
    dims: Sequence[int],
    groups: Sequence[int],
) -> Hashable:
    """Return all that checks and decisions depend on; None where it would not tell enough.

    Of 200 gradients this must be quick, since nothing else changes from step to step.
    """
    kinds = {*map(type, dims), *map(type, groups)}  # True equals 1, and is refused
    if not (kinds <= {int} and {*map(type, metrics)} <= {Metric} and {*map(type, grads)} <= _PLAIN):
        return None
    tensors = []
    for out, grad in zip(outs, grads, strict=True):
        if grad.is_nested:
            return None
        memory = grad.shape, grad.stride(), grad.stride() if out is grad else out.stride()
        tensors.append((grad.layout, grad.dtype, grad.device, memory))
    # Most often it is one metric, whose hash is not quick enough to take for every gradient.
    first = metrics[0] if metrics else None
    same = all(metric is first for metric in metrics)
    some = (first, len(metrics)) if same else tuple(metrics)
    return tuple(tensors), some, tuple(dims), tuple(groups), forced()


def _checked(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    metrics: Sequence[Metric | Tensor],
    dims: Sequence[int],
    groups: Sequence[int],
) -> Batches:
    """Check all arguments and decide who serves what."""
    axes, known = [], []
    for grad, metric, dim, count in zip(grads, metrics, dims, groups, strict=True):
        axes.append(check_arguments(grad, metric, dim, count, "tensors"))
        known.append(from_operand(metric) if isinstance(metric, Tensor) else metric)
    return batches_of(outs, grads, known, axes, groups)


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
    if torch.compiler.is_compiling():
        arguments = zip(grads, metrics, dims, groups, strict=True)
        axes = [check_arguments(*one, "tensors") for one in arguments]
        operands = [m if isinstance(m, Tensor) else metric_operand(m) for m in metrics]
        write_operator(outs, grads, torch.stack(operands), axes, groups)
        return
    key = _key(outs, grads, metrics, dims, groups)
    batches = None if key is None else _seen.get(key)
    if batches is None:
        batches = _checked(outs, grads, metrics, dims, groups)
        if key is not None:
            if len(_seen) >= _MOST:
                with suppress(KeyError):  # other threads may have emptied it
                    _seen.popitem(last=False)
            _seen[key] = batches
    with torch.no_grad():
        batches.write(outs, grads)


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
