r"""What a metric gains, by theorems 14 to 16 and measured signal and noise of the modes.

One half of the batches chooses, the other half judges. The risk is linear in the moments, so each
judged risk is unbiased; their ratio, the gain, is so only for many batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cdg_theory import Metric
from cdg_theory.discrete.moments import held_out_risk, measured_moments
from cdg_theory.discrete.shrinkage import best_factors, early_stopping, mode_risk
from cdg_theory.discrete.spectrum import eigenvalues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Boundary

    Array = NDArray[np.float64]


def lengths(n: int) -> list[float]:
    """Return the correlation lengths that are tried for n channels: half a channel to n/4."""
    steps = max(2, 2 * math.ceil(math.log2(n / 2)) + 1)
    return np.geomspace(0.5, n / 4, steps).tolist()


@dataclass(frozen=True, slots=True)
class Prediction:
    """The metric that errs least, and its gains over the raw gradient: see ``LayerDiagnosis``."""

    metric: Metric
    length: float
    gain: float
    apart: float
    h0: float
    stopping: float


def predicted(
    products: Array, boundary: Boundary, training_batches: int, *, has_mean: bool
) -> Prediction | None:
    """Let each half of the batches choose and the other one judge; None if it cannot be told."""
    n, count, _ = products.shape
    halves = [np.arange(0, count, 2), np.arange(1, count, 2)]
    moments = [measured_moments(products[:, half][:, :, half]) for half in halves]
    if not has_mean:
        for s, nu in moments:
            s[0] = nu[0] = 0.0
    tried = [
        (length, Metric.of_length(length, derivative_order=order, boundary=boundary))
        for order in (1, 2)
        for length in lengths(n)
    ]
    factors = [1 / eigenvalues(metric, n) for _, metric in tried]
    gains, flat, stopped = [], [], []
    for one, other in (moments, moments[::-1]):
        if not (np.maximum(one[0], 0).sum() > 0):
            return None
        raw = held_out_risk(np.ones(n), one, other)
        if raw <= 0:
            return None
        at = min(range(len(tried)), key=lambda i: held_out_risk(factors[i], one, one))
        gains.append(1 - held_out_risk(factors[at], one, other) / raw)
        flat.append(1 - held_out_risk(_flat(one), one, other) / raw)
        stopped.append(_stopping_gain(tried[at][1], one, other, training_batches))
    whole = measured_moments(products)
    if not has_mean:
        whole[0][0] = whole[1][0] = 0.0
    length, metric = min(
        zip(tried, factors, strict=True), key=lambda pair: held_out_risk(pair[1], whole, whole)
    )[0]
    return Prediction(
        metric, length, float(np.mean(gains)), abs(gains[0] - gains[1]) / 2,
        float(np.mean(flat)), float(np.mean(stopped)),
    )  # fmt: skip


def _flat(moments: tuple[Array, Array]) -> Array:
    """Return the factors of the best re-weighted H⁰ metric, up to a scale (theorem 14)."""
    s, nu = ([m[0], m[1:].sum()] for m in np.maximum(moments, 0.0))
    own, rest = best_factors(s, nu)
    factors = np.full(len(moments[0]), rest)
    factors[0] = own
    return factors if factors.any() else np.ones(len(factors))


def mean_weight(signal: Array, noise: Array) -> float | None:
    """Return λ* = s₀(n₁ + s₁)/(s₁(n₀ + s₀)), or None where a factor cannot be told."""
    s0, s1 = float(signal[0]), float(signal[1:].mean())
    n0, n1 = float(noise[0]), float(noise[1:].mean())
    if min(s0, s1) <= 0 or min(n0, n1) < 0:
        return None
    return (s0 / s1) * ((n1 + s1) / (n0 + s0))  # products of tiny moments would underflow


def _stopping_gain(
    metric: Metric, chosen: tuple[Array, Array], judged: tuple[Array, Array], training: int
) -> float:
    """Return what stopping early in the metric gains over stopping early without (theorem 16)."""

    def risk_at(metric: Metric, moments: tuple[Array, Array], time: float) -> float:
        s, nu = moments
        kappa = early_stopping(metric, len(s), time)
        return float(mode_risk(kappa, s, nu / training).sum())

    times = np.geomspace(1e-3, 1e3, 121).tolist()
    own, plain = (
        risk_at(one, judged, min(times, key=partial(risk_at, one, chosen)))
        for one in (metric, Metric.l2())
    )
    return 1 - own / plain if plain > 0 else math.nan
