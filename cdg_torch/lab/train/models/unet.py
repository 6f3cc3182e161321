"""A small U-Net (Ronneberger, Fischer, Brox 2015) for labelling every pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cdg_torch.lab.train.models.blocks import rectified


def _double(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(*rectified(inputs, outputs), *rectified(outputs, outputs))


class UNet(nn.Module):
    """Two poolings down, two transposed convolutions up, with skips between equal sizes.

    Height and width of the images must be multiples of 4.
    """

    def __init__(self, in_channels: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.down1 = _double(in_channels, width)
        self.down2 = _double(width, 2 * width)
        self.bottom = _double(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.join2 = _double(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.join1 = _double(2 * width, width)
        self.head = nn.Conv2d(width, classes, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every class at every pixel, (batch, classes, height, width)."""
        fine = self.down1(x)
        middle = self.down2(self.pool(fine))
        coarse = self.bottom(self.pool(middle))
        middle = self.join2(torch.cat([self.up2(coarse), middle], 1))
        fine = self.join1(torch.cat([self.up1(middle), fine], 1))
        scores: Tensor = self.head(fine)
        return scores


def unet(in_channels: int, classes: int) -> nn.Module:
    """Return a U-Net of 16, 32 and 64 channels."""
    return UNet(in_channels, classes)
