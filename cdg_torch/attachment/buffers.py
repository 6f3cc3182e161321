"""Memory for transformed gradients that is used again from step to step.

A large tensor in main memory is made of fresh pages, and the system clears each of them when it is
first written to, which takes several times as long as the transform itself. So the results of a
step lie in one block, and the block serves the next step: once nothing refers to any of the results
any more, as with torch's own allocator on a GPU. An optimizer that keeps a gradient keeps its
numbers.

A small tensor costs more to make than to fill. If nothing else refers to any of the last results,
and the next ones are to be like them, they serve again themselves.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdg_torch.checks import is_dtensor
from cdg_torch.likeness import Likeness
from cdg_torch.solve.columns import is_injective

CACHE_LINE = 64
# What Python counts for an object that one list refers to, and nothing else.
_ALONE = max(map(sys.getrefcount, [object()]))


class _Lease(np.ndarray):
    """A block that is in use; the storage of every tensor in it keeps this object alive."""


@lru_cache(maxsize=4096)
def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> bool:
    span = 1 + sum((count - 1) * stride for count, stride in zip(shape, strides, strict=True))
    return span == size and is_injective(shape, strides)


def _fits(tensor: Tensor) -> bool:
    return (
        type(tensor) in {Tensor, torch.nn.Parameter}
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and _is_dense(tensor.shape, tensor.stride(), tensor.numel())
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


def _uses(storage: torch.UntypedStorage) -> int:
    """Return how many tensors and others refer to a storage."""
    count: int = torch._C._storage_Use_Count(storage._cdata)
    return count


def _call(reference: weakref.WeakMethod[Any], block: NDArray[np.uint8]) -> None:
    take_back = reference()
    if take_back is not None:
        take_back(block)


class Buffers:
    """The last results, and at most one block that is not in use, for the next :meth:`like`."""

    def __init__(self) -> None:
        self._block: NDArray[np.uint8] | None = None
        self._results: list[Tensor] = []
        self._likeness: Likeness | None = None
        self._storage: torch.UntypedStorage | None = None
        self._uses = 0

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

    def _serve_again(self, tensors: Sequence[Tensor], known: Likeness | None) -> bool:
        """Whether the last results are like these tensors, and nobody else has any of them."""
        return (
            self._likeness is not None
            and self._storage is not None
            and _uses(self._storage) == self._uses
            and max(map(sys.getrefcount, self._results)) == _ALONE
            and max([result._use_count() for result in self._results]) == 1
            and (known is self._likeness or self._likeness.holds(tensors))
            and self._likeness.holds(self._results)
        )

    def like(self, tensors: Sequence[Tensor], known: Likeness | None = None) -> list[Tensor]:
        """Return an uninitialised tensor for each, as ``torch.empty_like`` does.

        ``known`` is what they are known to be like.
        """
        if self._serve_again(tensors, known):
            return self._results[:]
        self._results, self._likeness, self._storage = [], None, None
        lengths = [tensor.numel() * tensor.itemsize if _fits(tensor) else 0 for tensor in tensors]
        ends = np.cumsum([-(-length // CACHE_LINE) * CACHE_LINE for length in lengths]).tolist()
        storage = self._lease(ends[-1]) if any(lengths) else None
        results = []
        for tensor, length, end in zip(tensors, lengths, ends, strict=True):
            if storage is None or length == 0:
                results.append(_empty_like(tensor))
                continue
            start = (end - -(-length // CACHE_LINE) * CACHE_LINE) // tensor.itemsize
            own = torch.empty(0, dtype=tensor.dtype, device="cpu")
            results.append(own.set_(storage, start, tensor.shape, tensor.stride()))
        if storage is not None and all(lengths):
            self._likeness = known or Likeness(tensors)
            if self._likeness.holds(results):
                self._results, self._storage, self._uses = results[:], storage, _uses(storage)
        return results
