"""Where arithmetic in double precision can be done: not every device has it."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache
def _answers(device: torch.device) -> bool:
    try:
        return bool(torch.ones((), dtype=torch.float64, device=device) + 1 == 2)
    except Exception:  # every kind of device has its own way to refuse
        return False


def has_float64(device: torch.device) -> bool:
    """Whether a device computes in float64: Apple's MPS and some of Intel's GPUs do not."""
    return device.type in {"cpu", "cuda", "meta"} or _answers(device)


def widened(tensor: Tensor) -> Tensor:
    """Return a tensor in double precision: on its device, or in main memory if that has none."""
    near = tensor if has_float64(tensor.device) else tensor.cpu()
    return near.to(torch.complex128 if tensor.is_complex() else torch.float64)
