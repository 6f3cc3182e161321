"""All measurements in one run, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cdg_theory.checks import one_of
from cdg_torch.lab.bench.candidates import CANDIDATES, Candidate, floor, floor_of_lists
from cdg_torch.lab.bench.measurements import Cost, Measurements, Watcher
from cdg_torch.lab.bench.memory import extra_mebibytes
from cdg_torch.lab.bench.overhead import measure_overhead
from cdg_torch.lab.bench.steps import measure_steps
from cdg_torch.lab.bench.timing import (
    Call,
    Clock,
    captured,
    device_seconds,
    host_seconds,
    rounds,
    seconds,
)
from cdg_torch.lab.bench.workloads import gradients, scaling_gradient

# The workload on which what is slow is measured as well, and memory.
FIRST = "ResNet-18"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: rounds per workload, training steps, channel counts, memory, lists.

    And the first use, if it is asked for: how many times.
    """

    rounds: dict[str, int]
    slow_rounds: int
    steps: tuple[tuple[int, int, int], ...]
    channels: tuple[int, ...]
    scaling_rounds: int
    memory: bool
    lists: tuple[int, ...]
    list_rounds: int
    first_uses: int


QUICK = Effort(
    rounds={FIRST: 7},
    slow_rounds=3,
    steps=((8, 64, 4),),
    channels=(64, 512, 4096, 16384),
    scaling_rounds=3,
    memory=False,
    lists=(30, 300),
    list_rounds=5,
    first_uses=1,
)
FULL = Effort(
    rounds={FIRST: 60, "ResNet-50": 30, "DenseNet-201": 30},
    slow_rounds=20,
    steps=((8, 64, 25), (32, 224, 4)),
    channels=(64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384),
    scaling_rounds=12,
    memory=True,
    lists=(30, 100, 300, 1000),
    list_rounds=31,
    first_uses=7,
)


@dataclass(frozen=True, slots=True)
class Device:
    """How calls are timed on a kind of device.

    ===========  ====================================================================
    field        meaning
    ===========  ====================================================================
    ``name``     what torch calls it
    ``floor``    reads and writes all gradients once: what ratios are to
    ``clock``    how long a call takes
    ``timed``    from a call to what is timed in its place
    ``host``     how long a call keeps the host, if the two are not the same
    ``size``     numbers of a gradient that no cache holds
    ===========  ====================================================================
    """

    name: str
    floor: Callable[[list[Tensor]], Call]
    clock: Clock
    timed: Callable[[Call], Call]
    host: Clock | None
    size: int


DEVICES = {
    "cpu": Device("cpu", floor, seconds, lambda call: call, None, 1 << 22),
    "cuda": Device("cuda", floor_of_lists, device_seconds, captured, host_seconds, 1 << 26),
}


def check_device(device: str) -> str:
    """Check the kind of device and return it.

    Raises
    ------
    ValueError
        If it is neither ``"cpu"`` nor ``"cuda"``, or there is no GPU.
    """
    one_of("device", device, tuple(DEVICES))
    if device == "cuda" and not torch.cuda.is_available():
        msg = "device is 'cuda', and torch sees no GPU here; leave it out for the CPU"
        raise ValueError(msg)
    return device


def _measure(
    found: Measurements,
    device: Device,
    workload: str,
    candidates: Sequence[Candidate],
    count: int,
    watch: Watcher,
) -> None:
    """Time candidates on the gradients of a network; all of them share the gradients."""
    grads = gradients(workload, device.name)
    fresh = [g.clone() for g in grads]
    found.tensors[workload] = len(grads)
    found.numbers[workload] = sum(g.numel() for g in grads)
    prepared = {candidate.key: candidate.prepare(grads) for candidate in candidates}
    calls = {key: call for key, call in prepared.items() if call is not None}
    chosen = [candidate for candidate in candidates if candidate.key in calls]
    host = {key: 1e3 * device.host(call) for key, call in calls.items()} if device.host else {}
    timed = {c.key: calls[c.key] if c.slow else device.timed(calls[c.key]) for c in chosen}
    samples = rounds(
        timed,
        device.timed(device.floor(grads)),
        count,
        refresh=partial(torch._foreach_copy_, grads, fresh),
        clock=device.clock,
        watch=partial(watch, workload),
    )
    for candidate in chosen:
        own = samples[candidate.key]
        cost = Cost(
            workload=workload,
            group=candidate.group,
            name=candidate.name,
            **own.quartiles(),
            milliseconds=1e3 * own.median_seconds,
            host_milliseconds=host.get(candidate.key),
        )
        if candidate.group == "floor":
            found.floors[workload] = cost.milliseconds
        found.rows.append(cost)


def _memory(found: Measurements, watch: Watcher) -> None:
    """Add the extra memory to the costs on the first workload."""
    # An optimizer's first step makes its state, which is not what is asked about.
    rows = [row for row in found.rows if row.workload == FIRST]
    rows = [row for row in rows if row.group not in {"floor", "optimizer"}]
    for done, row in enumerate(rows, 1):
        row.mebibytes = extra_mebibytes(row.group, row.name, threads=torch.get_num_threads())
        watch("memory", done, len(rows))


def _scaling(found: Measurements, device: Device, effort: Effort, watch: Watcher) -> None:
    """Time one gradient after the other, of equal size and with ever more output channels."""
    for done, n in enumerate(effort.channels, 1):
        grad = scaling_gradient(n, size=device.size, device=device.name)
        calls = {
            candidate.short_name: device.timed(call)
            for candidate in CANDIDATES[device.name]
            if candidate.scales and n <= candidate.most and (call := candidate.prepare([grad]))
        }
        samples = rounds(
            calls,
            device.timed(device.floor([grad])),
            effort.scaling_rounds,
            refresh=partial(grad.copy_, grad.clone()),
            clock=device.clock,
        )
        for name, own in samples.items():
            found.scaling.setdefault(name, {})[n] = 1e9 * own.median_seconds / grad.numel()
        watch("scaling in n", done, len(effort.channels))


def measure(found: Measurements, effort: Effort, watch: Watcher, device: str = "cpu") -> None:
    """Measure everything that ``effort`` asks for; memory on the CPU only.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    on = DEVICES[check_device(device)]
    fast = [candidate for candidate in CANDIDATES[device] if not candidate.slow]
    slow = [candidate for candidate in CANDIDATES[device] if candidate.slow]
    for workload, count in effort.rounds.items():
        _measure(found, on, workload, fast, count, watch)
        if workload == FIRST:
            _measure(found, on, workload, slow, effort.slow_rounds, watch)
    if effort.memory and device == "cpu":
        _memory(found, watch)
    for batch, size, count in effort.steps:
        measure_steps(found, batch, size, count, watch, device=device, clock=on.clock)
    if device == "cpu":
        for length in effort.lists:
            measure_overhead(found, length, effort.list_rounds, watch)
    _scaling(found, on, effort, watch)
