"""The gradients of real networks: which convolutions they have, and how large those are."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from cdg_torch.lab.train.models.resnet import resnet18, resnet50
from cdg_torch.layers import convolution_weights

Shapes = tuple[tuple[int, ...], ...]


@cache
def _shapes_of(build: Callable[[], nn.Module]) -> Shapes:
    with torch.device("meta"):
        model = build()
    weights = (slot.parameter for slot, _ in convolution_weights(model))
    return tuple(tuple(weight.shape) for weight in weights if weight is not None)


def image_network() -> nn.Module:
    """Return ResNet-18 as for large images, 1000 classes."""
    return resnet18(3, 1000, small=False)


def _densenet() -> nn.Module:
    """Return the 200 convolutions of a DenseNet-201: 98 dense layers of two, growth 32."""
    growth, bottleneck, channels = 32, 128, 64
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 7)]
    for depth in (6, 12, 48, 32):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, bottleneck, 1), nn.Conv2d(bottleneck, growth, 3)]
            channels += growth
        if depth != 32:
            layers.append(nn.Conv2d(channels, channels // 2, 1))
            channels //= 2
    return nn.ModuleList(layers)


WORKLOADS: dict[str, Callable[[], nn.Module]] = {
    "ResNet-18": image_network,
    "ResNet-50": lambda: resnet50(3, 1000),
    "DenseNet-201": _densenet,
}


def gradients(name: str, device: str = "cpu") -> list[Tensor]:
    """Return random gradients for the convolutions of a network of ``WORKLOADS``.

    Examples
    --------
    >>> sum(g.numel() for g in gradients("ResNet-18"))
    11166912
    >>> len(gradients("DenseNet-201"))
    200
    """
    generator = torch.Generator().manual_seed(0)
    shapes = _shapes_of(WORKLOADS[name])
    return [torch.randn(shape, generator=generator).to(device) for shape in shapes]


def scaling_gradient(n: int, *, size: int = 1 << 22, device: str = "cpu") -> Tensor:
    """Return one gradient of ``size`` numbers, with ``n`` output channels."""
    generator = torch.Generator(device).manual_seed(0)
    return torch.randn(n, size // n, generator=generator, device=device)
