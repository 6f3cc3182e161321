"""The sharded solve is the global one, up to rounding, for every split (theorem 11, in floats)."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, discrete
from cdg_theory.certificates.oracle import enclose_gradient
from cdg_theory.discrete import sharded
from cdg_theory.discrete.sharded import NOTHING, Inflow
from tests.tools.exact_oracle import EPS, rounding_allowance
from tests.tools.strategies import channel_counts, gradients, metrics, splits


def cut(g: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(g, list(accumulate(sizes))[:-1])


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
    sizes = data.draw(splits(n))
    g = data.draw(gradients(n, columns=(2, 3)))
    plan = discrete.shard_plan(metric, sizes)
    if n == 1 or metric.is_multiple_of_l2:
        assert plan.numbers == 0
    else:
        assert plan.numbers == (1 if metric.derivative == 0 else 3)
    for rank, block in enumerate(cut(g, sizes)):
        summary = sharded.summarize_block(block, plan, rank)
        assert summary.shape == (plan.numbers, 2, 3)
        assert np.isfinite(summary).all()
        if plan.numbers and len(block):
            scale = np.abs(block).max(axis=0)
            mean_error = np.abs(summary[0] - block.mean(axis=0))
            assert (mean_error <= 2 * (len(block) + 2) * EPS * scale).all()


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


def test_factors_of_large_blocks_stay_bounded() -> None:
    # Moments are relative to the block's ends: no power grows, however long the block.
    for metric in (Metric(1.0, 1e6, 1e-6, spacing="unit"), Metric(1.0, 1e-12, 10.0)):
        plan = discrete.shard_plan(metric, (2000, 48, 2048))
        for block in plan.blocks:
            assert block.from_left.forward <= 1
            assert block.from_right.backward <= 1
            assert np.isfinite(block.constant.total)


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
    sizes, means = (1, 0, 3), np.array([[4.0], [0.0], [8.0]])
    whole = discrete.shard_plan(Metric.l2(), sizes)
    assert sharded.combine(means[:, :0], whole) == [Inflow(0, 0, 0, 0)] * 3
    one_line = discrete.shard_plan(Metric.reweighted_h0(2.0), sizes)
    flows = [Inflow(7.0, offset, 0, 0) for offset in (-3.0, -7.0, 1.0)]
    assert sharded.combine(means, one_line) == flows


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_an_empty_block_has_no_moments_whatever_it_hands_over(boundary) -> None:
    plan = discrete.shard_plan(Metric(1.0, 0.5, 0.25, boundary=boundary), (2, 0, 1))
    assert sharded.recover(1.0, 1.0, plan.blocks[1]) == NOTHING
