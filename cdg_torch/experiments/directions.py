"""Gradients smoothed along other directions than channels, and centralized ones: to compare with.

For the experiments only: no closures, no option but the map itself. What a user attaches to an
optimizer is :func:`cdg_torch.attach`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cdg_torch.layers import CONVOLUTIONS, output_axis, parameter_slots
from cdg_torch.transform import riemannian_gradient

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from cdg_theory import Metric

__all__ = ["along_kernel", "along_raster", "centralized", "transform_gradients"]


def along_kernel(metric: Metric) -> Callable[[Tensor, int], Tensor]:
    """Return the map that smooths along every axis of the kernel, one after the other."""

    def smooth(gradient: Tensor, output: int) -> Tensor:  # noqa: ARG001
        for axis in range(2, gradient.ndim):
            if gradient.shape[axis] > 1:
                gradient = riemannian_gradient(gradient, metric, dim=axis)
        return gradient

    return smooth


def along_raster(metric: Metric) -> Callable[[Tensor, int], Tensor]:
    """Return the map that smooths along the tensor read as one long column, last axis fastest.

    With an ordinary Sobolev metric, periodic and with unit spacing, this is the Laplacian
    smoothing of Osher et al. (2018).
    """

    def smooth(gradient: Tensor, output: int) -> Tensor:  # noqa: ARG001
        column = gradient.reshape(-1)
        return riemannian_gradient(column, metric).reshape(gradient.shape)

    return smooth


def centralized(gradient: Tensor, output: int) -> Tensor:
    """Return the gradient less its mean for each output channel (Yong et al. 2020).

    Across the paper's metrics: here the mean over everything *but* output channels goes.
    """
    others = [axis for axis in range(gradient.ndim) if axis != output]
    return gradient - gradient.mean(dim=others, keepdim=True)


def transform_gradients(
    optimizer: Optimizer, model: nn.Module, transform: Callable[[Tensor, int], Tensor]
) -> None:
    """Let the optimizer step along transformed gradients of the convolutions' weights.

    Parameters
    ----------
    optimizer, model
        As for :func:`cdg_torch.attach`; raw gradients are back after the step.
    transform
        From a gradient and its output-channel axis to what the optimizer is fed.
    """
    weights: list[tuple[nn.Parameter, int]] = []
    for slot in parameter_slots(model):
        axis = output_axis(slot.layer, slot.role)
        if axis is not None and slot.role == "weight" and isinstance(slot.layer, CONVOLUTIONS):
            assert slot.parameter is not None
            weights.append((slot.parameter, axis.dim))
    raw: list[Tensor | None] = []

    def before(*_arguments: Any) -> None:
        raw[:] = [weight.grad for weight, _ in weights]
        for weight, output in weights:
            if weight.grad is not None:
                weight.grad = transform(weight.grad, output)

    def after(*_arguments: Any) -> None:
        for (weight, _), gradient in zip(weights, raw, strict=True):
            weight.grad = gradient

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
