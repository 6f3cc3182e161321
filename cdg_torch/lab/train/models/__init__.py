"""The networks of the experiments, one family per file, found by name.

Each takes the number of input channels and of classes; every random number comes from torch's
global generator, so that a seed set beforehand decides the initial weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cdg_torch.lab.train.models.cnn import small_cnn, tiny_cnn
from cdg_torch.lab.train.models.resnet import resnet18, resnet20, resnet50
from cdg_torch.lab.train.models.unet import unet
from cdg_torch.lab.train.models.vgg import vgg11

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MODELS", "build"]

MODELS: dict[str, Callable[[int, int], nn.Module]] = {
    "tiny-cnn": tiny_cnn,
    "small-cnn": small_cnn,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "resnet50": resnet50,
    "vgg11": vgg11,
    "unet": unet,
}


def build(name: str, in_channels: int, classes: int) -> nn.Module:
    """Return a freshly initialised network.

    Raises
    ------
    ValueError
        If there is no network of that name.

    Examples
    --------
    >>> sum(p.numel() for p in build("tiny-cnn", 1, 10).parameters())
    14458
    """
    if name not in MODELS:
        msg = f"model must be one of {', '.join(sorted(MODELS))}, got {name!r}"
        raise ValueError(msg)
    return MODELS[name](in_channels, classes)
