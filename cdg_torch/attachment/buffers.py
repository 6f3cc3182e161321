"""Memory for transformed gradients that is used again from step to step.

A large tensor in main memory is made of fresh pages, and the system clears each of them when it is
first written to, which takes several times as long as the transform itself. So the results of a
step lie in one block, and the block serves the next step: once nothing refers to any of the results
any more, as with torch's own allocator on a GPU. An optimizer that keeps a gradient keeps its
numbers.

A small tensor costs more to make than to fill. If nothing else refers to any of the last results,
and the next ones are to be like them, they serve again themselves. Private ones, which no code but
this package's ever sees, need not be asked for that.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdg_torch.checks import is_dtensor
from cdg_torch.likeness import Likeness
from cdg_torch.solve.columns import is_injective
from cdg_torch.solve.plan import addresses_of

CACHE_LINE = 64
# What Python counts for an object that one list refers to, and nothing else.
_ALONE = max(map(sys.getrefcount, [object()]))


class _Lease(np.ndarray):
    """A block that is in use; the storage of every tensor in it keeps this object alive."""


@lru_cache(maxsize=4096)
def is_dense(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> bool:
    """Whether a tensor of so many numbers fills a stretch of memory, without gaps or overlaps."""
    span = 1 + sum((count - 1) * stride for count, stride in zip(shape, strides, strict=True))
    return span == size and is_injective(shape, strides)


def _fits(tensor: Tensor) -> bool:
    return (
        type(tensor) in {Tensor, torch.nn.Parameter}
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and is_dense(tensor.shape, tensor.stride(), tensor.numel())
    )


def _empty_like(tensor: Any) -> Any:
    found: Any = torch.empty_like(tensor)
    if is_dtensor(tensor) and found.placements != tensor.placements:
        # Older torch forgets that the parts of a DTensor are yet to be added.
        found = type(tensor).from_local(
            found.to_local(),
            tensor.device_mesh,
            tensor.placements,
            run_check=False,
            shape=tensor.shape,
            stride=tensor.stride(),
        )
    return found


def _side_by_side(lengths: Sequence[int]) -> tuple[list[int], int]:
    """Return where to put so many bytes each, and how many there are in all.

    Those of one length lie next to each other, so that they can be treated as one tensor, and the
    first of them begins at a cache line.
    """
    starts, end, last = [0] * len(lengths), 0, -1
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if lengths[i] != last:
            end = -(-end // CACHE_LINE) * CACHE_LINE
        starts[i], last = end, lengths[i]
        end += last
    return starts, end


def _uses(storage: torch.UntypedStorage) -> int:
    """Return how many tensors and others refer to a storage."""
    count: int = torch._C._storage_Use_Count(storage._cdata)
    return count


@cache
def _refers_to() -> list[object]:
    """Return what Python's collector finds in a tensor on which nobody has put anything."""
    return gc.get_referents(torch.empty(0, device="cpu"))


@cache
def _python_knows() -> bool:
    """Whether Python's count of a tensor tells if C++ holds it, too."""
    holder, held = torch.zeros(1, requires_grad=True), [torch.zeros(1)]
    holder.grad = held[0]
    return max(map(sys.getrefcount, held)) > _ALONE


def _call(reference: weakref.WeakMethod[Any], block: NDArray[np.uint8]) -> None:
    take_back = reference()
    if take_back is not None:
        take_back(block)


class Buffers:
    """The last results, and at most one block that is not in use, for the next :meth:`like`.

    ``private``: nobody else can ever have any of the results.
    """

    def __init__(self, *, private: bool = False) -> None:
        self._private = private
        self._block: NDArray[np.uint8] | None = None
        self._results: tuple[Any, ...] = ()
        self._wanted: Likeness | None = None  # what they were to be like
        self._found: Likeness | None = None  # and what they are like
        self._storage: torch.UntypedStorage | None = None
        self._whole: Tensor | None = None  # as one tensor
        self._rows: tuple[object, list[Tensor | None]] = None, []  # groups of them, each as one
        self._uses = self._owners = 0
        self._addresses = np.empty(0, np.int64)

    def _lease(self, length: int) -> torch.UntypedStorage:
        """Return ``length`` bytes that begin at a cache line."""
        block, self._block = self._block, None
        if block is None or len(block) != length + CACHE_LINE:
            block = np.empty(length + CACHE_LINE, np.uint8)
        start = -block.ctypes.data % CACHE_LINE
        lease = block[start : start + length].view(_Lease)
        # Not the method itself, which would keep what keeps the lease.
        taking_back = weakref.WeakMethod(self._take_back)
        weakref.finalize(lease, _call, taking_back, block).atexit = False
        return torch.from_numpy(lease).untyped_storage()

    def _take_back(self, block: NDArray[np.uint8]) -> None:
        self._block = block

    def _are_ours(self) -> bool:
        """Whether nobody else has any of the last results, and they are as they were made."""
        return (
            self._found is not None
            and self._storage is not None
            and _uses(self._storage) == self._uses
            and sys.getrefcount(self._storage) == self._owners
            and max(map(sys.getrefcount, self._results)) == _ALONE
            and (_python_knows() or max([k._use_count() for k in self._results]) == 1)
            # Things may have been put on a result, and where the numbers lie been changed.
            and gc.get_referents(*self._results) == _refers_to() * len(self._results)
            and not any(map(weakref.getweakrefcount, self._results))
            and all([k.grad is None for k in self._results])
            and np.count_nonzero(addresses_of(self._results) != self._addresses) == 0
            and self._found.holds(self._results)
        )

    def _serve_again(self, tensors: Sequence[Tensor], known: Likeness | None) -> bool:
        """Whether the last results are like these tensors, and nobody else has any of them."""
        if self._wanted is None or not (self._private or self._are_ours()):
            return False
        if known is not self._wanted:
            if not self._wanted.holds(tensors):
                return False
            self._wanted = known or self._wanted  # two likenesses of the same
        return True

    def like(self, tensors: Sequence[Tensor], known: Likeness | None = None) -> tuple[Tensor, ...]:
        """Return an uninitialised tensor for each, as ``torch.empty_like`` does.

        ``known`` is what they are known to be like.
        """
        if not tensors:  # as in the step after apply_(): the last results go on serving
            return ()
        if self._serve_again(tensors, known):
            return self._results
        self._results, self._storage, self._whole, self._rows = (), None, None, (None, [])
        self._wanted = None
        lengths = [tensor.numel() * tensor.itemsize if _fits(tensor) else 0 for tensor in tensors]
        starts, size = _side_by_side(lengths)
        storage = self._lease(size) if size else None
        made = []
        for tensor, length, start in zip(tensors, lengths, starts, strict=True):
            if storage is None or length == 0:
                made.append(_empty_like(tensor))
                continue
            own = torch.empty(0, dtype=tensor.dtype, device="cpu")
            place = start // tensor.itemsize
            made.append(own.set_(storage, place, tensor.shape, tensor.stride()))
        results = tuple(made)
        if storage is not None and all(lengths):
            self._wanted = wanted = known or Likeness(tensors)
            self._found = wanted if wanted.holds(results) else Likeness(results)
            if len({k.dtype for k in results}) == 1:
                whole = torch.empty(0, dtype=results[0].dtype, device="cpu")
                self._whole = whole.set_(storage, 0, (storage.nbytes() // whole.itemsize,), (1,))
            self._results, self._uses = results, _uses(storage)
            self._addresses = addresses_of(results)
            self._storage, storage = storage, None
            self._owners = sys.getrefcount(self._storage)
        return results

    def addresses(self, results: Sequence[Tensor]) -> NDArray[np.int64] | None:
        """Return where the last results lie, if these are they, and are to serve again."""
        return self._addresses if results and results is self._results else None

    def rows(self, results: Sequence[Tensor], groups: Sequence[list[int]]) -> list[Tensor | None]:
        """Return those of each group as the rows of one tensor, of the last results.

        If they lie at equal distances in memory; the order of a row's numbers is whatever it is.
        """
        if not results or results is not self._results:
            return [None] * len(groups)
        if self._rows[0] is not groups:
            self._rows = groups, [*map(self._as_rows, groups)]
            assert self._storage is not None
            self._uses = _uses(self._storage)
        return self._rows[1]

    def _as_rows(self, group: list[int]) -> Tensor | None:
        first, starts = self._results[group[0]], self._addresses[group]
        steps = np.diff(starts)
        if len(group) == 1 or steps[0] <= 0 or (steps != steps[0]).any():
            return None
        assert self._storage is not None
        own = torch.empty(0, dtype=first.dtype, device="cpu")
        shape, stride = (len(group), first.numel()), (int(steps[0]) // first.itemsize, 1)
        return own.set_(self._storage, first.storage_offset(), shape, stride)

    def as_one(
        self, results: Sequence[Tensor], other: Buffers, others: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor] | None:
        """Return the memory of the last results, here and there, as one tensor each.

        They were made for the same tensors, so they lie alike; None if they are not of one dtype.
        What lies between them is not theirs: any number may be there.
        """
        one, two = self._whole, other._whole
        if results is not self._results or others is not other._results:
            return None
        return (one, two) if one is not None and two is not None else None
