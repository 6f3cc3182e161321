"""Segmentation: several clothes of Fashion-MNIST on one canvas, every pixel with its class.

Real images, a composed scene: the classes 0 … 9 are the clothes, 10 is the background. A pixel
belongs to the item put down last among those that are brighter than a threshold there.
"""

from __future__ import annotations

import torch

from cdg_torch.lab.train.data.dataset import SPLIT_SEED, Dataset, Split, standardised
from cdg_torch.lab.train.data.fashion import DEFAULT_FOLDER, SIDE, fashion_pool

BACKGROUND = 10
_THRESHOLD = 40


def _compose(items: Split, count: int, size: int, each: int, seed: int) -> Split:
    """Return ``count`` canvases with ``each`` items at random places."""
    generator = torch.Generator().manual_seed(seed)
    side = items.images.shape[-1]
    images = torch.zeros(count, 1, size, size, dtype=torch.uint8)
    classes = torch.full((count, size, size), BACKGROUND, dtype=torch.int64)
    chosen = torch.randint(len(items), (count, each), generator=generator).tolist()
    places = torch.randint(size - side + 1, (count, each, 2), generator=generator).tolist()
    for canvas in range(count):
        for item, (top, left) in zip(chosen[canvas], places[canvas], strict=True):
            window = (slice(top, top + side), slice(left, left + side))
            picture = items.images[item, 0]
            visible = picture > _THRESHOLD
            images[canvas, 0][window][visible] = picture[visible]
            classes[canvas][window][visible] = items.targets[item]
    return Split(images, classes)


def canvases(
    *,
    folder: str = DEFAULT_FOLDER,
    side: int = SIDE,
    size: int = 64,
    items: int = 4,
    train: int = 2000,
    validation: int = 500,
    test: int = 1000,
) -> Dataset:
    """Return canvases of ``size`` pixels; no garment of one split appears in another.

    Garments are ``side`` pixels wide: 28, or 14 or 7 by averaging.

    Raises
    ------
    FileNotFoundError, ValueError
        If Fashion-MNIST's files are missing or broken.
    """
    pool, final = fashion_pool(folder, side)
    half = len(pool) * 5 // 6
    rest = pool.take(torch.arange(half, len(pool)))
    return standardised(
        Dataset(
            "canvases",
            _compose(pool.take(torch.arange(half)), train, size, items, SPLIT_SEED),
            _compose(rest, validation, size, items, SPLIT_SEED + 1),
            _compose(final, test, size, items, SPLIT_SEED + 2),
            BACKGROUND + 1,
        )
    )
