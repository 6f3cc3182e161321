"""Building blocks of the networks: convolution, batch normalisation, ReLU."""

from __future__ import annotations

from torch import nn


def normalised(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Return a convolution that keeps the size (but for its stride), and its normalisation.

    No bias: the normalisation would remove it again.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def rectified(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Return the same with a ReLU after it."""
    return [*normalised(inputs, outputs, kernel, stride), nn.ReLU(inplace=True)]
