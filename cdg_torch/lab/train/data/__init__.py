"""The data sets of the experiments, found by name and kept once loaded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping

from cdg_theory.checks import described, whole_number
from cdg_torch.lab.train.data.canvases import canvases
from cdg_torch.lab.train.data.cifar import cifar10, cifar100
from cdg_torch.lab.train.data.dataset import Dataset, Split
from cdg_torch.lab.train.data.digits import digits
from cdg_torch.lab.train.data.fashion import fashion
from cdg_torch.lab.train.data.folders import image_folder, mask_folder
from cdg_torch.lab.train.data.ordered import ORDERED, OrderedData, load_ordered

__all__ = [
    "DATASETS",
    "ORDERED",
    "PACKAGES",
    "Dataset",
    "OrderedData",
    "Split",
    "check_options",
    "load_dataset",
    "load_ordered",
]

DATASETS: dict[str, Callable[..., Dataset]] = {
    "canvases": canvases,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "digits": digits,
    "fashion": fashion,
    "images": image_folder,
    "masks": mask_folder,
}

PACKAGES = {"digits": {"sklearn"}, "digit-angles": {"sklearn"}, "images": {"PIL"}, "masks": {"PIL"}}
"""The optional packages that their loaders import."""


def check_options(name: str, options: Mapping[str, object]) -> None:
    """Refuse options that the loader of a data set does not take.

    Raises
    ------
    TypeError
        If a value is of the wrong type.
    ValueError
        If an option is unknown or missing.
    """
    loader: Callable[..., object] = {**DATASETS, **ORDERED}[name]
    # The seed of ordered data is that of the run.
    taken = {k: p for k, p in inspect.signature(loader).parameters.items() if k != "seed"}
    unknown = sorted(set(options) - set(taken))
    missing = [key for key, p in taken.items() if p.default is p.empty and key not in options]
    if unknown or missing:
        msg = (
            f"options of data = {name!r}: unknown {unknown}, missing {missing}; known are "
            f"{', '.join(sorted(taken))}"
        )
        raise ValueError(msg)
    for key, value in options.items():
        # Annotations are text: "int" or "str".
        if taken[key].annotation == "int":
            whole_number(f"{key} in options", value, least=1)
        elif not isinstance(value, str):
            msg = f"{key} in options must be a text, got {described(value)}"
            raise TypeError(msg)


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
