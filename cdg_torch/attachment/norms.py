"""Norms of a list of tensors, and tensors rescaled to the norms that they had before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from cdg_torch.attachment.buffers import is_dense
from cdg_torch.attachment.lists import Tensors, are_plain

# Smaller ones are cheaper to copy together than to treat one by one.
SMALL = 1 << 15

Places = list[list[int]]


def alike(tensors: Tensors) -> Places:
    """Return the places of small tensors of one layout, dtype and device, and of each other one."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    plain = are_plain(tensors) and not torch.is_grad_enabled()
    for i, t in enumerate(tensors):
        small = plain and t.numel() <= SMALL
        groups[(t.dtype, t.device, t.shape, t.stride()) if small else i].append(i)
    return [*groups.values()]


def _as_one(tensors: Sequence[Tensor]) -> Tensor | None:
    """Return tensors that are alike as the rows of one, if they lie at equal distances in memory.

    The results of a step do. The order of a row's numbers is whatever it is.
    """
    first, size = tensors[0], tensors[0].itemsize
    places = [t.data_ptr() for t in tensors]
    step = places[1] - places[0]
    room = first.untyped_storage().data_ptr() + first.untyped_storage().nbytes() - places[0]
    even = places == list(range(places[0], places[0] + step * len(places), step or 1))
    last = (len(tensors) - 1) * step + first.numel() * size
    dense = is_dense(first.shape, first.stride(), first.numel())
    if not even or not dense or step < first.numel() * size or step % size or last > room:
        return None
    return first.as_strided((len(tensors), first.numel()), (step // size, 1))


def _norms(tensors: Sequence[Tensor], rows: Tensor | None = None) -> Tensor:
    """Return the norms of tensors that are alike, or of a single one."""
    # Half types: a norm rounded to 8 or 11 bits would be the largest error of all.
    half = tensors[0].dtype in {torch.float16, torch.bfloat16}
    dtype = torch.float32 if half else None
    if len(tensors) == 1:
        return torch.linalg.vector_norm(tensors[0], dtype=dtype)
    if rows is None:
        rows = torch.stack([*tensors]).flatten(1)
    return torch.linalg.vector_norm(rows, dim=1, dtype=dtype)


def norms_of(tensors: Sequence[Tensor], places: Places) -> list[Tensor]:
    """Return the Euclidean norms of the tensors, of all that are alike at once."""
    return [_norms([tensors[i] for i in group]) for group in places]


def match_norms(results: Tensors, norms: Sequence[Tensor], places: Places) -> Tensors:
    """Rescale every result to the Euclidean norm that its tensor had before, in place if it can be.

    A tensor that is zero, or holds a NaN or an infinity, keeps its scale: its norm says nothing
    of its other columns. No number leaves the device.
    """
    matched = results
    for group, wanted in zip(places, norms, strict=True):
        own = [results[i] for i in group]
        rows = _as_one(own) if len(own) > 1 else None
        ratio = wanted / _norms(own, rows)
        usable = torch.isfinite(ratio) & (ratio > 0)
        factor = torch.where(usable, ratio, torch.ones_like(ratio)).to(own[0].real.dtype)
        if rows is not None:
            rows.mul_(factor[:, None])
        elif len(own) > 1:
            torch._foreach_mul_(own, factor.unbind())
        elif own[0].requires_grad:  # what is part of a graph is needed there as it is
            matched = [*matched]
            matched[group[0]] = own[0] * factor
        else:
            own[0].mul_(factor)
    return matched
