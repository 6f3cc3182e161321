"""Interleaved rounds: every sample of a method between two samples of the floor.

Machines share caches, memory and cores with others, and clocks change. A ratio to a floor that was
timed a moment before and a moment after holds still where seconds do not. Each round takes every
method once, in a new order; reported are the median of the paired ratios and its quartiles.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(slots=True)
class Samples:
    """The samples of one method: seconds, and ratios to the floor around them."""

    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def quartiles(self) -> tuple[float, float, float]:
        """Return the 25 %, 50 % and 75 % quantiles of the ratios."""
        low, middle, high = np.quantile(self.ratios, [0.25, 0.5, 0.75])
        return float(low), float(middle), float(high)

    @property
    def median_seconds(self) -> float:
        """The median of the seconds."""
        return float(np.median(self.seconds))


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def rounds(
    calls: Mapping[str, Callable[[], object]],
    floor: Callable[[], object],
    count: int,
    *,
    refresh: Callable[[], object] = lambda: None,
    clock: Callable[[Callable[[], object]], float] = seconds,
    seed: int = 0,
) -> Iterator[dict[str, Samples]]:
    """Yield the samples so far after each of ``count`` rounds.

    Parameters
    ----------
    calls
        The methods, by name. Each is called once beforehand, to compile and to fill caches.
    floor
        What ratios are to.
    count
        Number of rounds.
    refresh
        Called before every sample, untimed: gives the gradients fresh numbers, since some methods
        shrink them at every call, and numbers near zero are slow.
    clock
        Says how long a call takes.
    seed
        Of the order within rounds.
    """
    order = random.Random(seed)
    samples = {name: Samples() for name in calls}
    for call in (floor, *calls.values()):
        refresh()
        call()
    for _ in range(count):
        for name in order.sample(list(calls), len(calls)):
            refresh()
            floor()  # not timed: takes what `refresh` left in the caches out of the first sample
            before, own, after = clock(floor), clock(calls[name]), clock(floor)
            samples[name].seconds.append(own)
            samples[name].ratios.append(2 * own / (before + after))
        yield samples
