"""Handwritten digits, 1797 real images of 8×8 pixels that come inside scikit-learn."""

from __future__ import annotations

import torch

from cdg_torch.extras import optional
from cdg_torch.lab.train.data.dataset import (
    SPLIT_SEED,
    Dataset,
    as_split,
    split_dataset,
    standardised,
)

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
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(SPLIT_SEED + 1))
    test, pool = everything.take(order[:TEST_IMAGES]), everything.take(order[TEST_IMAGES:])
    return standardised(
        split_dataset("digits", pool, test, train=train, validation=validation, classes=10)
    )
