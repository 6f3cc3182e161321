"""Channel-directed gradients for PyTorch: linear time, any optimizer, one line.

``riemannian_gradient``    k = M⁻¹g along the output-channel axis of a tensor
``riemannian_gradients_``  the same for a list, in place
``apply_metric``           its inverse, g = Mk
``backend``                which implementation serves: reference, CPU or GPU kernels
``metric_operand``         a metric as a tensor, for compiled functions
``attach``                 any torch optimizer descends along k instead of g
``SGD, Adam, AdamW``       torch's own, with the metric as an argument
``LinearMetric``, …        metrics that move towards no smoothing during training
``inner_product``, …       lengths, dual lengths and powers of M
``matched_initialisation`` initial weights as smooth along channels as the metric wants them
``ordered_head``           the recipe for a layer whose output channels have an order
``baselines``              what else is done to gradients, to compare with
``CDGWarning``             the category of every warning
``channel_correlation``    how alike a tensor's slices along an axis are
``channel_profile``        the same as a function of their distance
``diagnose``               whether a layer's channels have an order, and what a metric gains
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
