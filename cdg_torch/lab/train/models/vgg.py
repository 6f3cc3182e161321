"""A network in the manner of VGG (Simonyan, Zisserman 2014) for 32×32 images."""

from __future__ import annotations

from torch import nn

from cdg_torch.lab.train.models.blocks import rectified

_WIDTHS = ((64,), (128,), (256, 256), (512, 512), (512, 512))


def vgg11(in_channels: int, classes: int) -> nn.Module:
    """Return eight 3×3 convolutions with batch normalisation and one linear layer.

    Pools five times, so that images must be at least 32×32 pixels.
    """
    layers: list[nn.Module] = []
    channels = in_channels
    for stage in _WIDTHS:
        for width in stage:
            layers += rectified(channels, width)
            channels = width
        layers.append(nn.MaxPool2d(2))
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*layers, *head)
