"""The data sets of the experiments, found by name and kept once loaded."""

from __future__ import annotations

import functools
from collections.abc import Callable

from cdg_torch.lab.train.data.canvases import canvases
from cdg_torch.lab.train.data.cifar import cifar10, cifar100
from cdg_torch.lab.train.data.dataset import Dataset, Split
from cdg_torch.lab.train.data.digits import digits
from cdg_torch.lab.train.data.fashion import fashion
from cdg_torch.lab.train.data.folders import image_folder, mask_folder

__all__ = ["DATASETS", "Dataset", "Split", "load_dataset"]

DATASETS: dict[str, Callable[..., Dataset]] = {
    "canvases": canvases,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "digits": digits,
    "fashion": fashion,
    "images": image_folder,
    "masks": mask_folder,
}


@functools.lru_cache(maxsize=2)
def _load(name: str, options: tuple[tuple[str, object], ...]) -> Dataset:
    return DATASETS[name](**dict(options))


def load_dataset(name: str, options: dict[str, object]) -> Dataset:
    """Return a data set; ``options`` are the keyword arguments of its loader.

    Raises
    ------
    ValueError
        If there is no data set of that name.

    Examples
    --------
    >>> len(load_dataset("digits", {"train": 100}).train)
    100
    """
    if name not in DATASETS:
        msg = f"data must be one of {', '.join(sorted(DATASETS))}, got {name!r}"
        raise ValueError(msg)
    return _load(name, tuple(sorted(options.items())))
