"""The sharded solve is the global one for every split: exactly, and up to rounding (theorem 11)."""

from fractions import Fraction
from functools import partial
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, discrete
from cdg_theory.certificates.oracle import enclose_gradient
from cdg_theory.discrete.blocks import (
    ShardPlan,
    finish_block,
    flux_map,
    plan_of,
    solve_alone,
    solve_blocks,
    solve_ends,
    split_offsets,
)
from cdg_theory.discrete.sweeps import split_mean
from cdg_theory.proofs.tools.exact_matrices import exact_gram
from tests.tools.exact_oracle import EPS, rounding_allowance
from tests.tools.strategies import channel_counts, fractions, gradients, metrics, seeds, splits


def cut(g: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(g, list(accumulate(sizes))[:-1])


@st.composite
def rational_cases(draw):
    sizes = draw(splits(draw(st.integers(1, 9)), max_blocks=4))
    alpha, beta, c = (draw(fractions(positive=True)) for _ in range(3))
    beta, c = draw(st.sampled_from([(beta, c), (0 * beta, c), (beta, 0 * c)]))
    beta *= Fraction(10) ** draw(st.integers(-12, 12))
    values = st.lists(fractions(), min_size=sum(sizes), max_size=sum(sizes))
    periodic = draw(st.booleans())
    return np.array(draw(values), dtype=object), plan_of(alpha, beta, c, sizes, periodic=periodic)


@given(case=rational_cases())
def test_solves_the_dense_system_exactly(case) -> None:
    g, plan = case
    gram = exact_gram(plan.mean, plan.fluctuation, plan.stiffness, len(g), periodic=plan.periodic)
    blocks = [block for block in cut(g[:, None], plan.sizes) if len(block)]
    assert np.array_equal(gram @ np.concatenate(solve_blocks(blocks, plan))[:, 0], g)


@st.composite
def floating_cases(draw):
    """Weights over 24 decades, β = 0 among them; blocks uneven, empty, or of one row each."""
    n = draw(channel_counts(130, min_value=2))
    kinds = ("reweighted_h0", "sobolev", "general", "small_fluctuation")
    metric = draw(metrics(members=kinds).filter(lambda m: not m.is_multiple_of_l2))
    sizes = draw(st.one_of(splits(n), st.just((1,) * n), st.just((n - 1, 1))))
    return draw(gradients(n)), metric, sizes


def rounding_bound(inverse: np.ndarray, g: np.ndarray) -> float:
    """Return what rounding may do to a column's largest entry.

    A number meets fewer than 8n + 20 roundings on its way: the mean twice and two sweeps in its
    block, dot products, the same again for the coefficients, elimination over the blocks.
    """
    return (8 * len(g) + 20) * 2.0**-53 * (np.abs(inverse) @ np.abs(g)).max(axis=0)


def solve_by_maps(g: np.ndarray, plan: ShardPlan) -> tuple[np.ndarray, list[np.ndarray]]:
    """Do what the ranks do, with each block's own map; return k, and what each block is told."""
    parts = [split_mean(block) for block in cut(g, plan.sizes) if len(block)]
    maps = [flux_map(plan, b) for b in range(len(parts))]
    means = np.stack([mean for mean, _ in parts])
    mean, offsets = split_offsets(means, np.array([len(f) / len(g) for _, f in parts]))
    z = [
        np.concatenate([[offset], known.probes @ f])
        for offset, known, (_, f) in zip(offsets, maps, parts, strict=True)
    ]
    told = [known.ends @ np.concatenate(z) for known in maps]
    solve = partial(solve_alone, beta=plan.fluctuation, c=plan.stiffness)
    rows = [finish_block(f, ends, solve) for (_, f), ends in zip(parts, told, strict=True)]
    return np.concatenate(rows) + mean / plan.mean, told


@given(case=floating_cases())
def test_equals_the_inverse_to_rounding(case) -> None:
    g, metric, sizes = case
    inverse = discrete.inverse_matrix(metric, len(g))
    at_once = np.concatenate(discrete.sharded_gradient(cut(g, sizes), metric))
    by_maps, _ = solve_by_maps(g, discrete.shard_plan(metric, sizes))
    for k in (at_once, by_maps):
        assert np.all(np.abs(k - inverse @ g) <= rounding_bound(inverse, g))


@given(seed=seeds())
def test_levels_and_fluxes_are_those_of_the_definition(seed) -> None:
    """φ = c (x_{a-1} − x_a), read off the whole solution, and the level is the block's mean."""
    metric, sizes, n = Metric(2.0, 0.3, 0.7, boundary="periodic"), (3, 1, 0, 4), 8
    g = np.random.default_rng(seed).standard_normal((n, 1))
    inverse, c = discrete.inverse_matrix(metric, n), metric.stiffness(n)
    x = inverse @ g - g.mean() / metric.mean
    _, told = solve_by_maps(g, discrete.shard_plan(metric, sizes))
    # For a difference of two numbers of k times c (which exceeds 1).
    bound = 2 * c * rounding_bound(inverse, g)
    for ends, (a, b) in zip(told, [(0, 3), (3, 4), (4, 8)], strict=True):
        expected = [x[a:b].mean(axis=0), c * (x[a - 1] - x[a]), c * (x[b % n] - x[b - 1])]
        assert np.all(np.abs(ends - expected) <= bound)


def test_blocks_that_hand_over_nothing_have_no_map() -> None:
    with pytest.raises(ValueError, match=r"blocks of sizes \(2, 1\) hand over nothing"):
        flux_map(discrete.shard_plan(Metric.l2(), (2, 1)), 1)


def perturbation_allowance(g: np.ndarray, metric: Metric) -> np.ndarray:
    """Return what a change of g by a few roundings of its largest entry may do to k.

    The blocks' means travel as one float64 number each; the module's docstring says so. Means and
    offsets take n + 8 roundings.
    """
    inverse = np.abs(discrete.inverse_matrix(metric, len(g))).sum(axis=1).max()
    return (len(g) + 8) * EPS * inverse * np.abs(g).max(axis=0)


@given(st.data(), channel_counts(max_value=120), metrics())
def test_equals_the_global_solve(data, n, metric) -> None:
    g, sizes = data.draw(gradients(n)), data.draw(splits(n))
    k = np.concatenate(discrete.sharded_gradient(cut(g, sizes), metric))
    allowed = 4 * rounding_allowance(g, metric) + perturbation_allowance(g, metric)
    assert (np.abs(k - discrete.riemannian_gradient(g, metric)) <= allowed).all()


@given(st.data(), channel_counts(max_value=120), metrics())
def test_float32_gradients_that_are_nearly_constant_lose_nothing(data, n, metric) -> None:
    g = data.draw(gradients(n, families=["nearly_constant", "random"], dtype="float32"))
    sizes = data.draw(splits(n))
    k = np.concatenate(discrete.sharded_gradient(cut(g, sizes), metric))
    assert k.dtype == np.float32
    whole = discrete.riemannian_gradient(g.astype("float64"), metric)
    # One rounding to float32, and what float64 adds: 1e6 eps64 next to a spacing of 0.06.
    wide = g.astype("float64")
    allowed = 4 * rounding_allowance(wide, metric) + perturbation_allowance(wide, metric)
    assert (np.abs(k - whole) <= np.finfo("float32").eps * np.abs(whole) + allowed).all()


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("weights", [(0.0, 1e-6), (1e-6, 1e-6), (1e-6, 0.0)])
@pytest.mark.parametrize("sizes", [(200, 250, 150), (1, 599), (75,) * 8])
def test_a_nearly_constant_gradient_is_changed_by_a_rounding_of_its_mean(
    sizes, weights, boundary
) -> None:
    # As the module says: by ε|ḡ|, not by n of them, though a mean adds n numbers. One ε for a
    # block's mean, one for its offset from the others'.
    metric = Metric(1.0, *weights, boundary=boundary)
    g = 1e6 * (1 + 1e-14 * np.random.default_rng(0).standard_normal((600, 4)))
    k = np.concatenate(discrete.sharded_gradient(cut(g, sizes), metric))
    enclosure = enclose_gradient(g, metric, np.full(4, 1e-20))
    exact = np.array([[int(v) / 2**enclosure.scale for v in row] for row in enclosure.center])
    inverse = np.abs(discrete.inverse_matrix(metric, 600)).sum(axis=1).max()
    assert np.abs(k - exact).max() <= 2 * (EPS / 2) * np.abs(g).max() * inverse


@given(st.data(), channel_counts(max_value=60), metrics())
def test_numbers_handed_over(data, n, metric) -> None:
    plan = discrete.shard_plan(metric, data.draw(splits(n)))
    if n == 1 or metric.is_multiple_of_l2:
        assert plan.numbers == 0
    else:
        assert plan.numbers == (1, 3, 5)[metric.derivative_order]
        for block, size in enumerate(size for size in plan.sizes if size):
            probes = plan.probes(block)
            assert probes.shape == (plan.numbers - 1, size)
            assert np.isfinite(probes).all()


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("sizes", [(5,), (0, 5), (5, 0), (2, 0, 3), (1, 1, 1, 1, 1), (0, 4, 0, 1)])
def test_empty_and_single_row_blocks(sizes, boundary) -> None:
    g = np.arange(10.0).reshape(5, 2) ** 2
    metric = Metric(2.0, 0.5, 0.25, boundary=boundary)
    blocks = cut(g, sizes)
    parts = discrete.sharded_gradient(blocks, metric)
    assert [part.shape for part in parts] == [block.shape for block in blocks]
    allowed = 4 * rounding_allowance(g, metric) + perturbation_allowance(g, metric)
    error = np.abs(np.concatenate(parts) - discrete.riemannian_gradient(g, metric))
    assert (error <= allowed).all()


@given(channel_counts(4096), metrics(members=("sobolev", "general", "small_fluctuation")))
def test_a_response_is_bounded_and_leaves_every_divisor_above_one(n, metric) -> None:
    # What the module's text says of its stability, for the numbers as they are rounded. For β >> c
    # the last entry is what a sum leaves of its terms, 1/n of their moduli's sum, 2: a rounding
    # costs n EPS. NumPy's sum of 4096 has 24 one after the other, a term fewer than 8 of its own.
    beta, c, rounding = metric.fluctuation, metric.stiffness(n), 32 * (n + 8) * EPS
    (u,) = plan_of(1.0, beta, c, (n,), periodic=False).responses
    assert np.all(np.diff(u) <= rounding * u[0])
    assert 0 <= u[0] <= (1 + rounding) * n / (3 * c)
    tau, rho = 1 + beta * n * u[-1], u[0] - u[-1]
    assert -rounding <= tau <= 1
    assert tau + beta * n * (1 / c + rho) >= 1


def test_blocks_are_left_alone() -> None:
    blocks = [np.ones((2, 2)), np.zeros((3, 2))]
    before = [block.copy() for block in blocks]
    discrete.sharded_gradient(blocks, Metric.sobolev(1.0))
    for block, copy in zip(blocks, before, strict=True):
        np.testing.assert_array_equal(block, copy)


def test_a_spoilt_column_spoils_no_other() -> None:
    g = np.random.default_rng(1).standard_normal((7, 3))
    spoilt = g.copy()
    spoilt[2, 1] = np.nan
    k, clean = (
        np.concatenate(discrete.sharded_gradient(cut(a, (3, 4)), Metric(1.0, 1.0, 1.0)))
        for a in (spoilt, g)
    )
    np.testing.assert_array_equal(k[:, [0, 2]], clean[:, [0, 2]])
    assert np.isnan(k[:, 1]).all()


@pytest.mark.parametrize("sizes", [(), (0,), (0, 0), (3, -1)])
def test_refused(sizes) -> None:
    with pytest.raises(ValueError, match=r"sizes must be >= 0 and have a positive sum, got \("):
        discrete.shard_plan(Metric.sobolev(1.0), sizes)


@pytest.mark.parametrize("sizes", [[3, 4], (3, 4.0), (3, True), 7])
def test_sizes_that_are_not_whole_numbers_are_refused(sizes) -> None:
    with pytest.raises(TypeError, match=r"sizes must be a tuple of ints, got .* of type"):
        discrete.shard_plan(Metric.sobolev(1.0), sizes)


@pytest.mark.parametrize("blocks", [np.ones((2, 3)), None])
def test_blocks_that_are_no_list_are_refused(blocks) -> None:
    with pytest.raises(TypeError, match="blocks must be a list of arrays, got"):
        discrete.sharded_gradient(blocks, Metric.sobolev(1.0))


@pytest.mark.parametrize("blocks", [[], [np.ones((0, 3)), np.ones((0, 3))]])
def test_blocks_without_a_row_are_refused(blocks) -> None:
    with pytest.raises(ValueError, match="blocks must hold at least one row, got"):
        discrete.sharded_gradient(blocks, Metric.sobolev(1.0))


def test_nothing_flows_into_a_block_without_a_derivative_term() -> None:
    plan = discrete.shard_plan(Metric.reweighted_h0(2.0), (1, 0, 3))
    told = solve_ends(np.array([[[-3.0]], [[1.0]]]), plan)
    assert told[:, :, 0].tolist() == [[-1.5, 0, 0], [0.5, 0, 0]]
