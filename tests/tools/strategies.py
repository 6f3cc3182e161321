"""Hypothesis strategies of this library: channel counts, weights, metrics, gradients, splits.

Sizes favour what breaks things (1, 2, 3, primes, powers of two); weights run over many orders of
magnitude, small fluctuation above all; gradients come from named families, so that a failing
example says what it is.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from hypothesis import strategies as st

from cdg_theory import Metric
from cdg_theory.metric import Boundary, Spacing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy
    from numpy.typing import NDArray

PRIMES = (2, 3, 5, 7, 11, 13, 31, 61, 127, 211, 293)
POWERS = (2, 4, 8, 16, 32, 64, 128, 256)

# What is drawn of the family: by name, which terms there are and what the weights have in common.
FIRST_ORDER = ("l2", "reweighted_h0", "sobolev", "general", "small_fluctuation")
SECOND_ORDER = (
    "biharmonic", "spline", "without_fluctuation", "double_root", "all_terms", "small_curvature",
)  # fmt: skip


def channel_counts(max_value: int = 300, *, min_value: int = 1) -> SearchStrategy[int]:
    """Numbers of output channels, with 1, 2, 3, primes and powers of two favoured."""
    favoured = sorted({1, 2, 3, *PRIMES, *POWERS})
    inside = [n for n in favoured if min_value <= n <= max_value]
    any_size = st.integers(min_value, max_value)
    return st.one_of(st.sampled_from(inside), any_size) if inside else any_size


def weights(decades: float = 12.0) -> SearchStrategy[float]:
    """Positive weights between 10**-decades and 10**decades, even in the exponent."""
    exponents = st.floats(-decades, decades, allow_nan=False)
    return st.one_of(st.just(1.0), exponents.map(lambda exponent: 10.0**exponent))


@st.composite
def metrics(
    draw: DrawFn,
    *,
    members: Sequence[str] = FIRST_ORDER + SECOND_ORDER,
    boundaries: Sequence[Boundary] = get_args(Boundary),
    spacings: Sequence[Spacing] = get_args(Spacing),
    decades: float = 12.0,
) -> Metric:
    """Members of the family: which of the four terms are there, then their weights."""
    ends: dict[str, Any] = {
        "boundary": draw(st.sampled_from(boundaries)),
        "spacing": draw(st.sampled_from(spacings)),
    }
    mean, beta, gamma, delta = (draw(weights(decades)) for _ in range(4))
    # The trap: pivots that tend to 0 with the fluctuation's weight, or to first order's.
    small = gamma * 10.0 ** draw(st.floats(-24.0, -6.0))
    # γ² = 4βδ, to rounding.
    equal = 2.0 * math.sqrt(beta) * math.sqrt(delta)
    kinds = {
        "l2": (mean, 0.0, 0.0),
        "reweighted_h0": (beta, 0.0, 0.0),
        "sobolev": (0.0, gamma, 0.0),
        "general": (beta, gamma, 0.0),
        "small_fluctuation": (small, gamma, 0.0),
        "biharmonic": (0.0, 0.0, delta),
        "spline": (beta, 0.0, delta),
        "without_fluctuation": (0.0, gamma, delta),
        "double_root": (beta, equal, delta),
        "all_terms": (beta, gamma, delta),
        "small_curvature": (beta, gamma, small),
    }
    return Metric(mean, *kinds[draw(st.sampled_from(members))], **ends)


def seeds() -> SearchStrategy[int]:
    return st.integers(0, 2**32 - 1)


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    g = np.zeros(shape)
    g[rng.integers(shape[0])] = 1.0
    return g


def _alternating(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    signs = (-1.0) ** np.arange(shape[0])
    return signs.reshape(-1, *(1,) * (len(shape) - 1)) * rng.uniform(0.5, 2.0, shape[1:])


# Families of gradients, by name: (rng, shape) -> float64 array, axis 0 the output channels.
GRADIENTS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]] = {
    "random": lambda rng, shape: rng.standard_normal(shape),
    "constant": lambda rng, shape: np.ones(shape) * rng.standard_normal(shape[1:]),
    "alternating": _alternating,
    "one_hot": _one_hot,
    "smooth": lambda rng, shape: np.cumsum(rng.standard_normal(shape), axis=0),
    "nearly_constant": lambda rng, shape: 1e6 + rng.standard_normal(shape),
    "huge_and_small": lambda rng, shape: (
        rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 6, shape)
    ),
    "zero": lambda _rng, shape: np.zeros(shape),
}


def make_gradient(family: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """Return the gradient that a failing example names."""
    return GRADIENTS[family](np.random.default_rng(seed), shape)


@st.composite
def gradients(
    draw: DrawFn,
    n: int,
    *,
    columns: tuple[int, ...] = (3,),
    families: Sequence[str] = tuple(GRADIENTS),
    dtype: str = "float64",
) -> NDArray[Any]:
    """Gradients of shape (n, *columns) from the named families."""
    family, seed = draw(st.sampled_from(families)), draw(seeds())
    return make_gradient(family, (n, *columns), seed).astype(dtype)


@st.composite
def splits(draw: DrawFn, n: int, *, max_blocks: int = 6) -> tuple[int, ...]:
    """Ways to cut n rows into blocks, uneven and empty ones included; they sum to n."""
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=max_blocks - 1)))
    edges = [0, *cuts, n]
    return tuple(stop - start for start, stop in pairwise(edges))


def fractions(*, positive: bool = False, max_denominator: int = 40) -> SearchStrategy[Fraction]:
    """Small rationals for runs without rounding."""
    least = Fraction(1, max_denominator) if positive else Fraction(-20)
    return st.fractions(least, 20, max_denominator=max_denominator)
