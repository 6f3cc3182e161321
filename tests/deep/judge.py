"""How far a result is from the exact gradient in the metric, and how far theorem 7 lets it be."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdg_theory import Metric
from cdg_theory.certificates.oracle import Enclosure, enclose_gradient
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS
from cdg_theory.rounding.functionals import functional_error_bound
from tests.tools.exact_oracle import exact_gram, rational

Array = NDArray[np.float64]


class Verdict(NamedTuple):
    """The entry of a result that is closest to its bound, or furthest beyond it, in words.

    ``share`` is its error as a fraction of the bound; ``ulp`` the largest error in units of the
    storage type's last place at the largest entry of the column.
    """

    share: float
    ulp: float
    words: str = "nothing to judge"

    @property
    def holds(self) -> bool:
        """Whether every entry is within its bound."""
        return self.share <= 1

    def __str__(self) -> str:
        return f"{self.words}, {self.share:.3g} of the bound"


class Judge:
    """Knows one gradient, some of its columns exactly, and what rounding may do to all of them."""

    def __init__(self, g: Array, metric: Metric, dtype: str, columns: Array) -> None:
        self.g, self.metric, self.dtype = g, metric, dtype
        self.columns = columns
        self._closing = forward_error_bound(g, metric, dtype=dtype).bound
        self.exact: Enclosure = enclose_gradient(
            g[:, columns], metric, self._closing[:, columns].min(axis=0) * 2.0**-20
        )
        fmt = FORMATS[dtype]
        # From here on a number rounds to infinity.
        self.top = (2.0 - 2.0**-fmt.precision) * 2.0**fmt.max_exp

    @cached_property
    def _functionals(self) -> Array:
        return functional_error_bound(self.g, self.metric, dtype=self.dtype).bound

    def bound(self, *, sharp: bool) -> Array:
        """Return theorem 7's bound: of sweeps that close themselves, or the wider one."""
        return self._closing if sharp else self._functionals

    def rational_solution_agrees(self) -> bool:
        """Whether a dense solve in rational numbers lies in the enclosure: another oracle."""
        import flint

        n, count = len(self.g), len(self.columns)
        entries = [rational(x) for x in self.g[:, self.columns].ravel()]
        # γs and δs² are not rounded, other than in the library.
        k = exact_gram(self.metric, n, rounded=False).solve(flint.fmpq_mat(n, count, entries))
        scaled = flint.fmpq(2) ** self.exact.scale
        return all(
            abs(k[i, j] * scaled - int(self.exact.center[i, j])) <= int(self.exact.radius[j])
            for i in range(n)
            for j in range(count)
        )

    def verdict(self, k: Array, *, sharp: bool, rounds: bool = True) -> Verdict:
        """Judge the columns that are known exactly of a result for all columns.

        ``sharp``: the sweeps close themselves. ``rounds`` is False for arithmetic that cuts 16-bit
        results instead of rounding them: as much again as the last rounding is allowed.
        """
        # The sharper bound first: it is the cheaper one, and most often it suffices.
        for tight in (True, False):
            if tight or not sharp:
                found = self._compare(k, self.bound(sharp=tight), rounds=rounds)
                if found.holds:
                    return found
        return found

    def _compare(self, k: Array, bound: Array, *, rounds: bool) -> Verdict:
        scale = self.exact.scale
        worst, ulp = Verdict(0.0, 0.0), 0.0

        def words(row: int, column: int, exact: int, got: float) -> str:
            return f"row {row}, column {column}: expected {_ratio(exact, scale)!r}, got {got!r}"

        for place, column in enumerate(self.columns):
            center = self.exact.center[:, place].tolist()
            radius = int(self.exact.radius[place])
            unit = self._last_place(max(map(abs, center)))
            for row, (exact, got) in enumerate(zip(center, k[:, column].tolist(), strict=True)):
                allowed = float(bound[row, column])
                if not rounds:
                    allowed += 0.5 * self._last_place(abs(exact))
                if not np.isfinite(got):
                    # The exact number must be too large, on the right side.
                    reach = _ratio(abs(exact) + radius, scale) + allowed
                    if np.isnan(got) or reach < self.top or (exact > 0) != (got > 0):
                        return Verdict(np.inf, np.inf, words(row, column, exact, got))
                    continue
                error = _ratio(_distance(got, exact, scale) + radius, scale)
                ulp = max(ulp, error / unit)
                share = error / allowed if allowed else (0.0 if error == 0 else np.inf)
                if share > worst.share:
                    worst = Verdict(share, ulp, words(row, column, exact, got))
        return worst._replace(ulp=ulp)

    def _last_place(self, size: int) -> float:
        """Return the unit in the last place, in the storage type, of an exact number."""
        exponent = size.bit_length() - 1 - self.exact.scale if size else -9999
        return 2.0 ** max(FORMATS[self.dtype].ulp_exponent(exponent), -1074)

    def agree(self, k: Array, other: Array, *, sharp: bool, rounds: bool = True) -> bool:
        """Whether two results differ by no more than both bounds allow, in every column.

        ``other`` comes from the sharp sweeps. The columns need not be known exactly.
        """
        # Where one of them is infinite, the other one is too, or all but.
        one, two = (np.clip(x, -self.top, self.top) for x in (k, other))
        more = 0.0
        if not rounds:
            fmt = FORMATS[self.dtype]
            exponents = np.maximum(np.frexp(other)[1], fmt.min_exp) - fmt.precision + 1
            more = np.ldexp(0.5, exponents)
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.where(one == two, 0.0, np.abs(one - two)) - more
        return any(
            bool((difference <= self._closing + self.bound(sharp=tight)).all())
            for tight in ((True,) if sharp else (True, False))
        )


def _ratio(integer: int, scale: int) -> float:
    """Return integer / 2**scale, correctly rounded, infinite where too large."""
    try:
        return integer / (1 << scale)
    except OverflowError:
        return np.inf


def _distance(value: float, exact: int, scale: int) -> int:
    """Return |value·2**scale − exact|, rounded up."""
    numerator, denominator = value.as_integer_ratio()
    return -(-abs((numerator << scale) - exact * denominator) // denominator)
