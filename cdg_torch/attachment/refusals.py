"""Set-ups in which ``p.grad`` would be something other than the model's gradients."""

from __future__ import annotations

from torch import nn
from torch._compile import _disable_dynamo
from torch.optim import Optimizer

from cdg_theory.checks import described

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


def check_optimizer_and_model(optimizer: object, model: object) -> None:
    """Refuse what is not an optimizer that steps by itself, or keeps gradients out of reach."""
    if not isinstance(optimizer, Optimizer):
        msg = (
            f"optimizer must be a torch.optim.Optimizer, got {described(optimizer)}; "
            "give the optimizer itself, not its class or a wrapper around it"
        )
        raise TypeError(msg)
    if not isinstance(model, nn.Module):
        msg = (
            f"model must be a torch.nn.Module, got {described(model)}; the output-channel "
            "axis is read from its layers"
        )
        raise TypeError(msg)
    # Optimizer.__init__ has not run.
    if "_optimizer_step_pre_hooks" not in vars(optimizer):
        msg = (
            f"{type(optimizer).__name__} wraps another optimizer and has no step of its own; "
            "attach to the optimizer inside, before it is wrapped"
        )
        raise TypeError(msg)
    _check_sharding(optimizer, model)


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
    if model is None:
        msg = (
            f"{name} got parameters without their model, and the output-channel axis is read from "
            f"the model's layers, but model=None; use {name}(model, ...) or {name}(params, ..., "
            "model=model)"
        )
        raise ValueError(msg)
    if not isinstance(model, nn.Module):
        msg = f"model must be a torch.nn.Module, got {described(model)}"
        raise TypeError(msg)
    return model
