"""Residual networks (He et al. 2016), with the stem for small images or that for large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from cdg_torch.lab.train.models.blocks import normalised, rectified

if TYPE_CHECKING:
    from torch import Tensor


EXPANSION = 4
"""How much wider than its middle a bottleneck ends."""


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, or three of 1×1, 3×3 and 1×1, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        width = outputs // EXPANSION if bottleneck else outputs
        self.body = nn.Sequential(
            *(
                (
                    *rectified(inputs, width, 1),
                    *rectified(width, width, 3, stride),
                    *normalised(width, outputs, 1),
                )
                if bottleneck
                else (*rectified(inputs, width, 3, stride), *normalised(width, width))
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(*normalised(inputs, outputs, 1, stride))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(body(x) + shortcut(x))."""
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out


def _resnet(
    in_channels: int,
    classes: int,
    depths: tuple[int, ...],
    width: int = 64,
    *,
    small: bool,
    bottleneck: bool = False,
) -> nn.Module:
    stem = rectified(in_channels, width, 3 if small else 7, 1 if small else 2)
    layers, channels = (stem if small else [*stem, nn.MaxPool2d(3, 2, 1)]), width
    for stage, depth in enumerate(depths):
        outputs = (width << stage) * (EXPANSION if bottleneck else 1)
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            layers.append(ResidualBlock(channels, outputs, stride, bottleneck=bottleneck))
            channels = outputs
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    model = nn.Sequential(*layers, *head)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def resnet20(in_channels: int, classes: int) -> nn.Module:
    """Return the 20-layer network for 32×32 images: 3 stages of 3 blocks, 16 to 64 channels."""
    return _resnet(in_channels, classes, (3, 3, 3), 16, small=True)


def resnet18(in_channels: int, classes: int, *, small: bool = True) -> nn.Module:
    """Return ResNet-18; ``small`` takes the 3×3 stem for 32×32 images, else the 7×7 one."""
    return _resnet(in_channels, classes, (2, 2, 2, 2), small=small)


def resnet50(in_channels: int, classes: int, *, small: bool = False) -> nn.Module:
    """Return ResNet-50, by default with the 7×7 stem for large images."""
    return _resnet(in_channels, classes, (3, 4, 6, 3), small=small, bottleneck=True)
