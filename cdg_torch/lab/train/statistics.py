"""Paired comparisons by seed: intervals, an exact permutation test, corrected p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with a 95 % interval around it."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0 or self.high < 0


def mean_interval(
    values: Sequence[float], *, kind: Literal["student", "bootstrap"] = "student"
) -> Interval:
    r"""Return the mean with its 95 % interval.

    ``student`` is :math:`\bar x \pm t_{0.975,\,n-1}\, s/\sqrt n`, exact for normal values.
    ``bootstrap`` resamples 9999 times, percentiles, always with the same seed; with ten values or
    fewer it is known to be too narrow, and is given beside the other, not instead.

    Raises
    ------
    ValueError
        If there are fewer than two values, or one is not finite.

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.484..., high=4.484...)
    """
    from scipy import stats

    data = np.asarray(values, dtype=np.float64)
    if data.size < 2 or not np.isfinite(data).all():
        msg = f"an interval needs two finite values or more, got {data.tolist()}"
        raise ValueError(msg)
    mean = float(data.mean())
    if np.ptp(data) == 0:
        # No spread in the sample: both recipes give the point, and SciPy would warn.
        return Interval(mean, mean, mean)
    if kind == "student":
        reach = float(stats.t.ppf(0.975, data.size - 1)) * float(stats.sem(data))
        return Interval(mean, mean - reach, mean + reach)
    drawn = stats.bootstrap((data,), np.mean, method="percentile", rng=np.random.default_rng(0))
    return Interval(
        mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against the baseline, paired by seed.

    ==============  =====================================================================
    ``difference``  method minus baseline, Student's interval
    ``bootstrap``   the same, by the bootstrap
    ``p_value``     two-sided, of the exact test that flips the signs of the differences
    ``effect``      mean difference over its standard deviation (Cohen's d for pairs)
    ``pairs``       the number of seeds
    ==============  =====================================================================
    """

    difference: Interval
    bootstrap: Interval
    p_value: float
    effect: float
    pairs: int


def compare(method: Mapping[int, float], baseline: Mapping[int, float]) -> Comparison:
    """Compare scores by seed.

    The test asks how often a sum as extreme comes about if each difference had been as likely
    with the other sign; with up to 13 pairs every choice of signs is tried, beyond that 9999
    drawn ones. With n pairs no p-value can be below 2^(1−n).

    Raises
    ------
    ValueError
        If the seeds are not the same, or fewer than two.

    Examples
    --------
    >>> compare({0: 2.0, 1: 3.0, 2: 5.0}, {0: 1.0, 1: 1.0, 2: 1.0}).p_value
    0.25
    """
    from scipy import stats

    if set(method) != set(baseline):
        msg = f"not paired: seeds {sorted(method)} against {sorted(baseline)}"
        raise ValueError(msg)
    differences = np.array([method[seed] - baseline[seed] for seed in sorted(method)])
    interval = mean_interval(differences.tolist())
    spread = float(differences.std(ddof=1))
    if np.ptp(differences) == 0:
        effect = 0.0 if interval.mean == 0 else math.copysign(math.inf, interval.mean)
    else:
        effect = interval.mean / spread
    test = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return Comparison(
        difference=interval,
        bootstrap=mean_interval(differences.tolist(), kind="bootstrap"),
        p_value=float(test.pvalue),
        effect=effect,
        pairs=differences.size,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for making several comparisons: Holm's.

    The chance of calling even one of them different that is not stays below the level, however the
    comparisons depend on each other.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def corrected(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for making several comparisons with one baseline.

    Benjamini and Yekutieli's: among the comparisons called different at level 0.05, at most one
    in twenty is expected to be false, however the comparisons depend on each other (they share
    the baseline).

    Examples
    --------
    >>> corrected([0.01, 0.04])
    [0.03, 0.06]
    """
    from scipy import stats

    if not p_values:
        return []
    return [float(p) for p in stats.false_discovery_control(p_values, method="by")]
