r"""A metric as a tensor, so that it can be an operand of a registered operator.

``torch.compile`` takes a :class:`~cdg_theory.Metric` for a constant and compiles anew for every
other one. A tensor is data: inside a compiled function, pass the metric's operand, and change the
metric from step to step without compiling again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast, get_args

import torch

from cdg_theory.metric import Boundary, Metric, Spacing, check_metric

if TYPE_CHECKING:
    from torch import Tensor

_BOUNDARIES, _SPACINGS = get_args(Boundary), get_args(Spacing)


def metric_operand(metric: Metric) -> Tensor:
    """Return ``metric`` as a new float64 CPU tensor of 5 numbers.

    Three weights, then the index of the boundary and of the spacing among their choices.
    :func:`cdg_torch.riemannian_gradient`, :func:`cdg_torch.riemannian_gradients_` and
    :func:`cdg_torch.apply_metric` take it in the place of the metric.

    Examples
    --------
    >>> metric_operand(Metric.sobolev(2.0, boundary="periodic"))
    tensor([1., 0., 2., 1., 0.], dtype=torch.float64)
    """
    check_metric(metric)
    ends = _BOUNDARIES.index(metric.boundary), _SPACINGS.index(metric.spacing)
    numbers = (metric.mean, metric.fluctuation, metric.derivative, *ends)
    return torch.tensor(numbers, dtype=torch.float64)


@lru_cache(maxsize=256)
def _metric(numbers: tuple[float, ...]) -> Metric:
    *weights, boundary, spacing = numbers
    if boundary not in {0, 1} or spacing not in {0, 1}:
        msg = (
            f"metric is the operand {numbers}, whose last two numbers must be 0 or 1: which "
            "boundary, which spacing; cdg_torch.metric_operand(metric) makes one"
        )
        raise ValueError(msg)
    return Metric(
        *weights,
        boundary=cast("Boundary", _BOUNDARIES[int(boundary)]),
        spacing=cast("Spacing", _SPACINGS[int(spacing)]),
    )


def from_operand(operand: Tensor) -> Metric:
    """Return the metric whose operand this is.

    Raises
    ------
    ValueError
        If the weights are outside the cone of metrics, or the last two numbers are not indices.

    Examples
    --------
    >>> from_operand(metric_operand(Metric.l2())) == Metric.l2()
    True
    """
    return _metric(tuple(operand.tolist()))
