"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 70 000 clothes of 28×28 pixels, in idx files."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cdg_torch.lab.train.data.dataset import Dataset, Split, as_split, split_dataset

DEFAULT_FOLDER = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package dataset-fashion-mnist puts the files."""

SIDE = 28
"""Pixels along the side of an image."""

_UNSIGNED_BYTES = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of an idx file of unsigned bytes, compressed with gzip or not.

    The format: two zero bytes, a type, the number of axes, the length of each (big-endian, four
    bytes), the entries.

    Raises
    ------
    ValueError
        If the file is not of this form, or cut short.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:3] != bytes((0, 0, _UNSIGNED_BYTES)):
        msg = f"{path} is not an idx file of unsigned bytes: it begins with {content[:4].hex()}"
        raise ValueError(msg)
    axes = content[3]
    shape = tuple(np.frombuffer(content, ">u4", axes, offset=4).tolist())
    if len(content) != 4 + 4 * axes + math.prod(shape):
        msg = f"{path} should hold {shape} bytes after its header, but has {len(content)} in all"
        raise ValueError(msg)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _find(folder: Path, stem: str) -> Path:
    for name in (stem + ".gz", stem):
        if (folder / name).is_file():
            return folder / name
    msg = (
        f"{stem}(.gz) is not in {folder}; install it (apt-get install dataset-fashion-mnist), or "
        "name the folder of the four idx files in the option folder"
    )
    raise FileNotFoundError(msg)


def _shrunk(images: Tensor, side: int) -> Tensor:
    """Return the images with blocks of pixels averaged, ``side`` pixels wide."""
    if side not in {SIDE, SIDE // 2, SIDE // 4}:
        msg = f"the side of an image must be {SIDE}, {SIDE // 2} or {SIDE // 4}, got {side}"
        raise ValueError(msg)
    if side == SIDE:
        return images
    means = functional.avg_pool2d(images.to(torch.float32), SIDE // side)
    return means.round().to(torch.uint8)


def fashion_pool(folder: str = DEFAULT_FOLDER, side: int = SIDE) -> tuple[Split, Split]:
    """Return the 60 000 images for training and validation, and the 10 000 of the test.

    With a ``side`` of 14 or 7 instead of 28 pixels, blocks of pixels are averaged.

    Raises
    ------
    FileNotFoundError
        If the folder has not the four files.
    ValueError
        If one of them is broken, or the side is none of the three.
    """
    parts = []
    for stem in ("train", "t10k"):
        images = read_idx(_find(Path(folder), f"{stem}-images-idx3-ubyte"))
        labels = read_idx(_find(Path(folder), f"{stem}-labels-idx1-ubyte"))
        split = as_split(images[:, None].copy(), labels.copy())
        parts.append(Split(_shrunk(split.images, side), split.targets))
    return parts[0], parts[1]


def fashion(
    *,
    folder: str = DEFAULT_FOLDER,
    side: int = SIDE,
    train: int = 50_000,
    validation: int = 10_000,
    test: int = 10_000,
) -> Dataset:
    """Return Fashion-MNIST with the first ``test`` of its own 10 000 test images.

    ``side`` is that of an image in pixels: 28, or 14 or 7 by averaging.

    Raises
    ------
    FileNotFoundError, ValueError
        If the files are missing or broken, or more images are asked for than there are.
    """
    pool, held_out = fashion_pool(folder, side)
    held_out = held_out.take(torch.arange(min(test, len(held_out))))
    return split_dataset("fashion", pool, held_out, train=train, validation=validation, classes=10)
