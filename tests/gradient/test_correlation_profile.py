"""The profile equals its definition by loops, begins with the correlation, knows white noise."""

import pytest
import torch

import cdg_torch
from cdg_torch import channel_correlation, channel_profile

EPS = torch.finfo(torch.float64).eps


def by_loops(w: torch.Tensor, dim: int, groups: int) -> list[float]:
    """Return the definition, distance by distance."""
    blocks = [
        [row.flatten() for row in block] for block in w.double().movedim(dim, 0).chunk(groups)
    ]
    n = len(blocks[0])
    found = []
    for d in range(1, n):
        pairs = [(rows[i], rows[i + d]) for rows in blocks for i in range(n - d)]
        above = sum(float(a @ b) for a, b in pairs)
        found.append(above / sum(0.5 * float(a @ a + b @ b) for a, b in pairs))
    return found


@pytest.mark.parametrize(
    ("shape", "dim", "groups"),
    [((8, 3, 2), 0, 1), ((3, 7), 1, 1), ((2, 9, 2), -2, 3), ((12, 1, 5), 0, 2), ((2, 4), 0, 1)],
)
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e300])
def test_equals_loops(shape, dim, groups, scale) -> None:
    w = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    profile = channel_profile(scale * w, dim, groups=groups)
    n = shape[dim] // groups
    # The transform's error is relative to the energy, of which the fewest pairs see two rows.
    assert profile.correlation.tolist() == pytest.approx(by_loops(w, dim, groups), abs=500 * EPS)
    assert profile.distance.tolist() == list(range(1, n))
    first = channel_correlation(w, dim, groups=groups).item()
    assert profile.correlation[0].item() == pytest.approx(first, abs=500 * EPS)


def test_white_noise_has_the_stated_spread() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(400, 32, 40, generator=generator, dtype=torch.float64)
    profiles = torch.stack([channel_profile(w, 0).correlation for w in draws])
    scale = channel_profile(draws[0], 0).scale
    # A standard deviation from 400 draws is off by 1/√800; the formula by 1/(n−d)m, at most 1/40.
    ratio = profiles.std(dim=0) / scale
    assert (ratio - 1).abs().max() < 4.5 / 800**0.5 + 1 / 40
    assert (profiles.mean(dim=0) / scale).abs().max() < 4.5 / 400**0.5


def test_flat_for_exchangeable_channels_and_falling_for_ordered_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(64, 2000, generator=generator, dtype=torch.float64)
    flat = channel_profile(noise + noise[:1], 0).correlation[:32]
    smooth = cdg_torch.metric_power(noise, cdg_torch.Metric(1, 1, 0.01), -0.5)
    falling = channel_profile(smooth, 0).correlation[:16]
    assert (flat - 0.5).abs().max() < 0.1
    assert (falling.diff() < 0).all()
    assert falling[0] > 0.8


def test_zeros_have_no_correlation() -> None:
    assert channel_profile(torch.zeros(3, 2), 0).correlation.isnan().all()
    w = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    assert channel_profile(w, 0).correlation.isnan().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 2}, r"dim must be an axis of tensor, got dim=2"),
        ({"dim": 1}, "1 slice for each of groups=1"),
        ({"dim": 0, "groups": 2}, "groups must divide .* got groups=2"),
    ],
)
def test_bad_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        channel_profile(torch.ones(3, 1), **arguments)
