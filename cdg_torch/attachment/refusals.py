"""Set-ups in which ``p.grad`` would be something other than the model's gradients."""

from __future__ import annotations

import functools
import types
from collections.abc import Container, Iterator, Mapping
from typing import TypeVar

from torch import nn
from torch._compile import _disable_dynamo
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from cdg_theory.checks import described, qualified
from cdg_torch.notices import say

T = TypeVar("T")

_FSDP1 = (
    "the model is wrapped in FullyShardedDataParallel (FSDP1), which flattens parameters into "
    "one-dimensional fragments: their output channels are gone; use FSDP2, "
    "torch.distributed.fsdp.fully_shard, which shards each tensor along its first axis"
)
_DEEPSPEED = (
    "the {what} belongs to DeepSpeed, which keeps gradients in flat partitions of its own, out "
    "of reach of p.grad: nothing would be transformed; use torch's FSDP2 (fully_shard) or plain "
    "DDP for this model, or call cdg_torch.riemannian_gradients_ on gradients you hold"
)


def _ancestry(thing: object) -> list[tuple[str, str]]:
    # By name: neither package need be installed, and importing them takes seconds.
    return [(kind.__module__, kind.__name__) for kind in type(thing).__mro__]


def _check_sharding(optimizer: Optimizer, model: nn.Module) -> None:
    for module in model.modules():
        for package, name in _ancestry(module):
            if name == "FullyShardedDataParallel":
                raise TypeError(_FSDP1)
            if package.split(".")[0] == "deepspeed":
                raise TypeError(_DEEPSPEED.format(what="model"))
    if any(package.split(".")[0] == "deepspeed" for package, _ in _ancestry(optimizer)):
        raise TypeError(_DEEPSPEED.format(what="optimizer"))
    if any(hasattr(p, "ds_id") for p in model.parameters()):
        raise TypeError(_DEEPSPEED.format(what="model (ZeRO-3 parameters)"))


def _inside(thing: object, kind: type[T]) -> Iterator[tuple[str, T]]:
    """Yield how to reach the objects of a kind that another holds, and the objects.

    In its attributes, in its entries, and in the entries of its attributes.
    """
    if isinstance(thing, Mapping):
        parts = [(f"[{key!r}]", part) for key, part in thing.items()]
    elif isinstance(thing, list | tuple):
        parts = [(f"[{i}]", part) for i, part in enumerate(thing)]
    else:
        parts = [(f".{name}", part) for name, part in getattr(thing, "__dict__", {}).items()]
    for path, part in parts:
        if isinstance(part, kind):
            yield path, part
        elif path[0] == "." and isinstance(part, Mapping | list | tuple):
            for rest, found in _inside(part, kind):
                yield path + rest, found


def _right_optimizer(optimizer: object, model: object) -> str:
    """Return what to give in the place of what is no optimizer."""
    if isinstance(optimizer, nn.Module) and isinstance(model, Optimizer):
        return "the optimizer comes first, attach(optimizer, model, metric)"
    calls = [f"attach(optimizer{path}, model, metric)" for path, _ in _inside(optimizer, Optimizer)]
    if len(calls) == 1:
        return f"attach to the torch optimizer that it holds, {calls[0]}"
    if calls:
        more = ", …" if len(calls) > 2 else ""
        return f"attach to each torch optimizer that it holds, {calls[0]}, {calls[1]}{more}"
    if isinstance(optimizer, type | types.FunctionType | types.MethodType | functools.partial):
        return (
            "make the optimizer first, as in attach(SGD(model.parameters(), lr=0.1), model, metric)"
        )
    return (
        "give the torch optimizer that trains the model, where it is made; what is not derived "
        "from torch.optim.Optimizer has no step to attach to"
    )


def _check_model(model: object) -> nn.Module:
    """Return the model, or say what to give in the place of what is none."""
    if isinstance(model, nn.Module):
        return model
    cure = "give the model that the parameters belong to: the output-channel axis is read from it"
    paths = [path for path, m in _inside(model, nn.Module) if [*m.parameters()]]
    if paths and isinstance(model, Mapping):
        cure = 'give them as one model, nn.ModuleDict({"a": A, "b": B})'
    elif paths and isinstance(model, list | tuple):
        cure = "give them as one model, nn.ModuleList([A, B])"
    elif paths:
        cure = f"give the model that it holds, {' or '.join(f'model{path}' for path in paths)}"
    msg = f"model must be a torch.nn.Module, got {described(model)}; {cure}"
    raise TypeError(msg)


def check_optimizer_and_model(optimizer: object, model: object) -> None:
    """Refuse what is not an optimizer that steps by itself, or keeps gradients out of reach."""
    if not isinstance(optimizer, Optimizer):
        msg = (
            f"optimizer must be a torch.optim.Optimizer, got {described(optimizer)}; "
            f"{_right_optimizer(optimizer, model)}"
        )
        raise TypeError(msg)
    # Optimizer.__init__ has not run.
    if "_optimizer_step_pre_hooks" not in vars(optimizer):
        msg = (
            f"{qualified(type(optimizer))} wraps another optimizer and has no step of its own; "
            f"{_right_optimizer(optimizer, model)}"
        )
        raise TypeError(msg)
    _check_sharding(optimizer, _check_model(model))


def warn_of_another_model(optimizer: Optimizer, model: nn.Module, known: Container[int]) -> None:
    """Warn if the optimizer trains what look like convolutions of a model that was not given.

    Parameters of a loss, a temperature or a table of anchors, have fewer axes.
    """
    held = [p for group in optimizer.param_groups for p in group["params"] if id(p) not in known]
    outside = sum(not is_lazy(p) and p.requires_grad and p.ndim > 2 for p in held)
    if outside:
        say(
            f"{outside} of the optimizer's tensors with three axes or more, as weights of "
            f"convolutions have, lie outside the model, a {qualified(type(model))}, and are "
            "trained without the metric; if the optimizer trains several models, give them all, "
            "attach(optimizer, nn.ModuleList([A, B]), metric), and if this is meant, ignore "
            "cdg_torch.CDGWarning"
        )


@_disable_dynamo
def check_gradients(optimizer: Optimizer) -> None:
    """Refuse a step for which there is no gradient at all."""
    if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
        msg = (
            "every gradient is None, so the step would do nothing: backward() has not run, or "
            "gradients are kept elsewhere than in p.grad; if such steps are meant, attach with "
            "require_gradients=False"
        )
        raise RuntimeError(msg)


def check_model_is_given(params: object, model: object, name: str) -> nn.Module:
    """Return the model of an optimizer that takes a model, or parameters and their model."""
    if isinstance(params, nn.Module):
        if model is not None and model is not params:
            msg = (
                f"{name} got two models, as params and as model; give the model first, or "
                "parameters and model="
            )
            raise ValueError(msg)
        return params
    if model is None and [*_inside(params, nn.Module)]:
        model = params  # several models
    if model is None:
        msg = (
            f"{name} got parameters without their model, and the output-channel axis is read from "
            f"the model's layers, but model=None; use {name}(model, ...) or {name}(params, ..., "
            "model=model)"
        )
        raise ValueError(msg)
    return _check_model(model)
