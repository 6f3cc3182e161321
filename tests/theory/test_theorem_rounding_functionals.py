"""T7 for kernels that know the sweeps' constants beforehand: within their own, wider bound."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, certify
from cdg_theory.certificates.search import bound_fractions
from cdg_theory.discrete import riemannian_gradient
from cdg_theory.proofs.rounding.functionals import functional_gradient
from cdg_theory.rounding.functionals import functional_error_bound, sum_is_exact
from tests.tools.planted import refusals
from tests.tools.strategies import FIRST_ORDER, channel_counts, metrics

# Kernels over pairs have a bound, and tests, of their own.
DRAWN = metrics(members=FIRST_ORDER, decades=9.0)

OPTIONS = {"dtype": "float32", "algorithm": "functionals"}


def stored_in_float32(metric):
    """Return the solver whose kernels know the constants, with its results in float32."""
    return lambda g: functional_gradient(g, metric).astype(np.float32)


def a_share(sums_error):
    """Return a sixteenth of the bound of both running sums."""
    return lambda *terms: sums_error(*terms) / 16


test_mutant_is_refused = refusals(
    ("T7.injected-sums", "sums_error", a_share),
    ("T7.injected-blocks", "roundings", lambda count: lambda own: count(own) // 2),
)


@given(metric=DRAWN, n=channel_counts(300), seed=st.integers(0, 1000))
def test_drawn_gradients_in_float32(metric, n, seed) -> None:
    assert certify(stored_in_float32(metric), metric, n, seed=seed, columns=8, **OPTIONS).holds


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("beta", [0.0, 1e-12, 1.0])
def test_long_columns(beta, boundary) -> None:
    metric = Metric(1.0, beta, 50.0, boundary=boundary, spacing="unit")
    assert certify(stored_in_float32(metric), metric, 4096, **OPTIONS).holds


def test_the_closing_bound_is_too_narrow_for_it() -> None:
    # A large mean goes through the functionals: the sweeps that close themselves never see it.
    metric = Metric.sobolev(50.0, spacing="unit")
    refused = certify(stored_in_float32(metric), metric, 4096, dtype="float32")
    assert not refused.holds
    assert refused.worst.kind == "nearly-constant"


@given(metric=DRAWN, n=channel_counts(100), seed=st.integers(0, 1000))
def test_the_bound_is_the_wider_one(metric, n, seed) -> None:
    from cdg_theory.rounding.bounds import forward_error_bound

    g = np.random.default_rng(seed).standard_normal((n, 2)).astype(np.float32).astype(float)
    wide = functional_error_bound(g, metric).bound
    assert (wide >= forward_error_bound(g, metric, dtype="float32").bound).all()


def test_the_search_measures_by_the_bound_it_is_told() -> None:
    metric, g = Metric.sobolev(0.1), np.random.default_rng(0).standard_normal((16, 8))
    solve = partial(functional_gradient, metric=metric)
    closing, functionals = (
        bound_fractions(solve, metric, g, algorithm=name) for name in ("closing", "functionals")
    )
    assert (functionals < closing).all()


def test_wrong_constants_are_refused() -> None:
    metric = Metric(1.0, 0.5, 0.1)

    def solve(g):
        k = functional_gradient(g, metric)
        # the end value off by a millionth, carried through the column
        return (k + 1e-6 * riemannian_gradient(g, metric)[-1]).astype(np.float32)

    assert not certify(solve, metric, 64, dtype="float32", algorithm="functionals").holds


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=20),
    st.integers(0, 30),
    st.integers(-40, 40),
)
def test_a_sum_called_exact_is_exact_in_every_order(integers, spread, scale) -> None:
    values = np.array(integers, dtype=np.float64) * 2.0**scale
    values[0] *= 2.0**spread
    if sum_is_exact(values[:, None], 53)[0]:
        exact = sum(int(v) << (spread if i == 0 else 0) for i, v in enumerate(integers))
        for order in (values, values[::-1], np.sort(values)):
            assert np.cumsum(order)[-1] == exact * 2.0**scale


def test_a_sum_that_rounds_is_not_called_exact() -> None:
    columns = np.array([[1.0, 2.0**53, 1.5], [2.0**-53, 1.0, 2.0**-24]])
    np.testing.assert_array_equal(sum_is_exact(columns, 53), [False, False, True])


def test_a_sum_needs_every_bit_of_its_entries() -> None:
    # One number of 53 bits, with room for a carry: 54, not 53.
    g = np.array([[1.0 + 2.0**-52]])
    assert sum_is_exact(g, 54).all()
    assert not sum_is_exact(g, 53).any()


def test_a_zero_needs_no_bits() -> None:
    assert sum_is_exact(np.array([[1.0], [0.0], [2.0**50]]), 53).all()
