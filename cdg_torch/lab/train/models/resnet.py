"""Residual networks (He et al. 2016), with the stem for small images or that for large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return nn.Sequential(projection, nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = _shortcut(inputs, width, stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(body(x) + shortcut(x))."""
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions and a shortcut; the output is four times as wide."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = _shortcut(inputs, outputs, stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(body(x) + shortcut(x))."""
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out


def _resnet(
    stem: list[nn.Module],
    block: type[BasicBlock | Bottleneck],
    depths: tuple[int, ...],
    width: int,
    classes: int,
) -> nn.Module:
    layers, channels = list(stem), width
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            layers.append(block(channels, width << stage, stride))
            channels = (width << stage) * block.expansion
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    model = nn.Sequential(*layers, *head)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def _stem(in_channels: int, width: int, *, small: bool) -> list[nn.Module]:
    if small:
        convolution: nn.Module = nn.Conv2d(in_channels, width, 3, 1, 1, bias=False)
        return [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    convolution = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
    pool = nn.MaxPool2d(3, 2, 1)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True), pool]


def resnet20(in_channels: int, classes: int) -> nn.Module:
    """Return the 20-layer network for 32×32 images: 3 stages of 3 blocks, 16 to 64 channels."""
    return _resnet(_stem(in_channels, 16, small=True), BasicBlock, (3, 3, 3), 16, classes)


def resnet18(in_channels: int, classes: int, *, small: bool = True) -> nn.Module:
    """Return ResNet-18; ``small`` takes the 3×3 stem for 32×32 images, else the 7×7 one."""
    stem = _stem(in_channels, 64, small=small)
    return _resnet(stem, BasicBlock, (2, 2, 2, 2), 64, classes)


def resnet50(in_channels: int, classes: int, *, small: bool = False) -> nn.Module:
    """Return ResNet-50, by default with the 7×7 stem for large images."""
    stem = _stem(in_channels, 64, small=small)
    return _resnet(stem, Bottleneck, (3, 4, 6, 3), 64, classes)
