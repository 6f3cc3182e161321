"""Memory for transformed gradients that is used again from step to step.

A large tensor in main memory is made of fresh pages, and the system clears each of them when it is
first written to, which takes several times as long as the transform itself. So the results of a
step lie in one block, and the block serves the next step: once nothing refers to any of the results
any more, as with torch's own allocator on a GPU. An optimizer that keeps a gradient keeps its
numbers.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdg_torch.checks import is_dtensor
from cdg_torch.solve.columns import is_injective

# The C library asks the system for fresh pages from about here on.
LARGE = 1 << 17
CACHE_LINE = 64


class _Lease(np.ndarray):
    """A block that is in use; the storage of every tensor in it keeps this object alive."""


@lru_cache(maxsize=4096)
def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> bool:
    span = 1 + sum((count - 1) * stride for count, stride in zip(shape, strides, strict=True))
    return span == size and is_injective(shape, strides)


def _fits(tensor: Tensor) -> bool:
    return (
        tensor.numel() * tensor.itemsize >= LARGE  # first: most are small
        and type(tensor) in {Tensor, torch.nn.Parameter}
        and tensor.device.type == "cpu"
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


class Buffers:
    """At most one block that is not in use, for the next :meth:`like`."""

    def __init__(self) -> None:
        self._block: NDArray[np.uint8] | None = None

    def _lease(self, length: int) -> torch.UntypedStorage:
        """Return ``length`` bytes that begin at a cache line."""
        block, self._block = self._block, None
        if block is None or len(block) != length + CACHE_LINE:
            block = np.empty(length + CACHE_LINE, np.uint8)
        start = -block.ctypes.data % CACHE_LINE
        lease = block[start : start + length].view(_Lease)
        weakref.finalize(lease, self._take_back, block).atexit = False
        return torch.from_numpy(lease).untyped_storage()

    def _take_back(self, block: NDArray[np.uint8]) -> None:
        self._block = block

    def like(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return an uninitialised tensor for each, as ``torch.empty_like`` does."""
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
        return results
