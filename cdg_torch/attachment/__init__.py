"""Attaching a metric to an optimizer that somebody else wrote.

``attach``    one line, any torch optimizer
``attached``  the handle of an optimizer, if there is one
``Rule``      which tensors, which metric
``Handle``    what ``attach`` returns
``Report``    what the metric acts on, and why the rest is left alone

The optimizer stays the user's own: its ``step`` is wrapped, and ``p.grad`` is raw again when the
step is over.
"""

from __future__ import annotations

from cdg_torch.attachment.attaching import attach
from cdg_torch.attachment.handle import Handle, attached
from cdg_torch.attachment.report import Report
from cdg_torch.attachment.selection import Rule

__all__ = ["Handle", "Report", "Rule", "attach", "attached"]
