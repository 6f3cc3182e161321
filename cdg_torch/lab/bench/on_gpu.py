"""All measurements on a GPU in one run.

There a call ends before its work does. What the device does is timed by its own events while it
replays a graph of the call, so that nothing of the host is in it; how long the call keeps the host
is timed apart. Methods that a graph cannot hold are timed as they are called, the host's time
included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from cdg_torch.lab.bench.methods import METHODS_ON_GPU, Method, floor_on_gpu
from cdg_torch.lab.bench.record import Record, Report, Row
from cdg_torch.lab.bench.run import Effort
from cdg_torch.lab.bench.steps import measure_steps
from cdg_torch.lab.bench.timing import Samples, rounds, seconds
from cdg_torch.lab.bench.workloads import gradients, scaling_gradient

# Calls in a row before the host's share of one is taken.
HOST_CALLS = 20
# Beyond the caches of any device.
SCALING_SIZE = 1 << 26

Call = Callable[[], object]


def _device_seconds(call: Call) -> float:
    """Return how long the device works on a call, by its own events."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    before.record()
    call()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1e3


def _captured(call: Call) -> Call:
    """Return the replay of a graph that holds one call."""
    call()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def _host_seconds(call: Call) -> float:
    """Return how long one of several calls in a row keeps the host."""
    torch.cuda.synchronize()
    times = [seconds(call) for _ in range(HOST_CALLS)]
    torch.cuda.synchronize()
    return float(np.median(times))


def _measure(
    record: Record, workload: str, chosen: list[Method], count: int, report: Report
) -> None:
    """Time methods on the gradients of a network; all of them share the gradients."""
    grads = [g.cuda() for g in gradients(workload)]
    fresh = [g.clone() for g in grads]
    record.tensors[workload] = len(grads)
    record.numbers[workload] = sum(g.numel() for g in grads)
    calls, host = {}, {}
    for method in chosen:
        call = method.prepare(grads)
        assert call is not None
        name = f"{method.group}: {method.name}"
        calls[name] = call if method.slow else _captured(call)
        host[name] = _host_seconds(call)
    samples: dict[str, Samples] = {}
    slow = {f"{method.group}: {method.name}" for method in chosen if method.slow}
    floor = _captured(floor_on_gpu(grads))
    refresh = partial(torch._foreach_copy_, grads, fresh)
    # A tenth of the rounds for what is slow.
    for names, times in ((calls.keys() - slow, count), (slow, max(1, count // 10))):
        own = {name: calls[name] for name in calls if name in names}
        for index, found in enumerate(
            rounds(own, floor, times, refresh=refresh, clock=_device_seconds)
        ):
            samples |= found
            report(workload, index + 1, times)
    for method in chosen:
        name = f"{method.group}: {method.name}"
        milliseconds = 1e3 * samples[name].median_seconds
        if method.group == "floor":
            record.floors[workload] = milliseconds
        quartiles = samples[name].quartiles()
        row = (workload, method.group, method.name, *quartiles, milliseconds)
        record.rows.append(Row(*row, host_milliseconds=1e3 * host[name]))


def _scaling(record: Record, effort: Effort, report: Report) -> None:
    chosen = [m for m in METHODS_ON_GPU if m.group in {"floor", "ours, GPU kernels"}]
    chosen += [
        m for m in METHODS_ON_GPU if m.name in {"two torch.cumsum", "Laplacian smoothing, FFT"}
    ]
    for done, n in enumerate(effort.channels):
        grads = [scaling_gradient(n, size=SCALING_SIZE, device="cuda")]
        fresh = grads[0].clone()
        calls = {}
        for method in chosen:
            call = method.prepare(grads)
            assert call is not None
            name = f"{method.group}: {method.name}"
            calls[name.replace("ours, GPU kernels:", "ours,")] = _captured(call)
        samples: dict[str, Samples] = {}
        floor = _captured(floor_on_gpu(grads))
        refresh = partial(grads[0].copy_, fresh)
        for found in rounds(
            calls, floor, effort.scaling_rounds, refresh=refresh, clock=_device_seconds
        ):
            samples = found
        for name, own in samples.items():
            nanoseconds = 1e9 * own.median_seconds / grads[0].numel()
            record.scaling.setdefault(name, {})[n] = nanoseconds
        report("scaling in n", done + 1, len(effort.channels))


def run_on_gpu(record: Record, effort: Effort, report: Report) -> None:
    """Measure everything that ``effort`` asks for, but memory, into ``record``.

    ``report(what, done, total)`` is called as the work goes on.
    """
    for workload, count in effort.rounds.items():
        chosen = [m for m in METHODS_ON_GPU if not m.slow or workload == "ResNet-18"]
        _measure(record, workload, chosen, count, report)
    for batch, size, count in effort.steps:
        measure_steps(record, batch, size, count, report, device="cuda", clock=_device_seconds)
    _scaling(record, effort, report)
