"""A data set as tensors in memory, with a fixed split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SPLIT_SEED = 20200825
"""The seed of every split and subsample: the same images for every method and every run."""


@dataclass(frozen=True, slots=True)
class Split:
    """Images (count, channels, height, width) and targets: classes, or classes per pixel."""

    images: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: Tensor) -> Split:
        """Return the images of the given indices."""
        return Split(self.images[index], self.targets[index])

    def to(self, device: str) -> Split:
        """Return the split on a device."""
        return Split(self.images.to(device), self.targets.to(device))


@dataclass(frozen=True, slots=True)
class Dataset:
    """Training, validation and test images of one task."""

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int

    @property
    def in_channels(self) -> int:
        """The number of channels of an image."""
        return self.train.images.shape[1]

    @property
    def per_pixel(self) -> bool:
        """Whether every pixel has a class of its own."""
        return self.train.targets.ndim == 3

    def _map(self, change: Callable[[Split], Split]) -> Dataset:
        train, validation, test = map(change, (self.train, self.validation, self.test))
        return replace(self, train=train, validation=validation, test=test)

    def to(self, device: str) -> Dataset:
        """Return the data set on a device."""
        return self._map(lambda part: part.to(device))

    def map_images(self, change: Callable[[Tensor], Tensor]) -> Dataset:
        """Return the data set with a function applied to all images."""
        return self._map(lambda part: Split(change(part.images), part.targets))


def drawn(pool: Split, *counts: int, seed: int = SPLIT_SEED) -> list[Split]:
    """Return disjoint parts of so many images, always the same ones."""
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
    return [pool.take(part) for part in torch.split(order[: sum(counts)], list(counts))]


def split_dataset(
    name: str, pool: Split, test: Split, *, train: int, validation: int, classes: int
) -> Dataset:
    """Draw disjoint training and validation images from the pool, and standardise all images.

    Raises
    ------
    ValueError
        If the pool is too small.
    """
    if train < 1 or validation < 1 or train + validation > len(pool):
        msg = (
            f"train={train} and validation={validation} images are wanted from the {len(pool)} "
            f"of {name}; ask for fewer"
        )
        raise ValueError(msg)
    own, held_out = drawn(pool, train, validation)
    return standardised(Dataset(name, own, held_out, test, classes))


def standardised(dataset: Dataset) -> Dataset:
    """Return the images as float32 with mean 0 and spread 1 per channel over the training set.

    The mean and the spread come from the training images alone.
    """
    reference = dataset.train.images.to(torch.float32)
    spread, mean = torch.std_mean(reference, dim=(0, 2, 3), keepdim=True)
    spread = spread.clamp_min(1e-6)
    return dataset.map_images(lambda images: (images.to(torch.float32) - mean) / spread)


def as_split(images: np.ndarray, labels: np.ndarray) -> Split:
    """Return arrays (count, channels, height, width) and (count,) as a split."""
    return Split(torch.as_tensor(images), torch.as_tensor(labels).to(torch.int64))
