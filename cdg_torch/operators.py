"""The operators that torch's machinery sees: one node each, with rules for what it asks of them.

===========================  =================================================================
``cdg::along_channels``      M⁻¹g or Mk of one tensor: fake, autograd (self-adjoint) and vmap rules
``cdg::write``, ``write_``   M⁻¹g of a list into given buffers, or in place: what a compiled
                             optimizer step calls
===========================  =================================================================

Metrics come as operands (:mod:`cdg_torch.operands`): data, not constants that a compiled graph is
specialised on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cdg_torch.operands import from_operand
from cdg_torch.solve.plan import along_rows, write_all
from cdg_torch.solve.reference import apply_gram


@torch.library.custom_op("cdg::along_channels", mutates_args=())
def along_channels(tensor: Tensor, operand: Tensor, dim: int, groups: int, inverse: bool) -> Tensor:
    """Apply M⁻¹ (or M) to the rows of each group; keep dtype and strides."""
    metric = from_operand(operand)
    # empty_like keeps channels_last and every other dense layout.
    out = torch.empty_like(tensor)
    if tensor.numel() == 0:
        return out
    if inverse:
        write_all([out], [tensor], [metric], [dim], [groups])
        return out
    result = apply_gram(along_rows(tensor, dim, groups), metric)
    return out.copy_(result.movedim(0, dim + 1).flatten(dim, dim + 1))


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


@along_channels.register_vmap
def _(
    info: Any,  # noqa: ARG001
    in_dims: tuple[int | None, ...],
    tensor: Tensor,
    operand: Tensor,
    dim: int,
    groups: int,
    inverse: bool,
) -> tuple[Tensor, int]:
    batch, metric_batch, *_ = in_dims
    if metric_batch is not None:
        msg = "a batch of metrics is not supported; call vmap once for each metric"
        raise NotImplementedError(msg)
    assert batch is not None
    return along_channels(tensor.movedim(batch, 0), operand, dim + 1, groups, inverse), 0


@torch.library.custom_op("cdg::write", mutates_args={"outs"})
def _write(
    outs: Sequence[Tensor],
    grads: Sequence[Tensor],
    operands: Tensor,
    dims: Sequence[int],
    groups: Sequence[int],
) -> None:
    write_all(outs, grads, [from_operand(operand) for operand in operands], dims, groups)


@torch.library.custom_op("cdg::write_", mutates_args={"tensors"})
def _write_in_place(
    tensors: Sequence[Tensor], operands: Tensor, dims: Sequence[int], groups: Sequence[int]
) -> None:
    write_all(tensors, tensors, [from_operand(operand) for operand in operands], dims, groups)


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
