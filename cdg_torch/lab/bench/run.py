"""All measurements in one run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from cdg_torch.lab.bench.memory import extra_mebibytes
from cdg_torch.lab.bench.methods import METHODS, Method, floor
from cdg_torch.lab.bench.record import Record, Report, Row
from cdg_torch.lab.bench.steps import measure_steps
from cdg_torch.lab.bench.timing import Samples, rounds
from cdg_torch.lab.bench.workloads import gradients, scaling_gradient


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: rounds per workload, training steps, channel counts, memory."""

    rounds: dict[str, int]
    slow_rounds: int
    steps: tuple[tuple[int, int, int], ...]
    channels: tuple[int, ...]
    scaling_rounds: int
    memory: bool


QUICK = Effort(
    rounds={"ResNet-18": 7},
    slow_rounds=3,
    steps=((8, 64, 4),),
    channels=(64, 512, 4096, 16384),
    scaling_rounds=3,
    memory=False,
)
FULL = Effort(
    rounds={"ResNet-18": 60, "ResNet-50": 30, "DenseNet-201": 30},
    slow_rounds=20,
    steps=((8, 64, 25), (32, 224, 4)),
    channels=(64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384),
    scaling_rounds=12,
    memory=True,
)
# A dense inverse beyond this takes minutes to make.
DENSE_LIMIT = 2048


def _measure(
    record: Record, workload: str, chosen: list[Method], count: int, report: Report
) -> None:
    """Time methods on the gradients of a network; all of them share the gradients."""
    grads = gradients(workload)
    fresh = [g.clone() for g in grads]
    record.tensors[workload] = len(grads)
    record.numbers[workload] = sum(g.numel() for g in grads)
    calls = {}
    for method in chosen:
        call = method.prepare(grads)
        if call is not None:
            calls[f"{method.group}: {method.name}"] = call

    def refresh() -> None:
        torch._foreach_copy_(grads, fresh)

    samples: dict[str, Samples] = {}
    for index, found in enumerate(rounds(calls, floor(grads), count, refresh=refresh)):
        samples = found
        report(workload, index + 1, count)
    for method in chosen:
        own = samples.get(f"{method.group}: {method.name}")
        if own is None:
            continue
        quartiles, milliseconds = own.quartiles(), 1e3 * own.median_seconds
        if method.group == "floor":
            record.floors[workload] = milliseconds
        record.rows.append(Row(workload, method.group, method.name, *quartiles, milliseconds))


def _memory(record: Record, report: Report) -> None:
    threads = torch.get_num_threads()
    # An optimizer's first step makes its state, which is not what is asked about.
    chosen = [i for i, method in enumerate(METHODS) if method.group not in {"floor", "optimizer"}]
    for done, index in enumerate(chosen):
        method = METHODS[index]
        found = extra_mebibytes(index, threads=threads)
        for place, row in enumerate(record.rows):
            if (row.workload, row.group, row.name) == ("ResNet-18", method.group, method.name):
                values = (row.low, row.median, row.high, row.milliseconds, found)
                record.rows[place] = Row(row.workload, row.group, row.name, *values)
        report("memory", done + 1, len(chosen))


def _scaling(record: Record, effort: Effort, report: Report) -> None:
    by_name = {f"{method.group}: {method.name}": method for method in METHODS}
    chosen = {
        "floor, g.mul_(c)": "floor: g.mul_(c)",
        "ours, H⁰": "ours, CPU kernels: H⁰",
        "ours, Sobolev": "ours, CPU kernels: Sobolev",
        "ours, general": "ours, CPU kernels: general",
        "PyTorch reference, Sobolev": "ours, PyTorch reference: Sobolev",
        "two torch.cumsum": "Sobolev otherwise: two torch.cumsum",
        "SciPy DCT": "Sobolev otherwise: SciPy DCT",
        "dense inverse, cached": "Sobolev otherwise: dense inverse, cached",
        "Laplacian smoothing, FFT": "neighbours: Laplacian smoothing, FFT",
    }
    for done, n in enumerate(effort.channels):
        grads = [scaling_gradient(n)]
        fresh = grads[0].clone()
        calls = {}
        for name, key in chosen.items():
            if "dense" in name and n > DENSE_LIMIT:
                continue
            call = by_name[key].prepare(grads)
            assert call is not None
            calls[name] = call
        samples: dict[str, Samples] = {}
        for found in rounds(
            calls,
            floor(grads),
            effort.scaling_rounds,
            refresh=partial(grads[0].copy_, fresh),
        ):
            samples = found
        for name, own in samples.items():
            nanoseconds = 1e9 * own.median_seconds / grads[0].numel()
            record.scaling.setdefault(name, {})[n] = nanoseconds
        report("scaling in n", done + 1, len(effort.channels))


def run(record: Record, effort: Effort, report: Report) -> None:
    """Measure everything that ``effort`` asks for into ``record``.

    ``report(what, done, total)`` is called as the work goes on.
    """
    for workload, count in effort.rounds.items():
        fast = [method for method in METHODS if not method.slow]
        _measure(record, workload, fast, count, report)
        if workload == "ResNet-18":
            slow = [method for method in METHODS if method.slow]
            _measure(record, workload, slow, effort.slow_rounds, report)
    if effort.memory:
        _memory(record, report)
    for batch, size, count in effort.steps:
        measure_steps(record, batch, size, count, report)
    _scaling(record, effort, report)
