"""With a curvature term the sharded solve is the global one for every split, to rounding (T18).

Weights over 24 orders of magnitude, with β, γ, both or neither, and next to the double root.
"""

from fractions import Fraction
from functools import partial
from itertools import accumulate

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, discrete
from cdg_theory.discrete.blocks import finish, flux_map, solve_block, split_offsets
from cdg_theory.discrete.sweeps import split_mean
from tests.tools.exact_oracle import rational
from tests.tools.strategies import channel_counts, gradients, seeds, splits, weights


def cut(g: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(g, list(accumulate(sizes))[:-1])


@st.composite
def curved(draw, n: int) -> Metric:
    """Draw a metric with a curvature term, in channels as units, of whatever boundary."""
    beta, c, d = (draw(weights()) for _ in range(3))
    if draw(st.booleans()):
        c = 2 * (beta * d) ** 0.5 * (1 + draw(st.sampled_from([0.0, 1e-16, -1e-8, 1e-3])))
    beta, c = draw(st.sampled_from([(beta, c), (0.0, c), (beta, 0.0), (0.0, 0.0)]))
    scale = float(n) ** draw(st.sampled_from([0, 2]))
    boundary = draw(st.sampled_from(["natural", "periodic"]))
    return Metric(draw(weights()), beta, c * scale, d * scale**2, boundary=boundary, spacing="unit")


def exact_inverse(metric: Metric, n: int, *, periodic: bool) -> flint.fmpq_mat:
    """Return the inverse in rational numbers, from the definition, edge by edge."""
    L = flint.fmpq_mat(n, n)
    for i, j in [(i, i + 1) for i in range(n - 1)] + [(n - 1, 0)] * periodic:
        for row, column, value in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            L[row, column] += value
    alpha, beta, c, d = map(
        rational, (metric.mean, metric.fluctuation, metric.derivative, metric.curvature)
    )
    one = flint.fmpq_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    P = flint.fmpq_mat(n, n, [flint.fmpq(1, n)] * n**2)
    return (alpha * P + beta * (one - P) + c * L + d * (L * L)).inv()


def as_float(matrix: flint.fmpq_mat) -> np.ndarray:
    return np.array([[int(x.p) / int(x.q) for x in row] for row in matrix.tolist()])


def rounding_bound(metric: Metric, g: np.ndarray) -> np.ndarray:
    """Return what rounding may do to a column's largest entry.

    As for first order, a number meets fewer than 8n + 20 operations; with pairs they are up to four
    roundings each. Blocks are solved on natural paths, also those of a cycle.
    """
    path = abs(as_float(exact_inverse(metric, len(g), periodic=False)))
    return 4 * (8 * len(g) + 20) * 2.0**-53 * (path @ np.abs(g)).max(axis=0)


def solve_by_maps(
    g: np.ndarray, metric: Metric, sizes: tuple[int, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Do what the ranks do, with each block's own map; return k, and what each block is told."""
    plan = discrete.shard_plan(metric, sizes)
    parts = [split_mean(block) for block in cut(g, sizes) if len(block)]
    maps = [flux_map(plan, b) for b in range(len(parts))]
    means = np.stack([mean for mean, _ in parts])
    mean, offsets = split_offsets(means, np.array([len(f) / len(g) for _, f in parts]))
    z = np.concatenate(
        [
            np.concatenate([[offset], known.probes @ f])
            for offset, known, (_, f) in zip(offsets, maps, parts, strict=True)
        ]
    )
    told = [known.ends @ z for known in maps]
    solve = partial(solve_block, beta=plan.fluctuation, c=plan.stiffness, d=plan.rigidity)
    rows = [
        finish(f, ends, solve, known.spread)
        for (_, f), ends, known in zip(parts, told, maps, strict=True)
    ]
    return np.concatenate(rows) + mean / plan.mean, told


@given(data=st.data(), n=channel_counts(24, min_value=2))
def test_equals_the_exact_gradient_to_rounding(data, n) -> None:
    metric, g = data.draw(curved(n)), data.draw(gradients(n))
    sizes = data.draw(st.one_of(splits(n), st.just((1,) * n), st.just((n - 1, 1))))
    inverse = exact_inverse(metric, n, periodic=metric.boundary == "periodic")
    exact = as_float(inverse * flint.fmpq_mat(*g.shape, [rational(x) for x in g.ravel()]))
    at_once = np.concatenate(discrete.sharded_gradient(cut(g, sizes), metric))
    by_maps, _ = solve_by_maps(g, metric, sizes)
    for k in (at_once, by_maps):
        assert np.all(np.abs(k - exact) <= rounding_bound(metric, g))


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1e-9, 0.0), (0.0, 1e3), (1e-2, 1e-12)])
@pytest.mark.parametrize("sizes", [(300,), (150, 150), (1, 0, 298, 1), (7,) * 42 + (6,)])
def test_many_rows_are_those_of_the_whole(sizes, weights) -> None:
    g = np.random.default_rng(0).standard_normal((300, 4))
    metric = Metric(1e9, *weights, 1.0, spacing="unit")
    k = np.concatenate(discrete.sharded_gradient(cut(g, sizes), metric))
    whole = discrete.spectral_gradient(g, metric)
    inverse = abs(discrete.spectral_gradient(np.eye(300), metric))
    # Twice: the transform, too, is rounded, by fewer operations.
    bound = 2 * 4 * (8 * 300 + 20) * 2.0**-53 * (inverse @ abs(g)).max(axis=0)
    assert np.all(np.abs(k - whole) <= bound)


@given(seed=seeds())
def test_levels_and_inflows_are_those_of_the_definition(seed) -> None:
    """The pair (Lx, x) of the row before less that of the first row, times d; of means, x alone."""
    metric, sizes, n = Metric(2.0, 0.3, 0.7, 0.2, boundary="periodic"), (3, 1, 0, 4), 8
    g = np.random.default_rng(seed).standard_normal((n, 1))
    x = discrete.spectral_gradient(g, metric) - g.mean() / metric.mean
    d = metric.rigidity(n)
    m = discrete.graph_laplacian("periodic", n) @ x
    _, told = solve_by_maps(g, metric, sizes)
    # For a difference of two numbers, and L of such; the transform's own error is of this size.
    unit = Metric(
        metric.mean, metric.fluctuation, metric.stiffness(n), d, boundary="periodic", spacing="unit"
    )
    bound = 2 * 8 * d * rounding_bound(unit, g)
    for ends, (a, b) in zip(told, [(0, 3), (3, 4), (4, 8)], strict=True):
        left, right = ([d * (v[i - 1] - v[i]) for v in (m, x)] for i in (a, b % n))
        expected = [d * x[a:b].mean(axis=0), *left, *(-flow for flow in right)]
        assert np.all(np.abs(ends - expected) <= bound)


@given(data=st.data(), n=channel_counts(60, min_value=2))
def test_five_numbers_are_handed_over_and_five_told(data, n) -> None:
    sizes = data.draw(splits(n))
    plan = discrete.shard_plan(data.draw(curved(n)), sizes)
    rows = [size for size in sizes if size]
    assert plan.numbers == 5
    for block, size in enumerate(rows):
        known = flux_map(plan, block)
        shapes = known.probes.shape, known.ends.shape, known.spread.shape
        assert shapes == ((4, size), (5, 5 * len(rows)), (size, 5))
        assert all(np.isfinite(array).all() for array in known)


def test_weights_at_the_ends_of_their_range() -> None:
    g = np.array([[Fraction(v) for v in (3, 1, 4, 1, 5)]]).T
    for beta, c, d in ((1e100, 1e100, 1.0), (1e-150, 0.0, 1e150), (0.0, 1e-50, 1e-150)):
        metric = Metric(1.0, beta, c, d, spacing="unit")
        k = np.concatenate(discrete.sharded_gradient(cut(g.astype(float), (2, 3)), metric))
        exact = discrete.riemannian_gradient(g, metric).astype(float)
        assert np.all(np.abs(k - exact) <= rounding_bound(metric, g.astype(float)))
