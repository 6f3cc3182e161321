"""Extreme weights, lengths and values: within theorem 7's bound, and no sum overflows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

import cdg_torch
from cdg_theory import Metric, discrete
from cdg_theory.certificates.draws import KINDS, draw_column
from cdg_theory.rounding.formats import FORMATS, FloatFormat
from tests.deep.calls import DTYPES, columns_of
from tests.deep.figures import Figure, Report, judged, timed
from tests.deep.judge import Judge

Array = NDArray[np.float64]
Case = TypeVar("Case")

WEIGHTS = (1e-12, 1e-6, 1.0, 1e6, 1e12)
BOUNDARIES, SPACINGS = ("natural", "periodic"), ("normalized", "unit")
BACKENDS = ("reference", "cpu")
LENGTHS = (1, 2, 3, 17, 64)
LONGEST = 100_000
LONG = (
    Metric(1.0, 10.0, 0.0),
    Metric(1.0, 0.0, 1.0),
    Metric(1.0, 0.0, 1.0, boundary="periodic", spacing="unit"),
    Metric(1.0, 1.0, 0.1),
    Metric(1.0, 1e-12, 1e12, boundary="periodic"),
    Metric(1e-6, 1e-9, 1e3, spacing="unit"),
)


@dataclass(slots=True)
class _Findings:
    """What was judged, and the worst of it."""

    judged: int = 0
    share: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, share: float, words: str) -> None:
        self.judged += 1
        if share > 1:
            self.wrong.append(words)
        else:
            self.share = max(self.share, share)

    def figure(self, promise: str, what: str, seconds: float) -> Figure:
        found = f"{self.judged:,} {what}; worst {self.share:.2f} of the bound"
        return judged("edges", promise, found, self.wrong, seconds)


def _sample(cases: Iterable[Case], effort: float, least: int, seed: int) -> list[Case]:
    """Return a share of the cases, drawn."""
    every = list(cases)
    chosen = np.random.default_rng(seed).permutation(len(every))
    return [every[i] for i in chosen[: max(least, int(len(every) * min(effort, 1.0)))]]


def _columns(n: int, fmt: FloatFormat, rng: np.random.Generator) -> Array:
    """Return one column of every kind, and zeros, subnormal numbers, and 60 decades at once."""
    least = fmt.smallest_subnormal
    # The result must not meet the ends of float64; `_ends` does.
    decades = min(30.0, 0.4 * (fmt.max_exp * np.log10(2)))
    columns = [
        *(draw_column(kind, n, fmt, rng) for kind in KINDS),
        least * rng.integers(-3, 4, n),
        rng.standard_normal(n) * 10.0 ** rng.uniform(-decades, decades, n),
    ]
    return fmt.round(np.stack(columns, axis=1))


def _transformed(g: Array, metric: Metric, dtype: str, backend: str) -> Array:
    tensor = torch.from_numpy(g.copy()).to(DTYPES[dtype])
    with cdg_torch.backend(backend):  # type: ignore[arg-type]
        return columns_of(cdg_torch.riemannian_gradient(tensor, metric), 0, 1)


def _judge_all(found: _Findings, g: Array, metric: Metric, dtype: str) -> None:
    judge = Judge(g, metric, dtype, np.arange(g.shape[1]))
    zero = np.abs(g).max(axis=0) == 0
    for backend in BACKENDS:
        k = _transformed(g, metric, dtype, backend)
        sharp = backend == "reference" or dtype == "float64"
        verdict = judge.verdict(k, sharp=sharp)
        # Zeros stay zeros, whatever the bound allows.
        share = np.inf if k[:, zero].any() else verdict.share
        found.add(share, f"{backend}, {dtype}, n = {len(g)}, {metric}: {verdict}")


def _grid() -> Iterator[Metric]:
    """Yield every weight of the list, and no weight, beside every other; some with a curvature."""
    for mean, beta, gamma in product(WEIGHTS, (0.0, *WEIGHTS), (0.0, *WEIGHTS)):
        ends = product(BOUNDARIES, SPACINGS) if gamma else [("natural", "unit")]
        for boundary, spacing in ends:
            if beta or gamma:
                yield Metric(mean, beta, gamma, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]
    for beta, gamma, delta in product((0.0, *WEIGHTS), (0.0, *WEIGHTS), WEIGHTS[::2]):
        for boundary, spacing in product(BOUNDARIES, SPACINGS):
            yield Metric(1.0, beta, gamma, delta, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]


def _weights(effort: float, report: Report) -> Figure:
    found, rng = _Findings(), np.random.default_rng(0)
    cases = _sample(product(_grid(), DTYPES), effort, 12, 0)
    with timed() as seconds:
        for done, (metric, dtype) in enumerate(cases):
            n = LENGTHS[done % len(LENGTHS)]
            _judge_all(found, _columns(n, FORMATS[dtype], rng), metric, dtype)
            report("weights", done, len(cases))
    return found.figure(
        "Each weight from 1e-12 to 1e12 beside each other, or absent: every entry is within "
        "theorem 7's bound, of constant, zero, subnormal and mixed columns too, in every type; "
        "zeros stay zeros",
        f"results of {len(cases):,} metrics and types",
        seconds(),
    )


def _lengths(effort: float, report: Report) -> Figure:
    found = _Findings()
    n = max(300, int(LONGEST * min(effort, 1.0)))
    rng = np.random.default_rng(1)
    with timed() as seconds:
        for done, metric in enumerate(LONG):
            for dtype in ("float64", "float32"):
                fmt = FORMATS[dtype]
                kinds = ("random", "nearly-constant", "ramp", "mixed")
                g = np.stack([draw_column(kind, n, fmt, rng) for kind in kinds], axis=1)
                _judge_all(found, g, metric, dtype)
            report("long columns", done, len(LONG))
    return found.figure(
        f"The same with {n:,} output channels",
        f"results of {len(LONG)} metrics, {n:,} rows",
        seconds(),
    )


def _ends(effort: float, report: Report) -> Figure:
    """Near the largest and the smallest float64: columns of order one, times a power of two.

    The map is linear and the factor exact: the result is judged at order one, and must be that
    times the factor, rounded once, bit for bit.
    """
    found, rng, fmt = _Findings(), np.random.default_rng(2), FORMATS["float64"]
    metrics = [
        Metric(mean, beta, gamma, boundary=boundary)  # type: ignore[arg-type]
        for mean, beta, gamma in product((1e-6, 1.0), (0.0, 1.0, 1e6), (0.0, 1e-6, 1.0))
        for boundary in BOUNDARIES
        if beta or gamma
    ]
    exponents = (1023, 1022, 1000, -500, -1000, -1021, -1040, -1060)
    cases = _sample(product(metrics, exponents, (2, 5, 64)), effort, 24, 2)
    transforms: dict[str, Callable[[Array, Metric], Array]] = {
        **{name: partial(_transformed, dtype="float64", backend=name) for name in BACKENDS},
        "NumPy": discrete.riemannian_gradient,
    }
    with timed() as seconds, np.errstate(over="ignore"):
        for done, (metric, exponent, n) in enumerate(cases):
            drawn = np.stack([draw_column(kind, n, fmt, rng) for kind in KINDS], axis=1)
            # Order one at most, and as many digits as are left.
            largest = np.abs(drawn).max(axis=0)
            g = np.ldexp(drawn / np.where(largest > 0, 2 * largest, 1.0), exponent + 1)
            unit = np.ldexp(g, -exponent)
            judge = Judge(unit, metric, "float64", np.arange(unit.shape[1]))
            for name, transform in transforms.items():
                k = transform(unit, metric)
                same = np.array_equal(transform(g, metric), np.ldexp(k, exponent))
                verdict = judge.verdict(k, sharp=True)
                words = f"{name}, n = {n}, times 2^{exponent}, {metric}: {verdict}, same: {same}"
                found.add(verdict.share if same else np.inf, words)
            report("ends of float64", done, len(cases))
    return found.figure(
        "float64 columns from 1e-319 to the largest number: no sum on the way overflows or loses "
        "digits; a result is infinite only where float64 cannot hold the exact one",
        "results",
        seconds(),
    )


def _products(effort: float, report: Report) -> Figure:
    r"""Mk of :func:`cdg_torch.apply_metric`, against rational numbers.

    With the mean and the rest from two passes, :math:`|\delta\bar k|\le(n+3)u\,\overline{|k|}`, and
    no number goes through more than ten roundings: two in a difference and its weight, three in
    sums, as many again with a curvature, for Lk. So 10u times the sum of the moduli, and what is
    wrong with the mean times α + β, and the last rounding.
    """
    found, rng = _Findings(), np.random.default_rng(3)
    cases = _sample(product(_grid(), DTYPES), effort / 2, 12, 3)
    with timed() as seconds:
        for done, (metric, dtype) in enumerate(cases):
            n, fmt = LENGTHS[done % len(LENGTHS)], FORMATS[dtype]
            k = _columns(n, fmt, rng)[:, ::3]
            tensor = torch.from_numpy(k.copy()).to(DTYPES[dtype])
            got = columns_of(cdg_torch.apply_metric(tensor, metric), 0, 1)
            share = max(
                _product_share(got[:, j].tolist(), k[:, j], metric, fmt) for j in range(k.shape[1])
            )
            found.add(share, f"{dtype}, n = {n}, {metric}: {share:.3g}")
            report("products with M", done, len(cases))
    return found.figure(
        "Mk with the same weights: within 10 roundings of each term, n of the mean, one at the end",
        "results",
        seconds(),
    )


def _product_share(got: list[float], k: Array, metric: Metric, fmt: FloatFormat) -> float:
    n, u = len(k), Fraction(2) ** -53
    alpha, beta, gamma = map(Fraction, (metric.mean, metric.fluctuation, metric.derivative))
    s = n * n if metric.spacing == "normalized" else 1
    c, d = gamma * s, Fraction(metric.curvature) * s * s
    top = (Fraction(2) - Fraction(2) ** -fmt.precision) * Fraction(2) ** fmt.max_exp
    x = np.array([Fraction(value) for value in k])
    mean, moduli = x.sum() / n, abs(x).sum() / n
    exact = alpha * mean + beta * (x - mean)
    size = alpha * abs(mean) + beta * (abs(x) + abs(mean))
    edges = range(n if metric.boundary == "periodic" else n - 1) if n > 1 else ()
    ends = [pair for i in edges for pair in ((i, (i + 1) % n), ((i + 1) % n, i))]
    bent, moved = 0 * x, 0 * x
    for one, other in ends:
        bent[one] += x[one] - x[other]
        moved[one] += abs(x[one]) + abs(x[other])
    exact, size = exact + c * bent, size + c * moved
    for one, other in ends:
        exact[one] += d * (bent[one] - bent[other])
        size[one] += d * (moved[one] + moved[other])
    allowed = 10 * u * size + (n + 3) * u * (alpha + beta) * moduli
    # float64 to the half types goes by way of float32, subnormal numbers too.
    if fmt.precision < 24:
        allowed += Fraction(2) ** -24 * abs(exact) + Fraction(2) ** -149
    worst = 0.0
    for value, right, room in zip(got, exact, allowed, strict=True):
        exponent = max(int(np.frexp(float(abs(right) + room))[1]) - 1, fmt.min_exp)
        room = room + Fraction(2) ** (exponent - fmt.precision)
        if np.isfinite(value):
            worst = max(worst, float(abs(Fraction(value) - right) / room))
        elif np.isnan(value) or abs(right) + room < top or (right > 0) != (value > 0):
            return np.inf
    return worst


def run(*, effort: float, report: Report) -> list[Figure]:
    """Judge extreme weights, long columns, both ends of float64, and products with M."""
    return [part(effort, report) for part in (_weights, _lengths, _ends, _products)]
