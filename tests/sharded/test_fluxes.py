"""T11: blocks that exchange a mean and two moments, and solve with fluxes at their ends, give M⁻¹g.

Exactly, over the rational numbers; and to rounding in floating point, for weights over 24 decades.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric
from cdg_theory.discrete import inverse_matrix
from cdg_theory.discrete.fluxes import flux_map
from cdg_theory.discrete.sharded import ShardPlan, cycle_plan, path_plan, shard_plan
from cdg_theory.discrete.sweeps import (
    cycle_factors,
    path_factors,
    solve_fluctuation,
    solve_gram,
    split_mean,
)
from tests.tools.strategies import channel_counts, fractions, gradients, metrics, seeds, splits


def solve_by_fluxes(g: np.ndarray, plan: ShardPlan, c) -> np.ndarray:
    """Do what the ranks do, one after the other; ``c`` is the stiffness of the whole."""
    edges = [0, *np.cumsum(plan.sizes).tolist()]
    blocks = [split_mean(g[a:b]) if a < b else None for a, b in pairwise(edges)]
    maps = [flux_map(plan, i) if size else None for i, size in enumerate(plan.sizes)]
    nothing = np.zeros((plan.numbers, *g.shape[1:]), dtype=int)
    summaries = np.stack(
        [
            nothing if block is None else np.concatenate([block[0][None], k.probes @ block[1]])
            for block, k in zip(blocks, maps, strict=True)
        ]
    )
    weights = np.array(plan.sizes) * (plan.mean / plan.mean) / sum(plan.sizes)
    mean = weights @ summaries[:, 0]
    summaries[:, 0] -= mean
    rest = weights @ summaries[:, 0]
    summaries[:, 0] -= rest
    z = summaries.reshape(-1, *g.shape[1:])
    rows = []
    for block, k in zip(blocks, maps, strict=True):
        if block is None:
            continue
        level, left, right = k.ends @ z
        w = block[1] - (left + right) / len(block[1])
        w[0] += left
        w[-1] += right
        if c == 0:
            x = w / plan.fluctuation
        else:
            x = solve_fluctuation(w, path_factors(plan.fluctuation, c, len(w)))
        rows.append(x + level + (mean + rest) / plan.mean)
    return np.concatenate(rows)


@st.composite
def rational_cases(draw):
    sizes = draw(splits(draw(st.integers(1, 9)), max_blocks=4))
    alpha, c = draw(fractions(positive=True)), draw(fractions(positive=True))
    values = st.lists(fractions(), min_size=sum(sizes), max_size=sum(sizes))
    g = np.array(draw(values), dtype=object)[:, None]
    kind = draw(st.sampled_from(["one line", "path", "cycle"]))
    if kind == "one line":
        beta = draw(fractions(positive=True))
        return g, ShardPlan(alpha, beta, sizes, 1), 0, None
    # On the cycle E is drawn, and β = E²/(c+E): its square root would not be rational.
    weight = draw(st.one_of(st.just(0 * c), fractions(positive=True)))
    if kind == "path":
        plan = path_plan(alpha, weight, c, sizes)
        return g, plan, c, path_factors(weight, c, len(g))
    return g, cycle_plan(alpha, c, weight, sizes), c, cycle_factors(c, weight, len(g))


@given(case=rational_cases())
def test_equals_the_whole_exactly(case) -> None:
    g, plan, c, factors = case
    whole = solve_gram(g, plan.mean, plan.fluctuation, factors)
    assert np.array_equal(solve_by_fluxes(g, plan, c), whole)


@st.composite
def floating_cases(draw):
    n = draw(channel_counts(130, min_value=2))
    sizes = draw(splits(n, max_blocks=5))
    kinds = ("reweighted_h0", "sobolev", "general", "small_fluctuation")
    metric = draw(metrics(members=kinds).filter(lambda m: not m.is_multiple_of_l2))
    return draw(gradients(n)), metric, sizes


@given(case=floating_cases())
def test_equals_the_inverse_to_rounding(case) -> None:
    g, metric, sizes = case
    n = len(g)
    k = solve_by_fluxes(g, shard_plan(metric, sizes), metric.stiffness(n))
    inverse = inverse_matrix(metric, n)
    # A number meets fewer than 8n + 20 roundings on its way: the mean twice and two sweeps in its
    # block, dot products, the same again for the coefficients, the sum over blocks.
    bound = (8 * n + 20) * 2.0**-53 * (np.abs(inverse) @ np.abs(g)).max(axis=0)
    assert np.all(np.abs(k - inverse @ g) <= bound)


def test_a_block_without_rows_has_no_fluxes() -> None:
    plan = shard_plan(Metric.sobolev(1.0), (2, 0))
    with pytest.raises(ValueError, match=r"block 1 of \(2, 0\) hands over nothing"):
        flux_map(plan, 1)


@given(seed=seeds())
def test_fluxes_are_those_of_the_definition(seed) -> None:
    """φ = c (x_{a-1} − x_a), read off the whole solution, and the level is the block's mean."""
    metric, sizes, n = Metric(2.0, 0.3, 0.7, boundary="periodic"), (3, 1, 4), 8
    g = np.random.default_rng(seed).standard_normal(n)
    inverse, c = inverse_matrix(metric, n), metric.stiffness(n)
    k = inverse @ g
    plan, spans = shard_plan(metric, sizes), list(pairwise([0, 3, 4, n]))
    maps = [flux_map(plan, i) for i in range(3)]
    z = np.concatenate(
        [
            [g[a:b].mean() - g.mean(), *(m.probes @ (g[a:b] - g[a:b].mean()))]
            for m, (a, b) in zip(maps, spans, strict=True)
        ]
    )
    # As above, for a difference of two numbers of k times c (which exceeds 1).
    bound = 2 * c * (8 * n + 20) * 2.0**-53 * (np.abs(inverse) @ np.abs(g)).max()
    for m, (a, b) in zip(maps, spans, strict=True):
        level = k[a:b].mean() - g.mean() / metric.mean
        expected = np.array([level, c * (k[a - 1] - k[a]), c * (k[b % n] - k[b - 1])])
        assert np.all(np.abs(m.ends @ z - expected) <= bound)
