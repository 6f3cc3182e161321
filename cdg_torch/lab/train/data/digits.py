"""Handwritten digits, 1797 real images of 8×8 pixels that come inside scikit-learn."""

from __future__ import annotations

from cdg_torch.extras import optional
from cdg_torch.lab.train.data.dataset import SPLIT_SEED, Dataset, as_split, drawn, split_dataset

TEST_IMAGES = 597


def digits(*, train: int = 1000, validation: int = 200) -> Dataset:
    """Return the digits with 597 images for the test, drawn once.

    Raises
    ------
    ValueError
        If more than the 1200 others are asked for.
    """
    with optional():
        from sklearn.datasets import load_digits

    bunch = load_digits()
    everything = as_split(bunch.images[:, None].astype("float32") / 16, bunch.target)
    counts = TEST_IMAGES, len(everything) - TEST_IMAGES
    test, pool = drawn(everything, *counts, seed=SPLIT_SEED + 1)
    return split_dataset("digits", pool, test, train=train, validation=validation, classes=10)
