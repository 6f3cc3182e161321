"""Interleaved rounds: every sample of a call between two samples of the floor.

Machines share caches, memory and cores with others, and clocks change. A ratio to a floor that was
timed a moment before and a moment after holds still where seconds do not. Each round takes every
call once, in a new order; reported are the median of the paired ratios and its quartiles.

On a GPU a call ends before its work does. What the device does is timed by its own events while it
replays a graph of the call, so that nothing of the host is in it; how long the call keeps the host
is timed apart. Calls that a graph cannot hold are timed as they are, the host's time included.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

Call = Callable[[], object]
Clock = Callable[[Call], float]

# Calls in a row before the host's share of one is taken.
HOST_CALLS = 20


@dataclass(slots=True)
class Samples:
    """The samples of one call: seconds, and ratios to the floor around them."""

    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def quartiles(self) -> dict[str, float]:
        """Return the 25 %, 50 % and 75 % quantiles of the ratios: low, median, high."""
        found = np.quantile(self.ratios, [0.25, 0.5, 0.75]).tolist()
        return dict(zip(("low", "median", "high"), found, strict=True))

    @property
    def median_seconds(self) -> float:
        """The median of the seconds."""
        return float(np.median(self.seconds))


def seconds(call: Call) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def device_seconds(call: Call) -> float:
    """Return how long the GPU works on a call, by its own events."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    before.record()
    call()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1e3


def captured(call: Call) -> Call:
    """Return the replay of a CUDA graph that holds one call."""
    call()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def host_seconds(call: Call) -> float:
    """Return how long one of several calls in a row keeps the host."""
    torch.cuda.synchronize()
    times = [seconds(call) for _ in range(HOST_CALLS)]
    torch.cuda.synchronize()
    return float(np.median(times))


def rounds(
    calls: Mapping[str, Call],
    floor: Call,
    count: int,
    *,
    refresh: Call = lambda: None,
    clock: Clock = seconds,
    watch: Callable[[int, int], object] = lambda _done, _of: None,
    seed: int = 0,
) -> dict[str, Samples]:
    """Return the samples of ``count`` rounds.

    Parameters
    ----------
    calls
        What is timed, by name. Each is called once beforehand, to compile and to fill caches.
    floor
        What ratios are to.
    count
        Number of rounds.
    refresh
        Called before every sample, untimed: gives the gradients fresh numbers, since some calls
        shrink them every time, and numbers near zero are slow.
    clock
        Says how long a call takes.
    watch
        Told after each round how many are done, of how many.
    seed
        Of the order within rounds.
    """
    order = random.Random(seed)
    samples = {name: Samples() for name in calls}
    for call in (floor, *calls.values()):
        refresh()
        call()
    for done in range(1, count + 1):
        for name in order.sample(list(calls), len(calls)):
            refresh()
            floor()  # not timed: takes what `refresh` left in the caches out of the first sample
            before, own, after = clock(floor), clock(calls[name]), clock(floor)
            samples[name].seconds.append(own)
            samples[name].ratios.append(2 * own / (before + after))
        watch(done, count)
    return samples
