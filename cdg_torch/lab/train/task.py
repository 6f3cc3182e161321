"""A prepared training: images, one step, validation and test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cdg_torch.lab.train.data import Dataset


@dataclass(frozen=True, slots=True)
class Task:
    """A network that is ready to be trained.

    ==============  ===================================================================
    field           meaning
    ==============  ===================================================================
    ``dataset``     images, where the network is
    ``generator``   decides the order of the images, and whatever else a step draws
    ``step``        one step on the images of these indices; the loss before it
    ``validate``    ``score``, the larger the better, and ``loss`` on validation images
    ``test``        what a final run reports once, ``test`` its score on the test images
    ``keeps_best``  the network of the best epoch on validation is the one that counts
    ==============  ===================================================================
    """

    dataset: Dataset
    generator: torch.Generator
    step: Callable[[Tensor], Tensor | float]
    validate: Callable[[], dict[str, float]]
    test: Callable[[], dict[str, Any]]
    keeps_best: bool = False
