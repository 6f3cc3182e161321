"""T7: nearly constant gradients and weights down to 1e-12 lose no accuracy, against rationals."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given

from cdg_theory import Metric
from cdg_torch import apply_metric, backend, riemannian_gradient
from tests.tools.exact_oracle import exact_solution
from tests.tools.kernel_cases import MEMBERS
from tests.tools.strategies import channel_counts, gradients, metrics


@given(data_n=channel_counts(12), metric=metrics(decades=12.0), g=gradients(12, columns=()))
def test_gradient_against_rationals(data_n, metric, g) -> None:
    n = data_n
    g = g[:n]
    exact = [Fraction(int(x.p), int(x.q)) for x in exact_solution(g[:, None], metric).entries()]
    k = riemannian_gradient(torch.tensor(g), metric)
    error = max(abs(Fraction(x) - y) for x, y in zip(k.tolist(), exact, strict=True))
    # What a backward stable solve may lose: rounding of the fluctuation, amplified by 1/λ₂, and
    # the twice-removed mean's rounding of rounding. No term u·|mean|/λ₂: that is the point.
    mean = sum(map(Fraction, g)) / n
    swing = max((abs(Fraction(x) - mean) for x in g), default=Fraction(0))
    largest = max(map(abs, exact))
    u = Fraction(1, 2**53)
    # A pair is multiplied by a matrix: four products for one.
    steps = 8 * n * n * (4 if metric.curvature else 1)
    softest = fluctuation_floor(metric, n)
    bound = steps * u * (largest + swing / softest + n * u * abs(mean) / softest)
    assert error <= bound


def fluctuation_floor(metric: Metric, n: int) -> Fraction:
    """Return a rational just below the least eigenvalue of M on vectors of mean zero."""
    if n == 1:
        return Fraction(1)
    # 2 − 2cos θ ≥ 4θ²/π² > 2θ²/5 for θ ≤ π, at θ = π/n (path) or 2π/n (cycle), π² > 9.
    turns = 4 if metric.boundary == "periodic" else 1
    s, ell = n * n if metric.spacing == "normalized" else 1, Fraction(2 * 9 * turns, 5 * n * n)
    beta, c, d = map(Fraction, (metric.fluctuation, metric.derivative, metric.curvature))
    return beta + c * s * ell + d * (s * ell) ** 2


@pytest.mark.parametrize(
    "metric",
    [
        Metric(1.0, 1e-12),
        Metric(1.0, 1e-12, 1e-12),
        Metric(1.0, 0.0, 1e-12, boundary="periodic", spacing="unit"),
    ],
    ids=str,
)
def test_a_constant_gradient_stays_constant(metric) -> None:
    g = torch.full((7, 1), 0.7, dtype=torch.float64)
    assert g.mean() != g[0, 0], "choose a number whose mean over 7 copies is rounded"
    k = riemannian_gradient(g, metric)
    assert (k - g).abs().max() <= 4 * 2.0**-53 * g[0, 0]
    # Here the fluctuation weighs 1e12 times the mean: what rounding leaves of it must not show.
    stiff = Metric(1e-12 * metric.mean, 1.0, metric.derivative, boundary=metric.boundary)
    back = apply_metric(g, stiff)
    assert (back - 1e-12 * g).abs().max() <= 4 * 2.0**-53 * 1e-12 * g[0, 0]


@pytest.mark.parametrize("member", MEMBERS)
def test_a_constant_gradient_is_divided_by_the_weight_of_the_mean(member) -> None:
    columns = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    g = columns.expand(49, 200).contiguous()
    assert not torch.equal(g.mean(0), columns), "choose numbers whose mean is rounded"
    metric = MEMBERS[member]
    with backend("reference"):
        assert torch.equal(riemannian_gradient(g, metric), g / metric.mean)
    assert torch.equal(apply_metric(g, metric), g * metric.mean)
