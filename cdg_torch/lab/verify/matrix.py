r"""The cases to certify: torch paths × metrics × dtypes × layouts × numbers of output channels.

Each is certified by :func:`cdg_theory.certify`: drawn gradients, the
exact solution, theorem 7's bound.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.certificates import Certificate, Finding, examine
from cdg_theory.discrete import eigenvalues
from cdg_theory.rounding import float_format
from cdg_torch.lab.verify.paths import DTYPES, PATHS, Path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Columns per case: two of each kind of gradient, and a multiple of four for channels_last.
COLUMNS = 20

#: Numbers of output channels of a quick run.
QUICK = (1, 3, 64)

#: Besides theorem 7's bound: the error allowed on any drawn gradient, in ulp of the largest entry.
FIGURES = {"float32": 8.0, "bfloat16": 1.0, "float16": 1.0}

#: Several metrics for every kind of kernel (:func:`kernel`); with a curvature: alone, with β, with
#: γ, both, with complex, double and real roots, and with weights over 24 orders of magnitude.
METRICS: dict[str, Metric] = {
    "L²": Metric.l2(),
    "2 L²": Metric(2.0, 2.0),
    "H⁰ λ=10": Metric.reweighted_h0(10.0),
    "H⁰ λ=0.1, α=2": Metric(2.0, 0.1, 0.0),
    "Sobolev λ=0.11": Metric.sobolev(0.11),
    "Sobolev λ=0.11 periodic": Metric.sobolev(0.11, boundary="periodic"),
    "Sobolev λ=50 unit": Metric.sobolev(50.0, spacing="unit"),
    "H¹ λ=0.1": Metric.ordinary_sobolev(0.1),
    "H¹ λ=2 periodic unit": Metric.ordinary_sobolev(2.0, boundary="periodic", spacing="unit"),
    "(0.5, 3, 2) unit": Metric(0.5, 3.0, 2.0, spacing="unit"),
    "(1, 1e-12, 10)": Metric(1.0, 1e-12, 10.0),
    "(1, 1e-12, 10) periodic": Metric(1.0, 1e-12, 10.0, boundary="periodic"),
    "(3, 1e-12, 1e12)": Metric(3.0, 1e-12, 1e12),
    "(1, 1e6, 1e-6) periodic": Metric(1.0, 1e6, 1e-6, boundary="periodic"),
    "biharmonic λ=0.01": Metric.biharmonic(0.01),
    "biharmonic λ=0.01 periodic": Metric.biharmonic(0.01, boundary="periodic"),
    "spline λ=0.1": Metric.spline(0.1),
    "spline λ=2 periodic unit": Metric.spline(2.0, boundary="periodic", spacing="unit"),
    "(1, 0, 2, 1) unit": Metric(1.0, 0.0, 2.0, 1.0, spacing="unit"),
    "(2, 1, 2, 1) unit": Metric(2.0, 1.0, 2.0, 1.0, spacing="unit"),
    "(1, 1, 5, 0.01) periodic": Metric(1.0, 1.0, 5.0, 0.01, boundary="periodic"),
    "(3, 1e-12, 0, 1e12)": Metric(3.0, 1e-12, 0.0, 1e12),
    "(1, 1e6, 1e-6, 1e-12) periodic": Metric(1.0, 1e6, 1e-6, 1e-12, boundary="periodic"),
}


def kernel(metric: Metric) -> str:
    """Return which kind of kernel serves a metric: what it computes, and on which ends."""
    if metric.is_multiple_of_l2:
        return "scaling"
    if not metric.derivative_order:
        return "pull"
    first = "sweeps" if metric.fluctuation else "sums"
    return f"{'pairs' if metric.derivative_order == 2 else first}, {metric.boundary}"


@dataclass(frozen=True, slots=True)
class Layout:
    """How an (n, columns) matrix lies in a tensor: there, and back."""

    name: str
    pack: Callable[[Tensor], Tensor]
    unpack: Callable[[Tensor], Tensor]
    dim: int = 0
    groups: int = 1


def _sliced(g: Tensor) -> Tensor:
    holder = torch.full((g.shape[0], 2 * g.shape[1]), torch.nan, dtype=g.dtype)
    holder[:, ::2] = g
    return holder[:, ::2]


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("contiguous", lambda g: g.contiguous(), lambda k: k),
        Layout("axis 1", lambda g: g.T.contiguous(), lambda k: k.T, dim=1),
        Layout("transposed", lambda g: g.T.contiguous().T, lambda k: k),
        Layout(
            "channels_last",
            lambda g: g.reshape(len(g), -1, 2, 2).to(memory_format=torch.channels_last),
            lambda k: k.reshape(len(k), -1),
        ),
        Layout("every other", _sliced, lambda k: k),
        Layout(
            "two groups",
            lambda g: torch.cat(g.chunk(2, dim=1), dim=0),
            lambda k: torch.cat(k.chunk(2, dim=0), dim=1),
            groups=2,
        ),
    )
}


def holds_digits(metric: Metric, n: int, kind: str, room: float) -> bool:
    r"""Return whether float64 inside leaves k of a kind right to ``room``, relatively.

    float64 knows the numbers that k is made of to :math:`2^{-52}`, and :math:`M^{-1}` magnifies
    their errors by at most :math:`1/\lambda_1`, the smallest eigenvalue's on vectors of mean zero.
    4n of them are counted; measured were up to 2.5n, with constants known beforehand. The
    alternating gradient is divided by the largest eigenvalue, and one that is (nearly) constant by
    α: the rule is :math:`4n2^{-52}/\lambda_1\le\mathrm{room}/\lambda`, λ being that divisor. Of the
    other kinds much more is left, for the metrics of this module.
    """
    _, *spectrum = eigenvalues(metric, n).tolist()
    divisors = {"constant": metric.mean, "nearly-constant": metric.mean}
    divisors["alternating"] = max(spectrum, default=0.0)
    magnified = 4 * n * 2.0**-52 * divisors.get(kind, 0.0)
    return magnified <= room * min(spectrum, default=math.inf)


@dataclass(frozen=True, slots=True)
class Case:
    """Path, metric, n, dtype and layout of one certificate, as keys of this module's tables."""

    path: str
    metric: str
    n: int
    dtype: str
    layout: str

    def __str__(self) -> str:
        return f"{self.path}, {self.metric}, n = {self.n}, {self.dtype}, {self.layout}"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case, its certificate, and how long it took."""

    case: Case
    certificate: Certificate
    seconds: float

    def figure(self, kind: str) -> float:
        """Return the error allowed besides theorem 7's bound, in ulp of the largest entry.

        Stored in float32 or narrower: the same for every drawn gradient, since float64 inside
        leaves the last rounding and next to nothing. In float64: n on normal deviates, 8n with a
        curvature, which is measured, not derived (on this module's rows no more than n and 4.3n).
        On other kinds k can be far smaller than the numbers that it is made of; there the bound
        says all. So it does with a curvature where float64 cannot hold k (:func:`holds_digits`).
        """
        metric, n = METRICS[self.case.metric], self.case.n
        curved = metric.derivative_order == 2
        if self.case.dtype not in FIGURES:
            return (8 * n if curved else n) if kind == "random" else math.inf
        figure = FIGURES[self.case.dtype]
        room = (figure - 0.5) * 2 * float_format(self.case.dtype).unit_roundoff
        return figure if not curved or holds_digits(metric, n, kind, room) else math.inf

    @property
    def failures(self) -> list[Finding]:
        """The findings that break theorem 7's bound or the figure for dtype and kind."""
        return [
            finding
            for finding in self.certificate.findings
            if not (finding.holds and finding.max_ulp <= self.figure(finding.kind))
        ]

    @property
    def holds(self) -> bool:
        """Whether no finding fails."""
        return not self.failures


def solver(path: Path, metric: Metric, dtype: str, layout: Layout) -> Callable[[Any], Any]:
    """Return a NumPy solver around a torch transform, for :func:`cdg_theory.certify`."""

    def solve(g: NDArray[Any]) -> NDArray[np.float64]:
        tensor = layout.pack(torch.from_numpy(g).to(DTYPES[dtype]))
        k = path.transform(tensor, metric, layout.dim, layout.groups)
        return layout.unpack(k).to(torch.float64).numpy()

    return solve


def _wanted(case: Case, *, quick: bool) -> bool:
    """Whether a case is worth its time."""
    path, contiguous = PATHS[case.path], case.layout == "contiguous"
    if quick:
        # Every path, kind of kernel and dtype once; every layout, and one row, in float32 only.
        longest = max(n for n in QUICK if path.sizes is None or n in path.sizes)
        if case.dtype == "float32":
            return contiguous or case.n == QUICK[1]
        return contiguous and case.n == longest
    if METRICS[case.metric].derivative_order == 2 and case.n > 1024:
        # The bound over pairs is quadratic in n: the half types are looked at up to 1024.
        return contiguous and case.dtype in ("float64", "float32")
    # Nor do the longest columns need a second look at the layout, nor a slow interpreter.
    return contiguous or case.n <= (64 if path.sizes is None else 3)


def cases(*, quick: bool = False) -> list[Case]:
    """Return the cases to certify on this machine: all of them, or one of each kind."""
    sizes = QUICK if quick else (1, 2, 3, 5, 16, 33, 64, 257, 1024, 4096)
    first = {kernel(metric): name for name, metric in reversed(METRICS.items())}
    metrics = [name for name in METRICS if not quick or name in first.values()]
    paths = [path for path in PATHS.values() if path.missing() is None]
    # What changes last is what has its questions in common.
    return [
        case
        for metric, n, dtype in itertools.product(metrics, sizes, DTYPES)
        for path, layout in itertools.product(paths, LAYOUTS)
        if path.serves(dtype)
        and n >= path.least
        and (path.sizes is None or n in path.sizes)
        and _wanted(case := Case(path.name, metric, n, dtype, layout), quick=quick)
    ]


# One examination for all paths and layouts; two, where the paths' bounds differ.
_examine = lru_cache(maxsize=4)(examine)


def run_cases(chosen: list[Case]) -> Iterator[CaseResult]:
    """Certify one case after the other."""
    for case in chosen:
        metric, path = METRICS[case.metric], PATHS[case.path]
        start = time.perf_counter()
        examination = _examine(
            metric,
            case.n,
            columns=COLUMNS,
            dtype=case.dtype,
            algorithm=path.algorithm(case.dtype),
        )
        certificate = examination.judge(solver(path, metric, case.dtype, LAYOUTS[case.layout]))
        yield CaseResult(case, certificate, time.perf_counter() - start)
