"""Channel correlation of trained networks, read from a file of weights.

``reading``       a file to its tensors, or what the file is and what to do about it
``sorting``       which tensors are weights of convolutions or linear layers, and why others are not
``correlations``  the correlation of each along its axes, as numbers and as a figure
``orders``        whether their output channels have an order
"""

from __future__ import annotations

from cdg_torch.lab.train.networks.correlations import (
    DIRECTIONS,
    Correlation,
    correlations,
    draw_correlations,
)
from cdg_torch.lab.train.networks.orders import Order, fit_orders, judge_orders
from cdg_torch.lab.train.networks.reading import load_weights
from cdg_torch.lab.train.networks.sorting import Sorted, sort_tensors

__all__ = [
    "DIRECTIONS",
    "Correlation",
    "Order",
    "Sorted",
    "correlations",
    "draw_correlations",
    "fit_orders",
    "judge_orders",
    "load_weights",
    "sort_tensors",
]
