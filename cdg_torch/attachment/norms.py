"""Norms of a list of tensors, and tensors rescaled to the norms that they had before."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from cdg_torch.attachment.lists import Tensors, are_plain

# Smaller ones are cheaper to copy together than to treat one by one.
SMALL = 1 << 15

Places = list[list[int]]
# Those of each group as the rows of one tensor, where they lie at equal distances in memory.
Rows = Sequence[Tensor | None]


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


def norms_of(tensors: Tensors, places: Places, rows: Rows) -> list[Tensor]:
    """Return the Euclidean norms of the tensors, of all that are alike at once."""
    return [_norms(tensors, group, one) for group, one in zip(places, rows, strict=True)]


def match_norms(results: Tensors, norms: Sequence[Tensor], places: Places, rows: Rows) -> Tensors:
    """Rescale every result to the Euclidean norm that its tensor had before, in place if it can be.

    A tensor that is zero, or holds a NaN or an infinity, keeps its scale: its norm says nothing
    of its other columns. No number leaves the device.
    """
    matched = results
    for group, wanted, one in zip(places, norms, rows, strict=True):
        first = results[group[0]]
        ratio = wanted / _norms(results, group, one)
        usable = (ratio > 0) & (ratio < math.inf)
        factor = torch.where(usable, ratio, 1.0).to(first.real.dtype)
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
