"""Channel-directed gradients for PyTorch: linear time, any optimizer, one line.

``riemannian_gradient``    k = M⁻¹g along the output-channel axis of a tensor
``riemannian_gradients_``  the same for a list, in place
``apply_metric``           its inverse, g = Mk
``attach``                 any torch optimizer descends along k instead of g
``channel_correlation``    how alike a tensor's slices along an axis are
"""

from __future__ import annotations

from cdg_theory import Metric
from cdg_torch.attachment import Handle, Report, Rule, attach, attached
from cdg_torch.correlation import channel_correlation
from cdg_torch.lists import riemannian_gradients_
from cdg_torch.transform import apply_metric, riemannian_gradient

__all__ = [
    "Handle",
    "Metric",
    "Report",
    "Rule",
    "apply_metric",
    "attach",
    "attached",
    "channel_correlation",
    "riemannian_gradient",
    "riemannian_gradients_",
]
