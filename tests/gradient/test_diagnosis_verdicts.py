"""The diagnosis is right on gradients whose signal and noise are known, as often as it says.

The loss is the sum of weight times batch, so the gradient of a batch is the batch.
"""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import cdg_torch
from cdg_theory import Metric, discrete

N, COLUMNS, BATCHES, DRAWS = 32, 12, 12, 40
SMOOTH = Metric(1.0, 1.0, 0.0, 81.0, spacing="unit")


def product_with(model: nn.Linear, batch: torch.Tensor) -> torch.Tensor:
    return (model.weight * batch).sum()


def drawn_batches(kind: str, seed: int, *, noise: float = 1.0):
    """Return a signal with dependent columns, and batches of it with white noise."""
    rng = np.random.default_rng(seed)
    root = {
        "white": np.eye(N),
        "exchangeable": np.eye(N) + 1.0 / N * 4,
        "ordered": discrete.gram_power(SMOOTH, N, -0.5),
    }[kind]
    signal = root @ rng.standard_normal((N, COLUMNS)) @ rng.standard_normal((COLUMNS, COLUMNS)) / 4
    batches = signal + noise * rng.standard_normal((BATCHES, N, COLUMNS))
    return signal, torch.from_numpy(batches)


def diagnosed(kind: str, seed: int, **options):
    signal, batches = drawn_batches(kind, seed)
    model = nn.Linear(COLUMNS, N, bias=False).double()
    return signal, cdg_torch.diagnose(model, batches, product_with, **options).layers[0]


@pytest.mark.parametrize("kind", ["white", "exchangeable"])
def test_no_order_is_called_one_no_more_often_than_the_level_says(kind) -> None:
    found = [diagnosed(kind, seed)[1] for seed in range(DRAWS)]
    wrong = sum(one.verdict == "ordered" for one in found)
    # An exact test at half the level: so many or more come by chance once in a thousand times.
    assert stats.binom.sf(wrong - 1, DRAWS, 0.025) > 1e-3
    assert not any(one.is_worthwhile for one in found if one.verdict != "ordered")


def test_a_common_mean_is_seen() -> None:
    found = [diagnosed("exchangeable", seed)[1] for seed in range(DRAWS)]
    assert sum(one.verdict == "exchangeable" for one in found) > 0.8 * DRAWS


def test_an_order_is_seen_and_the_predicted_gain_is_what_the_metric_gains() -> None:
    apart = []
    for seed in range(DRAWS):
        signal, found = diagnosed("ordered", seed)
        assert found.verdict == "ordered"
        assert found.is_worthwhile
        s = (discrete.to_modes(signal, "natural") ** 2).mean(axis=1)
        nu = np.ones(N)
        kappa = 1 / discrete.eigenvalues(found.metric, N)
        left = [
            discrete.risk(discrete.best_scale(f, s, nu) * f, s, nu) for f in (kappa, np.ones(N))
        ]
        apart.append(found.gain - (1 - left[0] / left[1]))
    # Half of the batches choose and half judge: what all choose is a little better.
    assert abs(np.mean(apart)) < 0.05
    assert np.std(apart) < 0.15


def test_moments_and_their_error_are_those_of_signal_and_noise() -> None:
    apart, noise = [], []
    for seed in range(DRAWS):
        signal, found = diagnosed("ordered", seed)
        true = (discrete.to_modes(signal, "natural") ** 2).mean(axis=1)
        apart.append((sum(found.signal) - true.sum()) / found.signal_error)
        noise.append(sum(found.noise) / N)
    # In standard errors: mean 0 and deviation 1, give or take four times what 40 draws spread.
    assert abs(np.mean(apart)) < 4 / DRAWS**0.5
    assert abs(np.std(apart) - 1) < 4 / (2 * DRAWS) ** 0.5
    # The mean of N·COLUMNS·(BATCHES − 1)·DRAWS squares of white noise.
    spread = (2 / (N * COLUMNS * (BATCHES - 1) * DRAWS)) ** 0.5
    assert abs(np.mean(noise) - 1) < 4 * spread


def test_without_a_signal_it_cannot_tell() -> None:
    model = nn.Linear(COLUMNS, N, bias=False).double()
    batches = torch.randn(
        8, N, COLUMNS, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    (found,) = cdg_torch.diagnose(model, batches, product_with).layers
    assert found.advice.startswith("cannot tell: the signal is within the noise")
    assert found.gain is None


def test_a_mean_that_is_zero_is_said_and_gives_no_weight() -> None:
    _, batches = drawn_batches("ordered", 0)
    model = nn.Linear(COLUMNS, N, bias=False).double()
    centred = batches - batches.mean(dim=1, keepdim=True)
    (found,) = cdg_torch.diagnose(model, centred, product_with).layers
    assert (found.signal[0], found.noise[0], found.mean_weight) == (0.0, 0.0, None)
    assert found.advice.endswith(
        "the mean over its channels is 0, as in a softmax head: H⁰ only changes the rate"
    )


@pytest.mark.parametrize(("n", "said"), [(7, "7 channels are too few"), (8, "no order seen")])
def test_few_channels_have_too_few_orders(n, said) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = 3.0 + torch.randn(12, n, 5, generator=generator)
    found = cdg_torch.diagnose(nn.Linear(5, n), batches, product_with)
    assert found.layers[0].advice.startswith(said)
    assert "nan" not in repr(found)


def test_groups_and_transposed_convolutions_have_their_own_axis() -> None:
    """A group's channels are the n of the diagnosis, and its columns stand beside the others'."""
    _, batches = drawn_batches("ordered", 1)
    grouped = nn.Conv1d(2 * COLUMNS, 2 * N, 1, groups=2, bias=False).double()
    doubled = torch.cat([batches, batches], dim=1)[..., None]
    transposed = nn.ConvTranspose1d(COLUMNS, N, 1, bias=False).double()
    flipped = batches.transpose(1, 2)[..., None]
    plain = nn.Linear(COLUMNS, N, bias=False).double()
    found = [
        cdg_torch.diagnose(model, own, product_with).layers[0]
        for model, own in ((plain, batches), (grouped, doubled), (transposed, flipped))
    ]
    assert [one.channels for one in found] == [N] * 3
    for one in found[1:]:
        np.testing.assert_allclose(one.signal, found[0].signal, rtol=1e-9)
        np.testing.assert_allclose(one.noise, found[0].noise, rtol=1e-9)
        assert one.metric == found[0].metric


def test_the_rules_are_ready_for_attach() -> None:
    _, batches = drawn_batches("ordered", 2)
    model = nn.Sequential(nn.Linear(COLUMNS, N, bias=False)).double()
    found = cdg_torch.diagnose(model, batches, lambda m, g: (m[0].weight * g).sum())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = cdg_torch.attach(optimizer, model, None, rules=found.rules())
    assert [(one.name, one.metric) for one in handle.report().included] == [
        ("0.weight", found.layers[0].metric)
    ]


def rounded_head(seed: int):
    """Return batches as autocast leaves them: rounded to bfloat16, so that their mean is not 0."""
    _, batches = drawn_batches("white", seed)
    centred = batches - batches.mean(dim=1, keepdim=True)
    return centred.bfloat16().float()


def test_rounding_under_autocast_is_not_taken_for_a_mean() -> None:
    for seed in range(8):
        model = nn.Linear(COLUMNS, N, bias=False)
        (found,) = cdg_torch.diagnose(model, rounded_head(seed), product_with).layers
        assert (found.signal[0], found.noise[0]) == (0.0, 0.0)
        assert found.verdict != "exchangeable"
        assert "mean over its channels is 0" in found.advice


def test_a_small_mean_of_many_channels_under_autocast_is_one() -> None:
    # Of white noise the mean has a share of 1/n of the square: far more than rounding has.
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(4, 2048, bias=False)
    batches = torch.randn(4, 2048, 4, generator=generator).bfloat16().float()
    (found,) = cdg_torch.diagnose(model, batches, product_with).layers
    assert found.noise[0] > 0
    assert "mean is 0" not in found.advice


def risk_of(kappa, s, nu) -> float:
    return discrete.risk(discrete.best_scale(kappa, s, nu) * kappa, s, nu)


def test_the_weight_and_gain_of_h0_are_those_of_theorem_14() -> None:
    weights, gains = [], []
    for seed in range(DRAWS):
        signal, found = diagnosed("exchangeable", seed)
        s, nu = (discrete.to_modes(signal, "natural") ** 2).mean(axis=1), np.ones(N)
        rest = s[1:].mean()
        best = np.full(N, rest / (rest + 1))
        best[0] = s[0] / (s[0] + 1)
        weights.append(np.log(found.mean_weight / (best[0] / best[1])))
        gains.append(found.h0_gain - (1 - risk_of(best, s, nu) / risk_of(np.ones(N), s, nu)))
    assert abs(np.mean(weights)) < 0.1
    assert abs(np.mean(gains)) < 0.03


def test_the_gain_of_early_stopping_is_that_of_theorem_16() -> None:
    apart = []
    for seed in range(DRAWS // 2):
        signal, found = diagnosed("ordered", seed, training_batches=2)
        s, nu = (discrete.to_modes(signal, "natural") ** 2).mean(axis=1), np.ones(N) / 2
        least = [
            min(
                discrete.risk(discrete.early_stopping(metric, N, time), s, nu)
                for time in np.geomspace(1e-2, 1e2, 200)
            )
            for metric in (found.metric, Metric.l2())
        ]
        apart.append(found.stopping_gain - (1 - least[0] / least[1]))
    assert abs(np.mean(apart)) < 0.05
