"""Gradients of independent batches, weight by weight, with nothing of the model changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from cdg_theory.checks import described
from cdg_torch.layers import CONVOLUTIONS, OutputAxis, Slot, output_axis, parameter_slots

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]


def reasons(left_out: dict[str, str]) -> str:
    """Say in words why weights were left out."""
    said = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
    return f"left out were {said}" if said else "there is no convolution or linear layer"


def check_model(model: object) -> None:
    """Refuse what has no whole gradient in one place.

    Raises
    ------
    TypeError
        If it is no module.
    ValueError
        If it is wrapped for several processes, or sharded.
    """
    if not isinstance(model, nn.Module):
        msg = f"model must be a torch.nn.Module, got {described(model)}"
        raise TypeError(msg)
    kinds = {type(module).__name__ for module in model.modules()}
    if wrapped := kinds & {"DistributedDataParallel", "DataParallel"}:
        msg = (
            f"model is wrapped in {wrapped.pop()}, which averages gradients over processes; give "
            "model.module, on one process"
        )
        raise ValueError(msg)
    sharded = "FullyShardedDataParallel" in kinds or any(
        type(p).__name__ == "DTensor" for p in model.parameters()
    )
    if sharded:
        msg = (
            "model is sharded, and no process has a whole gradient; diagnose the model before it "
            "is sharded, or a copy with the weights of a checkpoint"
        )
        raise ValueError(msg)


def weights(model: nn.Module) -> tuple[list[tuple[Slot, OutputAxis]], dict[str, str]]:
    """Return the weights to look at, and why other layers' weights are left out."""
    chosen, left_out, seen = [], {}, set()
    for slot in parameter_slots(model):
        weight = slot.parameter
        if weight is None or not isinstance(slot.layer, (*CONVOLUTIONS, nn.Linear)):
            continue
        axis = output_axis(slot.layer, slot.role)
        if slot.role != "weight" or axis is None:
            if slot.note:
                left_out[slot.name] = slot.note
        elif slot.is_lazy:
            left_out[slot.name] = "it has no shape yet; run one forward pass first"
        elif not weight.requires_grad:
            left_out[slot.name] = "it is frozen"
        elif not weight.is_floating_point() or weight.ndim != axis.ndim:
            left_out[slot.name] = f"{weight.dtype} of shape {tuple(weight.shape)} is not read"
        elif weight.shape[axis.dim] // axis.groups < 2:
            left_out[slot.name] = "a group has one output channel"
        elif id(weight) in seen:
            left_out[slot.name] = "tied to a weight that is looked at"
        else:
            seen.add(id(weight))
            chosen.append((slot, axis))
    return chosen, left_out


def measured_gradients(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    chosen: Sequence[tuple[Slot, OutputAxis]],
) -> tuple[list[list[Tensor]], int]:
    """Return each weight's gradients, one for each batch, on the CPU."""
    weights = [slot.parameter for slot, _ in chosen if slot.parameter is not None]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    modes = [(module, module.training) for module in model.modules()]
    devices = sorted({w.device.index or 0 for w in weights if w.is_cuda})
    parts: list[list[Tensor]] = [[] for _ in weights]
    count = 0
    try:
        with torch.random.fork_rng(devices=devices), torch.enable_grad():
            for batch in batches:
                value = loss(model, batch)
                _check_loss(value, count)
                own = _differentiated(value, weights, count)
                count += 1
                for at, ((slot, _), gradient) in enumerate(zip(chosen, own, strict=True)):
                    if gradient is None:  # this batch does not use it
                        gradient = torch.zeros_like(weights[at])
                    if not bool(gradient.isfinite().all()):
                        msg = (
                            f"the gradient of {slot.name} is infinite or nan in batch {count - 1}; "
                            "with 16-bit types scale the loss inside loss(model, batch)"
                        )
                        raise ValueError(msg)
                    parts[at].append(gradient.detach().to("cpu", copy=True))
    finally:
        with torch.no_grad():
            for module, name, buffer, before in buffers:
                buffer.copy_(before)
                module._buffers[name] = buffer
        for module, training in modes:
            module.training = training
    if count < 2:
        msg = f"batches must hold at least two independent batches, got {count}"
        raise ValueError(msg)
    return parts, count


def _differentiated(
    value: Tensor, weights: Sequence[Tensor], batch: int
) -> tuple[Tensor | None, ...]:
    """Return the gradients, or say in words that the backward pass raises."""
    try:
        return torch.autograd.grad(value, weights, allow_unused=True)
    except Exception as error:
        msg = (
            f"the loss of batch {batch} cannot be differentiated: {type(error).__name__}: {error}; "
            "does loss(model, batch).backward() run?"
        )
        raise ValueError(msg) from error


def _check_loss(value: object, batch: int) -> None:
    if not isinstance(value, torch.Tensor):
        msg = f"loss(model, batch) must return a scalar tensor, got {described(value)}"
        raise TypeError(msg)
    if value.numel() != 1 or not value.requires_grad:
        what = f"shape {tuple(value.shape)}" if value.numel() != 1 else "no graph behind it"
        msg = f"loss(model, batch) must return one number to differentiate, got {what}"
        raise ValueError(msg)
    if not bool(value.isfinite().all()):
        msg = f"the loss must be finite, got {value.item()} in batch {batch}"
        raise ValueError(msg)


def precision(parts: Sequence[Tensor]) -> float:
    """Return eps of the coarsest type that holds all numbers: under autocast its, not the weight's.

    Examples
    --------
    >>> precision([torch.tensor([1.0, 0.1])]) == torch.finfo(torch.float32).eps
    True
    >>> precision([torch.tensor([1.0, 0.1]).bfloat16().float()])
    0.0078125
    """
    for kind in (torch.bfloat16, torch.float16):
        if all(bool((part == part.to(kind)).all()) for part in parts):
            return torch.finfo(kind).eps
    return torch.finfo(parts[0].dtype).eps


def columns(parts: Sequence[Tensor], axis: OutputAxis) -> Array:
    """Return gradients as (batches, channels of a group, columns)."""
    stacked = torch.stack([part.movedim(axis.dim, 0) for part in parts]).double()
    count, n = stacked.shape[0], stacked.shape[1] // axis.groups
    rows = stacked.reshape(count, axis.groups, n, -1).movedim(1, 2).reshape(count, n, -1)
    return np.ascontiguousarray(rows.numpy())
