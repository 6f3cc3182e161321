"""Steps along transformed gradients: how the baselines get into an optimizer.

For the experiments only: no closures, no option but the map itself. What a user attaches to an
optimizer is :func:`cdg_torch.attach`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cdg_torch.layers import convolution_weights

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


def step_along(
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
    for slot, axis in convolution_weights(model):
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
