"""What a tensor, an axis and a number of groups must be before anything is computed."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from cdg_theory.checks import described
from cdg_theory.metric import check_metric

_FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def check_tensor(tensor: object, name: str = "grad") -> None:
    """Refuse what is not a dense, floating-point tensor of a served dtype.

    Raises
    ------
    TypeError
        If ``tensor`` is not a tensor, or is sparse, quantized, complex, integer or of a float
        type narrower than 16 bits.
    """
    if not isinstance(tensor, Tensor):
        msg = f"{name} must be a torch.Tensor, got {described(tensor)}"
        raise TypeError(msg)
    if tensor.is_nested:
        msg = f"{name} must be one dense block, got a nested {type(tensor).__name__}; use a list"
        raise TypeError(msg)
    if tensor.layout is not torch.strided:
        msg = f"{name} must be dense, got layout {tensor.layout}; call .to_dense() first"
        raise TypeError(msg)
    check_dtype(tensor.dtype, name)


def check_dtype(dtype: torch.dtype, name: str) -> None:
    """Refuse a dtype that is not served.

    Raises
    ------
    TypeError
        If it is complex, an integer, or a float type narrower than 16 bits.
    """
    if dtype not in _FLOATS:
        served = ", ".join(str(one).removeprefix("torch.") for one in _FLOATS)
        msg = f"{name} must be one of {served}, got {dtype}; convert it first"
        raise TypeError(msg)


class WithoutMemoryError(TypeError):
    """A tensor whose numbers do not lie in memory of its own, where a kernel could read them."""


# What torch's dispatcher calls a tensor that only stands for others, in words, and what to do.
_STANDING_FOR_OTHERS = {
    "Python": ("a {type}, which keeps its numbers in other tensors, or has none", "unwrap it"),
    "Functionalize": ("inside torch.func.functionalize", "use riemannian_gradient there"),
    "FuncTorchBatched": ("inside torch.vmap", "use riemannian_gradient there"),
    "FuncTorchGradWrapper": ("inside a torch.func transform", "use riemannian_gradient there"),
    "ZeroTensor": ("a zero that takes no memory", "call .clone() first"),
    "Negative": ("negated, but not yet in memory", "call .resolve_neg() first"),
    "Conjugate": ("conjugated, but not yet in memory", "call .resolve_conj() first"),
}


def check_memory(tensor: Tensor, name: str) -> None:
    """Refuse a tensor whose numbers do not lie in memory of its own.

    Raises
    ------
    WithoutMemoryError
        If it is a fake, functional, batched or zero tensor, a wrapper around others, has its
        conjugate or negative bit set, or has a storage that was emptied.
    """
    keys = torch._C._dispatch_keys(tensor)
    for key, (kind, cure) in _STANDING_FOR_OTHERS.items():
        if keys.has(getattr(torch._C.DispatchKey, key)):
            kind = kind.format(type=type(tensor).__name__)
            msg = f"{name} is {kind}: kernels cannot read its memory; {cure}"
            raise WithoutMemoryError(msg)
    if tensor.numel() and not tensor.is_meta and tensor.data_ptr() == 0:
        msg = f"{name} has no memory, as its storage was emptied; use it before that, or refill it"
        raise WithoutMemoryError(msg)


@cache
def _is_kind_of_dtensor(kind: Any) -> bool:
    return any(ancestor.__name__ == "DTensor" for ancestor in kind.__mro__)


def is_dtensor(tensor: object) -> bool:
    """Whether a tensor is spread over ranks; by name, since DTensor is slow to import."""
    kind: Any = type(tensor)
    return _is_kind_of_dtensor(kind)


def _wrapped(tensor: Any) -> list[object]:
    """Return the tensors that a wrapper keeps its numbers in."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    return [] if flatten is None else [getattr(tensor, name) for name in flatten()[0]]


def check_on_one_rank(tensor: object, name: str = "grad") -> None:
    """Refuse a DTensor where kernels would read local memory.

    Raises
    ------
    TypeError
        If ``tensor`` is a DTensor.
    """
    # A compiler traces local tensors, and could not read a class's ancestry.
    if torch.compiler.is_compiling():
        return
    if not is_dtensor(tensor):
        for inner in _wrapped(tensor):
            check_on_one_rank(inner, f"what {name} wraps")
    else:
        msg = (
            f"{name} is a DTensor, and some of its output channels may lie on other ranks; use "
            "cdg_torch.sharded.write_sharded_gradients, or cdg_torch.attach, which calls it"
        )
        raise TypeError(msg)


def check_operand(operand: Tensor) -> None:
    """Refuse a tensor that cannot be the operand of a metric.

    Raises
    ------
    ValueError
        If it is not a float64 CPU tensor of 6 numbers, or of 5, without a curvature.
    """
    if (
        operand.is_nested
        or operand.shape not in {(6,), (5,)}
        or operand.dtype != torch.float64
        or operand.device.type != "cpu"
    ):
        shape = "nested shape" if operand.is_nested else f"shape {tuple(operand.shape)}"
        msg = (
            "metric must be a Metric or a float64 CPU tensor of 6 numbers, got "
            f"{operand.dtype} of {shape} on {operand.device}; "
            "cdg_torch.metric_operand(metric) makes one"
        )
        raise ValueError(msg)


def check_arguments(tensor: object, metric: object, dim: object, groups: object, name: str) -> int:
    """Check all arguments of a transform and return ``dim`` as a non-negative axis.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If ``dim`` is not an axis of the tensor, the axis is empty, or ``groups`` does not divide
        it.
    """
    check_tensor(tensor, name)
    check_on_one_rank(tensor, name)
    if isinstance(metric, Tensor):
        check_operand(metric)
    else:
        check_metric(metric)
    assert isinstance(tensor, Tensor)
    return check_axis(tuple(tensor.shape), dim, groups, name)


def check_axis(shape: tuple[int, ...], dim: object, groups: object, name: str) -> int:
    """Check the axis of output channels and its groups; return it as a non-negative one.

    Raises
    ------
    TypeError
        If either is not an int.
    ValueError
        If ``dim`` is not an axis, the axis is empty, or ``groups`` does not divide it.
    """
    for label, value in (("dim", dim), ("groups", groups)):
        if isinstance(value, bool) or not isinstance(value, (int, torch.SymInt)):
            msg = f"{label} must be an int, got {described(value)}"
            raise TypeError(msg)
    assert isinstance(dim, int)
    assert isinstance(groups, int)
    if not -len(shape) <= dim < len(shape):
        msg = f"dim must be an axis of {name}, got dim={dim} for shape {shape}"
        raise ValueError(msg)
    size = shape[dim]
    if size == 0:
        msg = (
            f"{name} has no output channels: axis {dim} of shape {shape} is empty; leave it out, "
            "or give another dim"
        )
        raise ValueError(msg)
    if groups < 1 or size % groups:
        msg = f"groups must divide the {size} output channels of axis {dim}, got groups={groups}"
        raise ValueError(msg)
    return dim % len(shape)
