"""Channel-directed gradients for PyTorch: linear time, any optimizer, one line.

``attach``                      any torch optimizer descends along k = M⁻¹g instead of g
``Handle``, ``Report``          what ``attach`` returns, and what the metric acts on
``attached``                    the handle of an optimizer, if it has one
``Rule``                        which layers get which metric
``SGD``, ``Adam``, ``AdamW``    torch's own optimizers, with the metric as an argument
``LinearMetric``                a metric that fades during training; so do ``CosineMetric`` and
                                ``StepMetric``, and ``ConstantMetric`` does not
``MetricSchedule``, ``blend``   what they have in common
``ordered_head``                the recipe for a layer whose output channels have an order
``matched_initialisation``      initial weights as smooth along channels as the metric
``riemannian_gradient``         k = M⁻¹g along the output-channel axis of a tensor
``riemannian_gradients_``       the same for a list, in place
``apply_metric``                the inverse, g = Mk
``backend``                     which implementation computes it: reference, torch, CPU or GPU
``metric_operand``              a metric as a tensor, for compiled functions
``inner_product``               the inner product of two tensors in the metric
``metric_norm``, ``dual_norm``  the length of a direction, and of a gradient
``metric_power``                M to any power, applied to a tensor
``channel_correlation``         how alike neighbouring channels are
``channel_profile``             the same as a function of their distance
``diagnose``                    whether a layer's channels have an order, and what a metric gains
``Diagnosis``                   what it finds, with a ``LayerDiagnosis`` for each layer
``baselines``                   other methods to compare with
``Metric``                      the metric family, from ``cdg_theory``
``CDGWarning``                  the category of every warning
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cdg_theory import Metric
from cdg_torch.attachment import Handle, Report, Rule, attach, attached
from cdg_torch.correlation import channel_correlation, channel_profile
from cdg_torch.diagnosis import Diagnosis, LayerDiagnosis, diagnose
from cdg_torch.geometry import dual_norm, inner_product, metric_norm, metric_power
from cdg_torch.gradient import apply_metric, riemannian_gradient, riemannian_gradients_
from cdg_torch.initialisation import matched_initialisation
from cdg_torch.notices import CDGWarning
from cdg_torch.operators import metric_operand
from cdg_torch.optimizers import SGD, Adam, AdamW
from cdg_torch.recipe import ordered_head
from cdg_torch.schedules import (
    ConstantMetric,
    CosineMetric,
    LinearMetric,
    MetricSchedule,
    StepMetric,
    blend,
)
from cdg_torch.solve.backends import backend

if TYPE_CHECKING:
    from cdg_torch.lab import baselines as baselines

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CDGWarning",
    "ConstantMetric",
    "CosineMetric",
    "Diagnosis",
    "Handle",
    "LayerDiagnosis",
    "LinearMetric",
    "Metric",
    "MetricSchedule",
    "Report",
    "Rule",
    "StepMetric",
    "apply_metric",
    "attach",
    "attached",
    "backend",
    "baselines",
    "blend",
    "channel_correlation",
    "channel_profile",
    "diagnose",
    "dual_norm",
    "inner_product",
    "matched_initialisation",
    "metric_norm",
    "metric_operand",
    "metric_power",
    "ordered_head",
    "riemannian_gradient",
    "riemannian_gradients_",
]


def __getattr__(name: str) -> Any:
    # The lab is no part of what an attached step loads.
    if name == "baselines":
        return importlib.import_module("cdg_torch.lab.baselines")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
