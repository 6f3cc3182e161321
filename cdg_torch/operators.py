"""The operators that torch's machinery sees: one node each, with rules for what it asks of them.

===========================  =================================================================
``cdg::along_channels``      M⁻¹g or Mk of one tensor: fake, autograd (self-adjoint) and vmap rules
``cdg::write``, ``write_``   M⁻¹g of a list into given buffers, or in place: what a compiled
                             optimizer step calls
===========================  =================================================================

Metrics come as operands. ``torch.compile`` takes a :class:`~cdg_theory.Metric` for a constant and
compiles anew for every other one. A tensor is data: inside a compiled function, pass the metric's
operand, and change the metric from step to step without compiling again.
"""

# mypy: disable-error-code="no-untyped-call"
# autograd.Function carries no types.

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast, get_args

import torch
from torch import Tensor

from cdg_theory.metric import Boundary, Metric, Spacing, check_metric
from cdg_torch.checks import check_operand
from cdg_torch.solve import Job, solve
from cdg_torch.solve.reference import apply_gram, from_rows, to_rows

_BOUNDARIES, _SPACINGS = get_args(Boundary), get_args(Spacing)


def metric_operand(metric: Metric) -> Tensor:
    """Return ``metric`` as a new float64 CPU tensor of 6 numbers.

    The numbers are mean, fluctuation and derivative, the boundary (0: natural, 1: periodic), the
    spacing (0: normalized, 1: unit), and the curvature. A tensor of the first 5 is read as one
    without curvature. :func:`cdg_torch.riemannian_gradient`,
    :func:`cdg_torch.riemannian_gradients_` and :func:`cdg_torch.apply_metric` take it in the place
    of the metric. A function that ``torch.compile`` has compiled can then change its metric without
    being compiled again.

    ==========  ============================
    argument    meaning
    ==========  ============================
    ``metric``  a :class:`cdg_theory.Metric`
    ==========  ============================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric.

    See Also
    --------
    cdg_torch.riemannian_gradient : Takes it.
    cdg_torch.riemannian_gradients_ : Takes it.
    cdg_theory.Metric : What it stands for.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_torch import metric_operand
    >>> metric_operand(Metric.sobolev(2.0, boundary="periodic"))
    tensor([1., 0., 2., 1., 0., 0.], dtype=torch.float64)
    """
    check_metric(metric)
    ends = _BOUNDARIES.index(metric.boundary), _SPACINGS.index(metric.spacing)
    numbers = (metric.mean, metric.fluctuation, metric.derivative, *ends, metric.curvature)
    return torch.tensor(numbers, dtype=torch.float64, device="cpu")


@lru_cache(maxsize=256)
def _metric(numbers: tuple[float, ...]) -> Metric:
    mean, fluctuation, derivative, boundary, spacing, *curvature = numbers
    if boundary not in {0, 1} or spacing not in {0, 1}:
        msg = (
            f"metric is the operand {numbers}, whose fourth number (boundary) and fifth (spacing) "
            "must be 0 or 1; cdg_torch.metric_operand(metric) makes one"
        )
        raise ValueError(msg)
    return Metric(
        mean,
        fluctuation,
        derivative,
        *curvature,
        boundary=cast("Boundary", _BOUNDARIES[int(boundary)]),
        spacing=cast("Spacing", _SPACINGS[int(spacing)]),
    )


def from_operand(operand: Tensor) -> Metric:
    """Return the metric whose operand this is.

    Raises
    ------
    ValueError
        If it is not a float64 CPU tensor of 6 numbers (or 5, without a curvature), the weights are
        outside the cone of metrics, or the fourth and the fifth number are not indices.

    Examples
    --------
    >>> from_operand(metric_operand(Metric.l2())) == Metric.l2()
    True
    """
    check_operand(operand)
    return _metric(tuple(operand.tolist()))


@torch.library.custom_op("cdg::along_channels", mutates_args=())
def along_channels(tensor: Tensor, operand: Tensor, dim: int, groups: int, inverse: bool) -> Tensor:
    """Apply M⁻¹ (or M) to the rows of each group; keep dtype and strides."""
    metric = from_operand(operand)
    # empty_like keeps channels_last and every other dense layout.
    out = torch.empty_like(tensor)
    if tensor.numel() == 0:
        return out
    if inverse:
        solve([Job(out, tensor, metric, dim, groups)])
        return out
    product = from_rows(apply_gram(to_rows(tensor, dim, groups), metric), dim)
    return out.copy_(product.to(tensor.dtype))


@along_channels.register_fake
def _(tensor: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(tensor)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(inputs[1])
    ctx.arguments = inputs[2:]


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    # M is symmetric, and so is its inverse: the map is its own transpose.
    (operand,) = ctx.saved_tensors
    return along_channels(grad, operand, *ctx.arguments), None, None, None, None


along_channels.register_autograd(_backward, setup_context=_setup_context)


class AlongChannels(torch.autograd.Function):
    """The same, for all that autograd and ``torch.func`` ask: both modes, nested, batched.

    An operator's own rules know neither forward mode nor ``torch.func``; a compiler knows nothing
    but them. The map is linear and symmetric: it is its own tangent and its own transpose.
    """

    @staticmethod
    def forward(tensor: Tensor, operand: Tensor, dim: int, groups: int, inverse: bool) -> Any:
        """Apply the operator."""
        return along_channels(tensor, operand, dim, groups, inverse)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        """Keep all but the tensor itself."""
        _, operand, *ctx.arguments = inputs
        ctx.save_for_backward(operand)
        ctx.save_for_forward(operand)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Apply the map to what comes back."""
        (operand,) = ctx.saved_tensors
        return AlongChannels.apply(grad, operand, *ctx.arguments), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Any:
        """Apply the map to the tangent."""
        (operand,) = ctx.saved_tensors
        return AlongChannels.apply(tangent, operand, *ctx.arguments)

    @staticmethod
    def vmap(
        info: Any,  # noqa: ARG004
        in_dims: tuple[int | None, ...],
        tensor: Tensor,
        operand: Tensor,
        dim: int,
        groups: int,
        inverse: bool,
    ) -> tuple[Any, int]:
        """Take the batch for one more axis of columns.

        Raises
        ------
        NotImplementedError
            If it is the metric that is batched.
        """
        batch, metric_batch, *_ = in_dims
        if metric_batch is not None:
            msg = "a batch of metrics is not supported; call vmap once for each metric"
            raise NotImplementedError(msg)
        assert batch is not None
        moved = tensor.movedim(batch, 0)
        return AlongChannels.apply(moved, operand, dim + 1, groups, inverse), 0


@along_channels.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, int]:
    return AlongChannels.vmap(info, in_dims, *arguments)


def transform(tensor: Tensor, operand: Tensor, dim: int, groups: int, inverse: bool) -> Tensor:
    """Apply M⁻¹ (or M) to the rows of each group: differentiable in whatever way is asked for."""
    arguments = tensor, operand, dim, groups, inverse
    # Neither a compiler nor functionalize knows what to do with an autograd function.
    bare = torch.compiler.is_compiling() or torch._is_functional_tensor(tensor)
    result: Tensor = (along_channels if bare else AlongChannels.apply)(*arguments)
    return result


@torch.library.custom_op("cdg::write", mutates_args={"outs"})
def _write(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    operands: Tensor,
    dims: Sequence[int],
    groups: Sequence[int],
) -> None:
    metrics = [from_operand(operand) for operand in operands]
    solve(list(map(Job, outs, grads, metrics, dims, groups)))


@torch.library.custom_op("cdg::write_", mutates_args={"tensors"})
def _write_in_place(
    tensors: Sequence[Tensor], operands: Tensor, dims: Sequence[int], groups: Sequence[int]
) -> None:
    metrics = [from_operand(operand) for operand in operands]
    solve(list(map(Job, tensors, tensors, metrics, dims, groups)))


@_write.register_fake
@_write_in_place.register_fake
def _(*_: Any) -> None:
    """Nothing is returned."""


def write_operator(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    operands: Tensor,
    dims: Sequence[int],
    groups: Sequence[int],
) -> None:
    """Call the operator that writes M⁻¹g of every gradient; ``operands`` has one row for each."""
    if all(out is grad for out, grad in zip(outs, grads, strict=True)):
        _write_in_place(outs, operands, dims, groups)
    else:
        _write(outs, grads, operands, dims, groups)
