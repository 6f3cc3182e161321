"""Generator and discriminator of a DCGAN (Radford, Metz, Chintala 2016) for 28×28 images."""

from __future__ import annotations

from torch import nn

LATENT = 64
"""Length of the random vector that the generator turns into an image."""

# Weights start as the authors of DCGAN start them.
_SPREAD = 0.02


def _initialised(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, _SPREAD)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, _SPREAD)
    return model


def generator(channels: int = 1, width: int = 32) -> nn.Module:
    """Return a network from (batch, LATENT, 1, 1) to images in (−1, 1)."""
    return _initialised(
        nn.Sequential(
            nn.ConvTranspose2d(LATENT, 4 * width, 4, bias=False),  # 4×4
            nn.BatchNorm2d(4 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, bias=False),  # 7×7
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),  # 14×14
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),  # 28×28
            nn.Tanh(),
        )
    )


def discriminator(channels: int = 1, width: int = 32) -> nn.Module:
    """Return a network from images to one score each, large for real ones."""
    return _initialised(
        nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 1, 7),
            nn.Flatten(0),
        )
    )
