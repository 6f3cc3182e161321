"""The correlation equals its definition by loops, lies in [−1, 1], and ignores the scale."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cdg_torch
from cdg_torch.correlation import channel_correlation

EPS = torch.finfo(torch.float64).eps


def by_loops(w: torch.Tensor, dim: int, groups: int, pairs: str) -> float:
    """Return the definition, slice by slice."""
    above = below = 0.0
    for block in w.double().movedim(dim, 0).chunk(groups):
        rows = [row.flatten() for row in block]
        if pairs == "all":
            for i, j in itertools.permutations(range(len(rows)), 2):
                above += float(rows[i] @ rows[j])
            below += (len(rows) - 1) * sum(float(row @ row) for row in rows)
        else:
            for a, b in itertools.pairwise(rows):
                above += float(a @ b)
                below += 0.5 * float(a @ a + b @ b)
    return above / below


@given(
    shape=st.tuples(st.integers(2, 6), st.integers(2, 5), st.integers(2, 4)),
    dim=st.integers(-3, 2),
    pairs=st.sampled_from(["neighbours", "all"]),
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([1.0, -3.0, 2.0**-20]),
)
def test_equals_loops(shape, dim, pairs, seed, scale) -> None:
    w = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = channel_correlation(scale * w, dim, pairs=pairs).item()
    # Sums of at most 2 · 120 products each, relative to the sum of absolute values.
    assert value == pytest.approx(by_loops(w, dim, 1, pairs), abs=240 * 6 * EPS)
    assert -1 <= value <= 1


@pytest.mark.parametrize("pairs", ["neighbours", "all"])
def test_groups_are_never_paired(pairs) -> None:
    w = torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    value = channel_correlation(w, 0, groups=3, pairs=pairs).item()
    assert value == pytest.approx(by_loops(w, 0, 3, pairs), abs=100 * EPS)
    assert value != pytest.approx(by_loops(w, 0, 1, pairs), abs=1e-3)


@pytest.mark.parametrize("pairs", ["neighbours", "all"])
def test_equal_slices_give_one(pairs) -> None:
    w = torch.randn(1, 7).expand(5, 7)
    assert channel_correlation(w, 0, pairs=pairs).item() == pytest.approx(1, abs=50 * EPS)
    assert channel_correlation(torch.zeros(3, 2), 0, pairs=pairs).isnan()


def test_neighbours_fall_with_the_derivative_that_sobolev_penalises() -> None:
    noise = torch.randn(64, 30, generator=torch.Generator().manual_seed(0))
    smooth = cdg_torch.riemannian_gradient(noise, cdg_torch.Metric(1, 1, 0.01))
    smoother = cdg_torch.riemannian_gradient(noise, cdg_torch.Metric(1, 1, 0.1))
    levels = [channel_correlation(w, 0).item() for w in (noise, smooth, smoother)]
    assert levels == sorted(levels)
    assert levels[-1] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 2}, r"dim must be an axis of tensor, got dim=2"),
        ({"dim": 1}, "1 slice for each of groups=1"),
        ({"dim": 0, "groups": 2}, "groups must divide .* got groups=2"),
        ({"dim": 0, "pairs": "some"}, "pairs must be one of 'neighbours', 'all'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        channel_correlation(torch.ones(3, 1), **arguments)


@pytest.mark.parametrize("pairs", ["neighbours", "all"])
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e307])
def test_squares_may_leave_the_range_of_float64(pairs, scale) -> None:
    w = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = channel_correlation(w, 0, pairs=pairs)
    found = channel_correlation(scale * w, 0, pairs=pairs)
    torch.testing.assert_close(found, expected, rtol=64 * EPS, atol=64 * EPS)
