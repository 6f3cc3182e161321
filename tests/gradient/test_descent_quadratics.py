"""T4: on a quadratic, any step below 2·λ_min(M)/Λ lowers the loss, and the bound is sharp."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import Metric, discrete
from cdg_torch import riemannian_gradient

METRICS = [
    Metric.reweighted_h0(10.0),
    Metric.reweighted_h0(0.1),
    Metric.sobolev(0.5),
    Metric.sobolev(2.0, boundary="periodic", spacing="unit"),
    Metric.ordinary_sobolev(0.3),
    Metric(2.0, 0.5, 0.1, boundary="periodic"),
]


def quadratic(n: int, columns: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A (SPD, acting on all n·columns numbers) and a start w."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n * columns, n * columns))
    return torch.tensor(root @ root.T), torch.tensor(rng.standard_normal((n, columns)))


@given(
    metric=st.sampled_from(METRICS),
    n=st.integers(1, 9),
    columns=st.integers(1, 3),
    fraction=st.floats(0.05, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_step_below_the_bound_lowers_the_loss(metric, n, columns, fraction, seed) -> None:
    a, w = quadratic(n, columns, seed)
    smoothness = torch.linalg.eigvalsh(a)[-1].item()
    softest = np.linalg.eigvalsh(discrete.gram_matrix(metric, n))[0]
    gradient = (a @ w.flatten()).reshape(w.shape)
    k = riemannian_gradient(gradient, metric)
    step = fraction * 2 * softest / smoothness
    before = 0.5 * w.flatten() @ a @ w.flatten()
    moved = (w - step * k).flatten()
    after = 0.5 * moved @ a @ moved
    # L(w − τk) ≤ L(w) − τ(1 − τΛ/2λ_min)·⟨g,k⟩ (descent lemma in the metric).
    promised = step * (1 - fraction) * (gradient * k).sum()
    assert promised > 0
    # Each quadratic form is a sum of (n·columns)² products.
    rounding = 4 * a.shape[0] ** 2 * torch.finfo(a.dtype).eps * before
    assert after <= before - promised + rounding


@given(metric=st.sampled_from(METRICS), n=st.integers(2, 9), seed=st.integers(0, 2**32 - 1))
def test_the_bound_is_sharp(metric, n, seed) -> None:
    # With L(w) = Λ‖w‖²/2 and w an eigenvector of M for λ_min, a step of τ multiplies w by
    # 1 − τΛ/λ_min: just above the bound the loss grows, just below it falls.
    values, vectors = np.linalg.eigh(discrete.gram_matrix(metric, n))
    smoothness = np.random.default_rng(seed).uniform(0.1, 10.0)
    w = torch.tensor(vectors[:, :1])
    k = riemannian_gradient(smoothness * w, metric)
    for factor, grows in ((2.01, True), (1.99, False)):
        moved = w - factor * values[0] / smoothness * k
        assert bool(moved.norm() > w.norm()) is grows
