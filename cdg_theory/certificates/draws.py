r"""The gradients that a certificate tries: families named after what they make hard.

===================  =========================================================================
kind                 column
===================  =========================================================================
``random``           normal deviates
``nearly-constant``  a large mean, and a fluctuation near the last bits: the mean must go first
``constant``         k = g/α exactly
``ramp``             the slowest mode: the running sums grow as large as they can
``telescoping``      pairs that cancel, scaled over six decades: sums that come back to almost 0
``alternating``      the fastest mode: k is small, and so is what cancels to give it
``one-hot``          a column of M⁻¹: first row, last row or any other
``mixed``            magnitudes over many decades
``zero``             k = 0: nothing may be divided by the size of the column
===================  =========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cdg_theory.rounding.formats import FloatFormat

    Column = NDArray[np.float64]


def _random(rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    return rng.standard_normal(n)


def _nearly_constant(rng: np.random.Generator, n: int, fmt: FloatFormat) -> Column:
    # A few hundred ulp (a few, in the half types) of fluctuation on top of the mean.
    size = 2.0 ** -max(fmt.precision - 8, fmt.precision // 2)
    return rng.uniform(1.0, 2.0) * (1 + size * rng.standard_normal(n))


def _constant(rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    return np.full(n, rng.standard_normal())


def _ramp(rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    column: Column = np.cos(np.pi * (np.arange(n) + rng.uniform(0, 1)) / n)
    return rng.uniform(0.5, 2.0) * column


def _telescoping(rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    heights = rng.standard_normal(n + 1) * 10.0 ** rng.uniform(-3, 3, n + 1)
    return np.diff(heights)


def _alternating(rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    signs: Column = np.resize([1.0, -1.0], n)
    return rng.uniform(0.5, 2.0) * signs


def _one_hot(rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    column = np.zeros(n)
    column[rng.choice(np.array([0, n - 1, rng.integers(n)]))] = rng.uniform(0.5, 2.0)
    return column


def _mixed(rng: np.random.Generator, n: int, fmt: FloatFormat) -> Column:
    decades = min(12.0, 0.1 * (fmt.max_exp - fmt.min_exp) * np.log10(2))
    return rng.standard_normal(n) * 10.0 ** rng.uniform(-decades, decades, n)


def _zero(_rng: np.random.Generator, n: int, _fmt: FloatFormat) -> Column:
    return np.zeros(n)


KINDS: dict[str, Callable[[np.random.Generator, int, FloatFormat], Column]] = {
    "random": _random,
    "nearly-constant": _nearly_constant,
    "constant": _constant,
    "ramp": _ramp,
    "telescoping": _telescoping,
    "alternating": _alternating,
    "one-hot": _one_hot,
    "mixed": _mixed,
    "zero": _zero,
}


def draw_column(kind: str, n: int, fmt: FloatFormat, rng: np.random.Generator) -> Column:
    """Return one column of a kind, of numbers that the format holds, as float64.

    Examples
    --------
    >>> from cdg_theory.rounding.formats import FORMATS
    >>> column = draw_column("alternating", 4, FORMATS["float16"], np.random.default_rng(0))
    >>> bool(column[0] == -column[1] == column[2] == -column[3])
    True
    """
    return fmt.round(KINDS[kind](rng, n, fmt))
