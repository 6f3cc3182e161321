"""A list of tensors on the GPU: its tables, kept on the device from step to step, and the launch.

From step to step addresses can change, and with a schedule the coefficients. They travel by an
asynchronous copy from pinned memory, and not at all while they stay the same, so the host never
waits for the device. Streams share the tables; what a launch writes to, each stream has for itself.

The launch can be captured in a CUDA graph after an ordinary call with the same shapes and metrics,
which compiles the kernel and makes the tables; a replay reads the addresses it was captured with.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from cdg_torch.extras import optional
from cdg_torch.solve.coefficients import PAIRS, SWEEPS
from cdg_torch.solve.columns import COLUMNS, BlockTable, Part, block_table
from cdg_torch.solve.gpu.pair_segments import pair_segment_tables, pair_segments
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
# Kernels that keep short columns in registers, and what makes their tables.
_CUT = {SWEEPS: (segments, segment_tables), PAIRS: (pair_segments, pair_segment_tables)}
# They hold their rows in a tuple, which Triton compiles since 3.3 (torch 2.7).
_TUPLES = tuple(map(int, triton.__version__.split(".")[:2])) >= (3, 3)


class _Tables(NamedTuple):
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


def _tables(blocks: BlockTable) -> _Tables:
    values, length = [blocks.coefficients], len(blocks.coefficients)
    begins = blocks.column("coefficients").copy()
    counts = np.zeros_like(begins)
    place = 0
    for _, rows, kind, count in blocks.owners:
        own = blocks.coefficients[place : place + count]
        cut = segment_count(rows) if kind in _CUT and _TUPLES else None
        if cut is not None:
            _, tables = _CUT[kind]
            values.append(tables(own, rows, cut))
            theirs = blocks.column("coefficients") == place
            begins[theirs], counts[theirs] = length, cut
            length += len(values[-1])
        place += count
    return _Tables(np.concatenate(values), begins, counts)


def _pinned(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor


def _send(array: np.ndarray, device: torch.device) -> Tensor:
    return _pinned(array).to(device, non_blocking=True)


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


class _Sent:
    """Tensors sent to a device on the current stream; other streams wait for them once."""

    def __init__(self, tensors: Sequence[Tensor], device: torch.device) -> None:
        self.tensors = tensors
        self.ready: torch.cuda.Event | None = None
        self.streams: set[int] = set()
        if device.type == "cuda":
            stream = torch.cuda.current_stream()
            self.ready = stream.record_event()
            self.streams.add(stream.cuda_stream)

    def wait(self) -> None:
        """Let the current stream wait, and keep the memory until it is done with it."""
        if self.ready is None:
            return
        stream = torch.cuda.current_stream()
        if stream.cuda_stream not in self.streams:
            stream.wait_event(self.ready)
            for tensor in self.tensors:
                tensor.record_stream(stream)
            self.streams.add(stream.cuda_stream)


class _Lists:
    """What plans share that differ in coefficients alone: tables, and each stream's scratch memory.

    Memory that a captured graph copies addresses from must be allocated beforehand: ``spare``.
    """

    def __init__(
        self, blocks: BlockTable, tables: _Tables, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.device = device
        programs: defaultdict[tuple[int, int, bool], list[NDArray[np.int64]]] = defaultdict(list)
        place = 0
        names = ("kind", "rows", "outer", "inner", "inner_stride")
        columns = [*map(blocks.column, names), tables.segments]
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

        self.tag = torch.empty(0, dtype=dtype, device=device)
        self.programs = {k: _send(np.concatenate(own), device) for k, own in programs.items()}
        table = blocks.table.copy()
        table[:, COLUMNS.index("coefficients")] = tables.begins
        self.table = _send(table, device)
        self.sent = _Sent([self.table, *self.programs.values()], device)
        self.place = place
        self.streams: dict[int, _Scratch] = {}
        self.spare: Tensor | None = None
        # From the copy of the addresses to the launch, no other thread may copy its own.
        self.lock = threading.Lock()

    def _scratch(self) -> _Scratch:
        shape = (2, len(self.table))
        return _Scratch(
            torch.empty(shape, dtype=torch.int64, device=self.device),
            torch.empty(self.place, dtype=torch.float64, device=self.device),
        )

    def scratch(self, addresses: NDArray[np.int64]) -> _Scratch:
        """Return the current stream's scratch memory, with the addresses of this call in it."""
        self.sent.wait()
        key = 0 if self.device.type != "cuda" else torch.cuda.current_stream().cuda_stream
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

    def captured(self, addresses: NDArray[np.int64], plan: LaunchPlan) -> _Scratch:
        """Return scratch memory of a graph's own, which captures a launch of ``plan``."""
        if self.spare is None:
            raise RuntimeError(_UNPREPARED)
        own = self._scratch()
        self.spare.copy_(torch.from_numpy(addresses))
        own.addresses.copy_(self.spare, non_blocking=True)
        # Replays read the tables and this memory, and nobody tells when a graph is gone.
        _kept.append((plan, self.spare))
        self.spare = None
        return own


class LaunchPlan:
    """A list on one device: its tables, and the coefficients of its metrics."""

    def __init__(self, blocks: BlockTable, tables: _Tables, lists: _Lists) -> None:
        self.blocks = blocks
        self.lists = lists
        self.coefficients = _send(tables.coefficients, lists.device)
        self.sent = _Sent([self.coefficients], lists.device)

    def revalued(self, follows: Mapping[Metric, Metric]) -> LaunchPlan | None:
        """Return the plan for the same tensors, each metric replaced, if it is much the same.

        A captured graph goes on reading the coefficients of its own plan. While one is captured
        nothing can be sent, and the answer is None.
        """
        with _current(self.lists.device):
            if _capturing(self.lists.device):
                return None
            blocks = self.blocks.revalued(follows)
            return None if blocks is None else LaunchPlan(blocks, _tables(blocks), self.lists)

    def run(self, results: NDArray[np.int64], gradients: NDArray[np.int64]) -> None:
        """Write M⁻¹g of every tensor, given where they begin: each result in place or apart.

        Raises
        ------
        RuntimeError
            If a CUDA graph is captured without an ordinary call beforehand.
        """
        lists, addresses = self.lists, _addresses(self.blocks, gradients, results)
        with _current(lists.device), lists.lock:
            if _capturing(lists.device):
                scratch = lists.captured(addresses, self)
            else:
                self.sent.wait()
                scratch = lists.scratch(addresses)
            self._launch(scratch)

    def _launch(self, scratch: _Scratch) -> None:
        lists, count = self.lists, len(self.blocks.table)
        tables = (lists.tag, lists.table, self.coefficients, scratch.addresses)
        for (kind, cut, flat), programs in lists.programs.items():
            grid, fixed = (len(programs),), {"FIELDS": len(COLUMNS), "FLAT": flat}
            if cut:
                sizes = {"ROWS": SEGMENT_ROWS, "SEGMENTS": cut, "COLS": THREADS // cut}
                limits = {"num_warps": THREADS // 32, "maxnreg": REGISTERS}
                kernel, _ = _CUT[kind]
                kernel[grid](*tables, programs, count, **fixed, **sizes, **limits)
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
        if _capturing(device):
            raise RuntimeError(_UNPREPARED)
        blocks = block_table(parts, dtype.itemsize, double=False)
        tables = _tables(blocks)
        return LaunchPlan(blocks, tables, _Lists(blocks, tables, dtype, device))
