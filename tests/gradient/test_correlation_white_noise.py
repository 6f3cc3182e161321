"""The correlation of white noise is 0, with the spread that `correlation_scale` derives."""

import math

import pytest
import torch

from cdg_torch.correlation import channel_correlation, correlation_scale

DRAWS = 3000
SHAPES = [
    ((12, 5, 3), 0, 1),
    ((4, 9, 3), 1, 1),
    ((12, 2, 3, 3), 0, 3),
    ((2, 40), 0, 1),
    ((2, 1), 0, 1),
]


@pytest.mark.parametrize(("shape", "dim", "groups"), SHAPES)
@pytest.mark.parametrize("pairs", ["neighbours", "all"])
def test_mean_and_spread(shape, dim, groups, pairs) -> None:
    generator, options = torch.Generator().manual_seed(0), {"groups": groups, "pairs": pairs}
    noise = (torch.randn(shape, generator=generator) for _ in range(DRAWS))
    draws = torch.stack([channel_correlation(w, dim, **options) for w in noise])
    scale = correlation_scale(shape, dim, **options)
    # Five standard errors of the mean; the spread itself is known to about 1/sqrt(2 DRAWS).
    assert abs(draws.mean().item()) < 5 * scale / math.sqrt(DRAWS)
    products = groups * (shape[dim] // groups - 1) * math.prod(shape) // shape[dim]
    leading_order = 2 / products if pairs == "neighbours" else 0.0
    assert draws.std().item() == pytest.approx(scale, rel=5 / math.sqrt(2 * DRAWS) + leading_order)
