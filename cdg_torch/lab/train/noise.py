r"""How noisy gradients are before and after the transform, against theorem 8.

For gradient noise that is white along output channels, M⁻¹ keeps the fraction tr(M⁻²)/n of its
variance. Gradients of real batches are not white; how far off the prediction is, is measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from cdg_theory import discrete
from cdg_torch.gradient import riemannian_gradient
from cdg_torch.layers import convolution_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cdg_theory import Metric
    from cdg_torch.lab.train.data import Split


@dataclass(frozen=True, slots=True)
class LayerNoise:
    r"""Gradient noise of one convolution's weight over batches.

    ====================  ==============================================================
    field                 meaning
    ====================  ==============================================================
    ``variance``          total variance of the gradient over batches, summed over entries
    ``variance_kept``     the same of :math:`M^{-1}g`, relative to ``variance``
    ``predicted``         :math:`\operatorname{tr}(M^{-2})/n`, theorem 8, for white noise
    ``signal_kept``       :math:`\|M^{-1}\bar g\|^2/\|\bar g\|^2`, of the mean gradient,
                          with the noise that is left in the mean of the batches taken off
    ``noise_to_signal``   ``variance`` over the squared norm of the mean gradient
    ====================  ==============================================================
    """

    layer: str
    channels: int
    variance: float
    variance_kept: float
    predicted: float
    signal_kept: float
    noise_to_signal: float


def _moments(samples: Tensor) -> tuple[float, float]:
    """Return the total variance, and the squared norm of the mean without its own noise.

    Both unbiased: E‖mean of B‖² = ‖mean‖² + variance / B.
    """
    mean = samples.mean(0)
    variance = float((samples - mean).square().sum() / (len(samples) - 1))
    return variance, float(mean.square().sum()) - variance / len(samples)


def measure_noise(
    model: nn.Module, split: Split, metric: Metric, *, batch: int, batches: int, seed: int = 0
) -> list[LayerNoise]:
    """Return the gradient noise of every convolution of a network at its present weights.

    The weights are left as they are. Batches are drawn with replacement between them, without
    within them.

    Parameters
    ----------
    model
        A network that gives scores; normalisation uses the batch's statistics, as in training.
    split
        Images and classes.
    metric
        What M is.
    batch, batches
        How many images in a batch, how many batches (two or more).
    seed
        Decides the batches.

    Raises
    ------
    ValueError
        If there are fewer than two batches.
    """
    if batches < 2:
        msg = f"batches must be >= 2 to estimate a variance, got {batches}"
        raise ValueError(msg)
    slots = list(convolution_weights(model))
    weights = [slot.parameter for slot, _ in slots]
    drawn: list[list[Tensor]] = [[] for _ in slots]
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(batches):
        index = torch.randperm(len(split), generator=generator)[:batch].to(split.targets.device)
        loss = functional.cross_entropy(model(split.images[index]), split.targets[index])
        gradients: Sequence[Tensor] = torch.autograd.grad(loss, weights)  # type: ignore[arg-type]
        for kept, gradient in zip(drawn, gradients, strict=True):
            kept.append(gradient)
    rows = []
    for (slot, axis), gradients in zip(slots, drawn, strict=True):
        raw = torch.stack(list(gradients)).double()
        smooth = riemannian_gradient(raw, metric, dim=axis.dim + 1, groups=axis.groups)
        variance, signal = _moments(raw)
        variance_after, signal_after = _moments(smooth)
        n = raw.shape[axis.dim + 1] // axis.groups
        rows.append(
            LayerNoise(
                layer=slot.name,
                channels=n,
                variance=variance,
                variance_kept=variance_after / variance,
                predicted=discrete.variance_kept(metric, n),
                signal_kept=signal_after / signal,
                noise_to_signal=variance / signal,
            )
        )
    return rows
