"""Norms of a list of tensors, and tensors rescaled to the norms that they had before."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from cdg_torch.attachment.lists import Places, Rows, Tensors, are_plain, gather

# Numbers. Smaller ones are cheaper to copy together than to treat one by one.
SMALL = 1 << 15


def alike(tensors: Tensors) -> Places:
    """Return the places of small tensors of one layout, dtype and device, and of each other one."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    plain = are_plain(tensors) and not torch.is_grad_enabled()
    for i, t in enumerate(tensors):
        small = plain and t.numel() <= SMALL
        groups[(t.dtype, t.device, t.shape, t.stride()) if small else i].append(i)
    return [*groups.values()]


def _norms(tensors: Tensors, group: Sequence[int], rows: Tensor | None) -> Tensor:
    """Return the norms of tensors that are alike, or of a single one."""
    first = tensors[group[0]]
    # Half types: a norm rounded to 8 or 11 bits would be the largest error of all.
    half = first.dtype in {torch.float16, torch.bfloat16}
    dtype = torch.float32 if half else None
    if len(group) == 1:
        return torch.linalg.vector_norm(first, dtype=dtype)
    if rows is None:
        rows = torch.stack([tensors[i] for i in group]).flatten(1)
    return torch.linalg.vector_norm(rows, dim=1, dtype=dtype)


def norms_of(tensors: Tensors, places: Places, rows: Rows, *, apart: bool = False) -> list[Tensor]:
    """Return the Euclidean norms of the tensors, of all that are alike at once.

    ``rows`` are those of the tensors, or, if ``apart``, memory into which they may be copied.
    """
    if apart:
        rows = [
            one if gather(tensors, group, one) else None
            for group, one in zip(places, rows, strict=True)
        ]
    return [_norms(tensors, group, one) for group, one in zip(places, rows, strict=True)]


def _factors(norms: Tensor, own: Tensor) -> Tensor:
    ratio = norms / own
    return torch.where((ratio > 0) & (ratio < math.inf), ratio, 1.0)


def match_norms(results: Tensors, norms: Sequence[Tensor], places: Places, rows: Rows) -> Tensors:
    """Rescale every result to the Euclidean norm that its tensor had before, in place if it can be.

    A tensor that is zero, or holds a NaN or an infinity, keeps its scale: its norm says nothing
    of its other columns. No number leaves the device.
    """
    matched = results
    own = norms_of(results, places, rows)
    kinds = {(norm.dtype, norm.device) for norm in own}
    if len(own) > 1 and len(kinds) == 1:
        sizes = [len(group) for group in places]
        factors = torch.split(_factors(torch.hstack([*norms]), torch.hstack(own)), sizes)
    else:
        factors = tuple(map(_factors, norms, own))
    for group, factor, one in zip(places, factors, rows, strict=True):
        first = results[group[0]]
        factor = factor.to(first.real.dtype)
        if one is not None:
            one.mul_(factor[:, None])
        elif len(group) > 1:
            torch._foreach_mul_([results[i] for i in group], factor.unbind())
        elif first.requires_grad:  # what is part of a graph is needed there as it is
            matched = [*matched]
            matched[group[0]] = first * factor
        else:
            first.mul_(factor)
    return matched
