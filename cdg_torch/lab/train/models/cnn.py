"""Plain convolutional networks for small images."""

from __future__ import annotations

from torch import nn

from cdg_torch.lab.train.models.blocks import rectified


def tiny_cnn(in_channels: int, classes: int) -> nn.Module:
    """Return three 3×3 convolutions of 16 and 32 channels, for 8×8 images."""
    return nn.Sequential(
        *rectified(in_channels, 16),
        *rectified(16, 32),
        nn.MaxPool2d(2),
        *rectified(32, 32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, classes),
    )


def small_cnn(in_channels: int, classes: int) -> nn.Module:
    """Return three 3×3 convolutions of 32 and 64 channels with pooling, for 28×28 images."""
    return nn.Sequential(
        *rectified(in_channels, 32),
        nn.MaxPool2d(2),
        *rectified(32, 64),
        nn.MaxPool2d(2),
        *rectified(64, 64),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(256, classes),
    )
