"""A list of tensors on the GPU: its tables, kept on the device from step to step, and one launch.

From step to step only addresses can change. They travel by an asynchronous copy from pinned
memory, and not at all while they stay the same, so the host never waits for the device. The
launch can be captured in a CUDA graph after one ordinary call with the same shapes and metrics,
which compiles the kernel and makes the tables; a replay reads the addresses it was captured with.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from cdg_torch.kernels.gpu import COLS, ROWS, gradients
from cdg_torch.kernels.jobs import COLUMNS, Task, make_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["run"]


def _pinned(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor


class _Plan:
    """The tables of a list on one device, and the addresses of the last call."""

    def __init__(self, tasks: tuple[Task, ...], dtype: torch.dtype, device: torch.device) -> None:
        jobs = make_jobs(tasks, dtype.itemsize, double=False)
        columns = jobs.column("outer") * jobs.column("inner")
        blocks = -(-jobs.column("rows") // ROWS)
        programs = []
        place = 0
        for job, (count, height) in enumerate(zip(columns, blocks, strict=True)):
            for first in range(0, count, COLS):
                programs.append((job, first, place))
                place += int(height) * COLS
        self.size = len(programs)
        self.jobs, self.offset, self.tensor = jobs, jobs.offset, jobs.tensor

        def send(array: np.ndarray) -> Tensor:
            return _pinned(array).to(device, non_blocking=True)

        self.table = send(jobs.table)
        self.coefficients = send(jobs.coefficients)
        self.programs = send(np.array(programs, np.int64).reshape(-1, 3))
        self.states = torch.empty(place, dtype=torch.float64, device=device)
        self.staged = _pinned(np.zeros((2, len(jobs.table)), np.int64))
        self.addresses = send(np.zeros((2, len(jobs.table)), np.int64))
        self.seen: bytes | None = None

    def send_addresses(self, outs: Sequence[Tensor], grads: Sequence[Tensor]) -> None:
        """Make the addresses of this call those on the device."""
        both = [[tensor.data_ptr() for tensor in tensors] for tensors in (grads, outs)]
        addresses = np.array(both, np.int64)[:, self.tensor] + self.offset
        seen = addresses.tobytes()
        capturing = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
        if capturing:
            # The graph keeps copying from this memory, which no other call writes to.
            self.staged.copy_(torch.from_numpy(addresses))
            self.addresses.copy_(self.staged, non_blocking=True)
            self.seen = None
        elif seen != self.seen:
            # Fresh pinned memory: an earlier copy may still be under way.
            self.addresses.copy_(_pinned(addresses), non_blocking=True)
            self.seen = seen


@lru_cache(maxsize=64)
def _plan(tasks: tuple[Task, ...], dtype: torch.dtype, device: torch.device) -> _Plan:
    return _Plan(tasks, dtype, device)


def run(
    outs: Sequence[Tensor], grads: Sequence[Tensor], tasks: tuple[Task, ...], dtype: torch.dtype
) -> None:
    """Write M⁻¹g of every tensor of a list: one device, one dtype, strides as in ``tasks``.

    ``outs[i]`` has the strides of ``grads[i]`` and is the same memory or none of it.
    """
    plan = _plan(tasks, dtype, grads[0].device)
    plan.send_addresses(outs, grads)
    gradients[(plan.size,)](
        grads[0],
        plan.table,
        plan.coefficients,
        plan.addresses,
        plan.programs,
        plan.states,
        len(plan.table),
        FIELDS=len(COLUMNS),
        ROWS=ROWS,
        COLS=COLS,
    )
