"""A list of tensors on the GPU: its tables, kept on the device from step to step, and the launch.

From step to step only addresses can change. They travel by an asynchronous copy from pinned
memory, and not at all while they stay the same, so the host never waits for the device. Streams
share the tables; what a launch writes to, each stream has for itself.

The launch can be captured in a CUDA graph after an ordinary call with the same shapes and metrics,
which compiles the kernel and makes the tables; a replay reads the addresses it was captured with.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cdg_torch.extras import optional
from cdg_torch.solve.coefficients import PAIRS, SWEEPS
from cdg_torch.solve.columns import COLUMNS, BlockTable, Part, block_table
from cdg_torch.solve.gpu.programs import (
    COLS,
    PER_THREAD,
    ROWS,
    SEGMENTS,
    SWEEP_COLS,
    pairs,
    sweeps,
    walks,
)
from cdg_torch.solve.gpu.segments import (
    REGISTERS,
    SEGMENT_ROWS,
    THREADS,
    segment_count,
    segment_tables,
    segments,
)

with optional():
    import triton

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cdg_theory import Metric


# Kernels that keep states, and how many rows of numbers each state has.
_SWEPT = {SWEEPS: (sweeps, 1), PAIRS: (pairs, 2)}
# The kernel of segments holds its rows in a tuple, which Triton compiles since 3.3 (torch 2.7).
_TUPLES = tuple(map(int, triton.__version__.split(".")[:2])) >= (3, 3)


@dataclass(frozen=True, slots=True)
class _Tables:
    """The coefficients of a list, and where its blocks find theirs.

    ================  =====================================================================
    field             shape and meaning
    ================  =====================================================================
    ``coefficients``  those of :class:`cdg_torch.solve.columns.BlockTable`, then the tables of
                      segments
    ``begins``        (blocks,) where each block's coefficients or tables begin
    ``segments``      (blocks,) how many segments each block's columns are cut into; 0 for none
    ================  =====================================================================
    """

    coefficients: NDArray[np.float64]
    begins: NDArray[np.int64]
    segments: NDArray[np.int64]

    @classmethod
    def of(cls, blocks: BlockTable) -> _Tables:
        values, length = [blocks.coefficients], len(blocks.coefficients)
        begins = blocks.column("coefficients").copy()
        counts = np.zeros_like(begins)
        place = 0
        for _, rows, kind, count in blocks.owners:
            own = blocks.coefficients[place : place + count]
            cut = segment_count(rows) if kind == SWEEPS and _TUPLES else None
            if cut is not None:
                values.append(segment_tables(own, rows, cut))
                theirs = blocks.column("coefficients") == place
                begins[theirs], counts[theirs] = length, cut
                length += len(values[-1])
            place += count
        return cls(np.concatenate(values), begins, counts)


def _pinned(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor


def _addresses(
    blocks: BlockTable, gradients: NDArray[np.int64], results: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return where each block of the tensors begins, (2, blocks), row after row."""
    # Indexing leaves the rows side by side, and only what lies like its target is copied at once.
    return np.ascontiguousarray(blocks.addresses(np.stack([gradients, results])))


def _capturing(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def _current(device: torch.device) -> AbstractContextManager[Any]:
    # Triton launches on the current device; its interpreter has none.
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


_UNPREPARED = (
    "a CUDA graph is being captured, and nothing has been prepared for it; before every capture, "
    "call once outside of it with the same shapes, metrics and groups"
)


@dataclass(slots=True)
class _Scratch:
    """What launches on one stream write to, and the addresses that are there."""

    addresses: Tensor
    states: Tensor
    seen: bytes = b""


class LaunchPlan:
    """The tables of a list on one device, and the scratch memory of every stream.

    Memory that a captured graph copies addresses from must be allocated beforehand: ``spare``.
    """

    def __init__(self, parts: Sequence[Part], dtype: torch.dtype, device: torch.device) -> None:
        if _capturing(device):
            raise RuntimeError(_UNPREPARED)
        self.device = device
        self.blocks = block_table(parts, dtype.itemsize, double=False)
        tables = _Tables.of(self.blocks)
        programs: defaultdict[tuple[int, int, bool], list[NDArray[np.int64]]] = defaultdict(list)
        place = 0
        names = ("kind", "rows", "outer", "inner", "inner_stride")
        columns = [*map(self.blocks.column, names), tables.segments]
        each = zip(*(column.tolist() for column in columns), strict=True)
        for block, (kind, rows, outer, inner, inner_stride, cut) in enumerate(each):
            width, height = COLS, 0
            if cut:
                width = THREADS // cut
            elif kind in _SWEPT:
                width, height = SWEEP_COLS, _SWEPT[kind][1] * -(-rows // ROWS)
            first = np.arange(0, outer * inner, width)
            own = np.stack([np.full_like(first, block), first, place + first * height], 1)
            programs[kind, cut, outer == 1 and inner_stride == 1].append(own)
            place += len(first) * width * height

        def send(array: NDArray[Any]) -> Tensor:
            return _pinned(array).to(device, non_blocking=True)

        self.tag = torch.empty(0, dtype=dtype, device=device)
        self.programs = {key: send(np.concatenate(own)) for key, own in programs.items()}
        table = self.blocks.table.copy()
        table[:, COLUMNS.index("coefficients")] = tables.begins
        self.table = send(table)
        self.coefficients = send(tables.coefficients)
        self.place = place
        self.streams: dict[int, _Scratch] = {}
        self.spare: Tensor | None = None
        # From the copy of the addresses to the launch, no other thread may copy its own.
        self.lock = threading.Lock()
        self.ready = torch.cuda.current_stream().record_event() if device.type == "cuda" else None

    def revalued(self, follows: Mapping[Metric, Metric]) -> LaunchPlan | None:  # noqa: ARG002
        """Return None: coefficients lie on the device, and captured graphs read them there."""
        return None

    def _scratch(self) -> _Scratch:
        shape = (2, len(self.blocks.table))
        return _Scratch(
            torch.empty(shape, dtype=torch.int64, device=self.device),
            torch.empty(self.place, dtype=torch.float64, device=self.device),
        )

    def scratch(self, addresses: NDArray[np.int64]) -> _Scratch:
        """Return the current stream's scratch memory, with the addresses of this call in it."""
        if _capturing(self.device):
            return self._captured(addresses)
        key = 0
        if self.ready is not None:
            stream = torch.cuda.current_stream()
            key = stream.cuda_stream
            if key not in self.streams:
                # The tables may have been made on another stream, and are freed there.
                stream.wait_event(self.ready)
                for tensor in (self.table, self.coefficients, *self.programs.values()):
                    tensor.record_stream(stream)
        if key not in self.streams:
            self.streams[key] = self._scratch()
        if self.spare is None:
            self.spare = _pinned(np.empty_like(addresses))
        own, seen = self.streams[key], addresses.tobytes()
        if seen != own.seen:
            # Fresh pinned memory: an earlier copy may still be under way.
            own.addresses.copy_(_pinned(addresses), non_blocking=True)
            own.seen = seen
        return own

    def _captured(self, addresses: NDArray[np.int64]) -> _Scratch:
        """Return scratch memory of the graph's own."""
        if self.spare is None:
            raise RuntimeError(_UNPREPARED)
        own = self._scratch()
        self.spare.copy_(torch.from_numpy(addresses))
        own.addresses.copy_(self.spare, non_blocking=True)
        # Replays read the tables and this memory, and nobody tells when a graph is gone.
        _kept.append((self, self.spare))
        self.spare = None
        return own

    def run(self, results: NDArray[np.int64], gradients: NDArray[np.int64]) -> None:
        """Write M⁻¹g of every tensor, given where they begin: each result in place or apart.

        Raises
        ------
        RuntimeError
            If a CUDA graph is captured without an ordinary call beforehand.
        """
        with _current(self.device), self.lock:
            self._launch(self.scratch(_addresses(self.blocks, gradients, results)))

    def _launch(self, scratch: _Scratch) -> None:
        tables = (self.tag, self.table, self.coefficients, scratch.addresses)
        count = len(self.blocks.table)
        for (kind, cut, flat), programs in self.programs.items():
            grid, fixed = (len(programs),), {"FIELDS": len(COLUMNS), "FLAT": flat}
            if cut:
                sizes = {"ROWS": SEGMENT_ROWS, "SEGMENTS": cut, "COLS": THREADS // cut}
                limits = {"num_warps": THREADS // 32, "maxnreg": REGISTERS}
                segments[grid](*tables, programs, count, **fixed, **sizes, **limits)
            elif kind in _SWEPT:
                sizes = {"ROWS": ROWS, "COLS": SWEEP_COLS, "num_warps": 1}
                kernel, _ = _SWEPT[kind]
                kernel[grid](*tables, programs, scratch.states, count, **fixed, **sizes)
            else:
                own = SEGMENTS[kind]
                sizes = {"SEGMENTS": own, "COLS": COLS, "num_warps": own // PER_THREAD}
                walks[grid](*tables, programs, count, KIND=kind, **fixed, **sizes)


_kept: list[tuple[LaunchPlan, Tensor]] = []


def launch_plan(
    parts: Sequence[Part],
    dtype: torch.dtype,
    device: torch.device,
    threads: int,  # noqa: ARG001 - of the host
) -> LaunchPlan:
    """Return the plan of a list of tensors on one CUDA device, of equal dtype.

    Raises
    ------
    RuntimeError
        If a CUDA graph is being captured.
    """
    with _current(device):
        return LaunchPlan(parts, dtype, device)
