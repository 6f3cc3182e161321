"""Channel correlation of trained networks, read from a file of weights.

``reading``       a file to its tensors, or what the file is and what to do about it
``sorting``       which tensors are convolutions' weights, and why the others are not
``correlations``  the correlation of each along its axes, as numbers and as a figure
"""

from __future__ import annotations

from cdg_torch.lab.train.networks.correlations import (
    DIRECTIONS,
    Correlation,
    correlations,
    draw_correlations,
)
from cdg_torch.lab.train.networks.reading import load_weights
from cdg_torch.lab.train.networks.sorting import Sorted, sort_tensors

__all__ = [
    "DIRECTIONS",
    "Correlation",
    "Sorted",
    "correlations",
    "draw_correlations",
    "load_weights",
    "sort_tensors",
]
