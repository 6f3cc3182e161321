"""Weight decay: how the transform meets what the optimizer adds.

=========  ==========================================================  ==========================
decay      what the base optimizer does                                by default, it enters
=========  ==========================================================  ==========================
coupled    adds λw to the gradient (SGD, Adam, RMSprop, …)             untransformed: M⁻¹g + λw
decoupled  multiplies w by 1 − ηλ beside the gradient (AdamW, …)       untransformed
unknown    a class that is not torch's may do either                   refused where it matters
=========  ==========================================================  ==========================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_torch.attachment.held import Acting

_COUPLED = ("SGD", "Adam", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adamax", "ASGD", "RMSprop")
_DECOUPLED = ("AdamW", "Muon", "Adafactor")
_WITHOUT = ("LBFGS", "Rprop", "SparseAdam")


def steps_as_torch(optimizer: Optimizer) -> bool:
    """Whether the step is one of torch.optim's: a subclass that overrides it has another."""
    return getattr(type(optimizer).step, "__module__", "").startswith("torch.optim.")


def _torch_name(optimizer: Optimizer) -> str:
    """Return the name of the torch.optim class whose step the optimizer makes, else ""."""
    if steps_as_torch(optimizer):
        for kind in type(optimizer).__mro__:
            if kind.__module__.startswith("torch.optim.") and kind.__name__ != "Optimizer":
                return kind.__name__
    return ""


def _is_decoupled(optimizer: Optimizer, group: Mapping[str, Any]) -> bool:
    return bool(group.get("decoupled_weight_decay")) or _torch_name(optimizer) in _DECOUPLED


def decay_is_known(optimizer: Optimizer) -> bool:
    """Whether the class says how weight decay is applied."""
    return _torch_name(optimizer) in (*_COUPLED, *_DECOUPLED, *_WITHOUT)


def check_decay_is_known(optimizer: Optimizer) -> None:
    """Refuse to transform the gradient of a decay that cannot be told from the class."""
    if not decay_is_known(optimizer):
        msg = (
            f"transform_decay=True needs to know how {type(optimizer).__name__} applies its "
            "weight decay, which is known for the steps of torch.optim only; leave it False"
        )
        raise ValueError(msg)


def coupled_decay(optimizer: Optimizer, group: Mapping[str, Any]) -> float | Tensor:
    """Return c such that the base optimizer works with p.grad + c·p (up to an overall sign).

    A fused optimizer under GradScaler holds gradients that are still scaled: so is c then.
    """
    rate = group.get("weight_decay", 0.0)
    if not rate or _is_decoupled(optimizer, group):
        return 0.0
    # With maximize, the optimizer flips the gradient first and adds the decay afterwards.
    signed = -rate if group.get("maximize") else rate
    scale = getattr(optimizer, "grad_scale", None)
    return signed if scale is None else signed * scale


def plus_decay(
    optimizer: Optimizer,
    acting: Acting,
    tensors: Sequence[Tensor],
    sign: int,
    *,
    inplace: bool,
) -> list[Tensor]:
    """Return t ± cw for every tensor t of a parameter w, with the coupled decay c of its group."""
    results = []
    for w, group, t in zip(acting.parameters, acting.groups, tensors, strict=True):
        c = coupled_decay(optimizer, group)
        # A float 0.0 means none; a tensor is never asked, which would wait for the device.
        if not (isinstance(c, float) and c == 0):
            t = t.add_(sign * c * w) if inplace else t + sign * c * w
        results.append(t)
    return results


def kept_fraction(optimizer: Optimizer, group: Mapping[str, Any]) -> float | Tensor:
    """Return 1 − ηλ, by which decoupled decay multiplies a parameter; 1 where there is none.

    None is there either when a fused optimizer under GradScaler is about to skip its step.

    Raises
    ------
    ValueError
        If the class does not say whether its decay is decoupled.
    """
    rate = group.get("weight_decay", 0.0)
    if not rate:
        return 1.0
    if not decay_is_known(optimizer):
        msg = (
            'with where="update" decoupled weight decay is not smoothed, and whether the '
            f"weight_decay={rate} of {type(optimizer).__name__} is decoupled is not known, since "
            "its step is not torch's; attach with transform_decay=True to smooth all that the "
            "step does, set weight_decay to 0, or use where='gradient'"
        )
        raise ValueError(msg)
    if not _is_decoupled(optimizer, group):
        return 1.0
    kept = 1.0 - group["lr"] * rate
    overflow = getattr(optimizer, "found_inf", None)
    if overflow is None:
        return kept
    return torch.where(overflow > 0, torch.ones_like(overflow), kept)
