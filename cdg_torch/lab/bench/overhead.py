"""What an attached step adds to the optimizer's own, by the number of tensors: the host's time.

Small convolutions, one thread, a foreach SGD step with momentum: next to nothing but bookkeeping.
Every step finds new gradients, as in training. Timed is the thread's own time at work, so that
other programs on the machine count little.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from cdg_theory import Metric
from cdg_torch.attachment import attach
from cdg_torch.lab.bench.measurements import Measurements, StepOverhead, Watcher
from cdg_torch.schedules import LinearMetric

# No kernel changes on the way from this member to no smoothing.
METRIC = Metric.ordinary_sobolev(1.0)


def _convolutions(count: int) -> nn.Sequential:
    return nn.Sequential(*[nn.Conv2d(4, 8, 3, bias=False) for _ in range(count)])


@dataclass(frozen=True, slots=True)
class Stepping:
    """An optimizer with its parameters: ``refresh`` gives them new gradients, ``step`` steps."""

    refresh: Callable[[], None]
    step: Callable[[], object]


def _stepping(
    count: int, *, attached: bool, others: int = 0, schedule: bool = False, **options: Any
) -> Stepping:
    """Return a step over ``count`` convolutions, and parameters outside the model."""
    model = _convolutions(count)
    parameters = [*model.parameters(), *(nn.Parameter(torch.zeros(8)) for _ in range(others))]
    optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, foreach=True)
    moving = None
    if attached:
        handle = attach(optimizer, model, METRIC, **options)
        moving = LinearMetric(handle, steps=10**6) if schedule else None

    def refresh() -> None:
        for p in parameters:
            p.grad = torch.randn_like(p)

    def step() -> None:
        optimizer.step()
        if moving is not None:
            moving.step()

    return Stepping(refresh, step)


ALL = -1  # as many as the model has

#: What is timed, beside the plain step that each is compared with.
KINDS: dict[str, dict[str, Any]] = {
    "attached": {},
    "in place": {"inplace": True},
    "metric schedule": {"schedule": True},
    "match_norm": {"match_norm": True},
    "where=update": {"where": "update"},
    "a parameter outside": {"others": 1},
    "as many outside": {"others": ALL},
}


def _seconds(call: Callable[[], object]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start


def measure_overhead(found: Measurements, count: int, rounds: int, watch: Watcher) -> None:
    """Time every kind of step over ``count`` convolutions, ``rounds`` times."""
    order, threads = random.Random(0), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pairs = {}
        for name, given in KINDS.items():
            others = {0: 0, 1: 1, ALL: count}[given.get("others", 0)]
            plain = _stepping(count, attached=False, others=others)
            pairs[name] = plain, _stepping(count, attached=True, **{**given, "others": others})
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
        for done in range(-2, rounds):  # the first two warm up
            for name in order.sample([*pairs], len(pairs)):
                taken = []
                for stepping in pairs[name]:
                    stepping.refresh()
                    taken.append(_seconds(stepping.step))
                if done >= 0:
                    times[name].append((taken[0], taken[1]))
            watch(f"steps over {count} tensors", max(done + 1, 0), rounds)
    finally:
        torch.set_num_threads(threads)
    for name, samples in times.items():
        plain_, own_ = np.array(samples).T
        low, median, high = np.quantile((own_ - plain_) / plain_, [0.25, 0.5, 0.75]).tolist()
        microseconds = 1e6 * float(np.median(plain_)), 1e6 * float(np.median(own_ - plain_))
        found.overheads.append(StepOverhead(count, name, low, median, high, *microseconds))
