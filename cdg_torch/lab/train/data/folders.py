"""Images in folders: one folder per class, or pairs of image and mask.

Everything is decoded once, to one size, and kept in memory as bytes: 1.3 million images of
64×64 pixels take 16 GB. Nothing is decoded during training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdg_torch.extras import optional
from cdg_torch.lab.train.data.dataset import Dataset, Split, as_split, drawn, split_dataset

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"}


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        msg = f"{folder} is not a folder; name one in the option folder"
        raise FileNotFoundError(msg)
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def _cut(path: Path, size: int, filter_: str, mode: str | None = None) -> NDArray[Any]:
    """Return the centre of an image, its shorter side resized to ``size``, in a colour mode."""
    with optional():
        from PIL import Image, ImageOps

    with Image.open(path) as image:
        same = image if mode is None else image.convert(mode)
        return np.asarray(ImageOps.fit(same, (size, size), Image.Resampling[filter_]))


def _decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Return the image as (3, size, size)."""
    return _cut(path, size, "BILINEAR", "RGB").astype(np.uint8).transpose(2, 0, 1)


def _classes_of(folder: Path) -> list[str]:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if len(classes) < 2:
        msg = f"{folder} should hold one folder per class, but has {len(classes)}"
        raise ValueError(msg)
    return classes


def _labelled(folder: Path, classes: list[str], size: int) -> Split:
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        for path in _files(folder / name):
            images.append(_decode(path, size))
            labels.append(label)
    return as_split(np.stack(images), np.array(labels))


def image_folder(
    *, folder: str, size: int = 64, train: int, validation: int, test: str = "val"
) -> Dataset:
    """Return images from ``folder/train/<class>/*`` and, for the test, ``folder/<test>/<class>/*``.

    The layout of ImageNet. Its official validation images serve as the test; our validation
    images are drawn from the training folder.

    Raises
    ------
    FileNotFoundError
        If a folder is missing.
    ValueError
        If there are fewer than two classes, or fewer images than asked for.
    """
    root = Path(folder)
    _files(root / "train")
    classes = _classes_of(root / "train")
    pool = _labelled(root / "train", classes, size)
    final = _labelled(root / test, classes, size)
    counts = {"train": train, "validation": validation, "classes": len(classes)}
    return split_dataset(root.name, pool, final, **counts)


def _mask(path: Path, size: int, classes: int) -> NDArray[np.int64]:
    # Nearest: a class between two classes would be a third one.
    mask = _cut(path, size, "NEAREST")
    if mask.ndim != 2 or mask.max() >= classes:
        msg = (
            f"{path} should hold one class below {classes} per pixel, as grey values or palette "
            f"indices; it has shape {mask.shape} and values up to {mask.max()}"
        )
        raise ValueError(msg)
    return mask.astype(np.int64)


def mask_folder(
    *, folder: str, classes: int, size: int = 64, train: int, validation: int, test: int
) -> Dataset:
    """Return pairs of ``folder/images/x.*`` and ``folder/masks/x.png``, split at random.

    Masks hold the class of each pixel as grey value or palette index, 0 … classes − 1.

    Raises
    ------
    FileNotFoundError
        If a folder or a mask is missing.
    ValueError
        If a mask has other values, or there are fewer images than asked for.
    """
    root = Path(folder)
    images, masks = [], []
    for path in _files(root / "images"):
        mask = root / "masks" / (path.stem + ".png")
        if not mask.is_file():
            msg = f"{path} has no mask {mask}; add it or take the image away"
            raise FileNotFoundError(msg)
        images.append(_decode(path, size))
        masks.append(_mask(mask, size, classes))
    if len(images) <= test:
        msg = f"test={test} images are wanted for the test, but {root} has {len(images)}"
        raise ValueError(msg)
    whole = as_split(np.stack(images), np.stack(masks))
    pool, final = drawn(whole, len(whole) - test, test)
    counts = {"train": train, "validation": validation, "classes": classes}
    return split_dataset(root.name, pool, final, **counts)
