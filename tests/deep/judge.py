"""How far a result is from the exact gradient in the metric, and how far theorem 7 lets it be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdg_theory import Metric
from cdg_theory.certificates.oracle import Enclosure, enclose_gradient
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS
from cdg_theory.rounding.functionals import functional_error_bound
from tests.tools.exact_oracle import exact_gram, rational

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The entry of a result that is closest to its bound, or furthest beyond it.

    ``share`` is the error as a fraction of the bound; ``ulp`` the largest error in units of the
    storage type's last place at the largest entry of the column.
    """

    share: float
    ulp: float
    row: int = 0
    column: int = 0
    expected: float = 0.0
    got: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether every entry is within its bound."""
        return self.share <= 1

    def __str__(self) -> str:
        return (
            f"row {self.row}, column {self.column}: expected {self.expected!r}, got {self.got!r}, "
            f"{self.share:.3g} of the bound"
        )


class Judge:
    """Knows one gradient, some of its columns exactly, and what rounding may do to all of them."""

    def __init__(self, g: Array, metric: Metric, dtype: str, columns: Array) -> None:
        self.g, self.metric, self.dtype = g, metric, dtype
        self.columns = columns
        self._closing = forward_error_bound(g, metric, dtype=dtype).bound
        self._functionals: Array | None = None
        self.exact: Enclosure = enclose_gradient(
            g[:, columns], metric, self._closing[:, columns].min(axis=0) * 2.0**-20
        )
        fmt = FORMATS[dtype]
        # From here on a number rounds to infinity.
        self.top = (2.0 - 2.0**-fmt.precision) * 2.0**fmt.max_exp

    def bound(self, *, sharp: bool) -> Array:
        """Return theorem 7's bound: of sweeps that close themselves, or the wider one."""
        if sharp:
            return self._closing
        if self._functionals is None:
            wide = functional_error_bound(self.g, self.metric, dtype=self.dtype)
            self._functionals = wide.bound
        return self._functionals

    def rational_solution_agrees(self) -> bool:
        """Whether a dense solve in rational numbers lies in the enclosure: another oracle."""
        import flint

        n, count = len(self.g), len(self.columns)
        entries = [rational(x) for x in self.g[:, self.columns].ravel()]
        # γs is not rounded, other than in the library.
        c = rational(self.metric.derivative) * (n * n if self.metric.spacing == "normalized" else 1)
        k = exact_gram(self.metric, n, c).solve(flint.fmpq_mat(n, count, entries))
        scaled = flint.fmpq(2) ** self.exact.scale
        return all(
            abs(k[i, j] * scaled - int(self.exact.center[i, j])) <= int(self.exact.radius[j])
            for i in range(n)
            for j in range(count)
        )

    def verdict(self, k: Array, *, sharp: bool, rounds: bool = True) -> Verdict:
        """Judge the columns that are known exactly.

        Parameters
        ----------
        k
            The result for all columns.
        sharp
            Whether the sweeps close themselves.
        rounds
            False for arithmetic that cuts 16-bit results instead of rounding them: as much again
            as the last rounding is allowed.
        """
        # The sharper bound first: it is the cheaper one, and most often it suffices.
        for tight in (True, False):
            if tight or not sharp:
                found = self._compare(k, self.bound(sharp=tight), rounds=rounds)
                if found.holds:
                    return found
        return found

    def _compare(self, k: Array, bound: Array, *, rounds: bool) -> Verdict:
        fmt, scale = FORMATS[self.dtype], self.exact.scale
        worst, ulp = Verdict(0.0, 0.0), 0.0
        for place, column in enumerate(self.columns):
            center = self.exact.center[:, place].tolist()
            radius = int(self.exact.radius[place])
            size = max(map(abs, center))
            exponent = size.bit_length() - 1 - scale if size else -9999
            unit = 2.0 ** max(fmt.ulp_exponent(exponent), -1074)
            for row, (exact, got) in enumerate(zip(center, k[:, column].tolist(), strict=True)):
                allowed = float(bound[row, column])
                if not rounds:
                    own = abs(exact).bit_length() - scale
                    allowed += 0.5 * 2.0 ** max(fmt.ulp_exponent(own), -1074)
                if np.isnan(got):
                    return Verdict(np.inf, np.inf, row, column, _ratio(exact, scale), got)
                if np.isinf(got):
                    # The exact number must be too large, on the right side.
                    reach = _ratio(abs(exact) + radius, scale) + allowed
                    right = reach >= self.top and (exact > 0) == (got > 0)
                    if not right:
                        return Verdict(np.inf, np.inf, row, column, _ratio(exact, scale), got)
                    continue
                error = _ratio(_distance(got, exact, scale) + radius, scale)
                ulp = max(ulp, error / unit)
                share = error / allowed if allowed else (0.0 if error == 0 else np.inf)
                if share > worst.share:
                    worst = Verdict(share, ulp, row, column, _ratio(exact, scale), got)
        return Verdict(worst.share, ulp, worst.row, worst.column, worst.expected, worst.got)

    def agree(self, k: Array, other: Array, *, sharp: bool, rounds: bool = True) -> float:
        """Return the largest difference of two results, as a share of what both bounds allow.

        Of all columns, for they need not be known exactly. ``other`` comes from the sharp sweeps.
        """
        shares = []
        for tight in (True, False):
            if tight or not sharp:
                allowed = self._closing + self.bound(sharp=tight)
                if not rounds:
                    fmt = FORMATS[self.dtype]
                    exponents = np.maximum(np.frexp(other)[1], fmt.min_exp) - fmt.precision + 1
                    allowed = allowed + np.ldexp(0.5, exponents)
                shares.append(self._largest_share(k, other, allowed))
                if shares[-1] <= 1:
                    break
        return shares[-1]

    def _largest_share(self, k: Array, other: Array, allowed: Array) -> float:
        finite = np.isfinite(k) & np.isfinite(other)
        # Where one of them is infinite, the other one is too, or all but.
        edge = np.where(finite, 0.0, self.top - allowed)
        clipped = [np.clip(x, -self.top, self.top) for x in (k, other)]
        if np.isnan(k).any() or np.isnan(other).any():
            return np.inf
        beyond = (np.minimum(*map(np.abs, clipped)) < edge) | (~finite & (k * other < 0))
        if beyond.any():
            return np.inf
        difference = np.abs(clipped[0] - clipped[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(difference == 0, 0.0, difference / allowed)
        return float(share.max(initial=0.0))


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
