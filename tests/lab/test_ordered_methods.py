"""What treatments of ordered outputs do: their formulas, one by one."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cdg_theory import Metric, discrete
from cdg_torch.lab.train.data import load_ordered
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.ordered import losses, prediction, prepare
from cdg_torch.lab.train.ordered.losses import Objective, logistic_log_likelihood, soft_targets
from cdg_torch.lab.train.ordered.treatment import Treatment, member, smoother_of_fit
from cdg_torch.lab.train.runs import Run
from cdg_torch.lab.train.training import train_run

CURVES = load_ordered("sparse-curves", {"train": 64, "repeat": 1}, 0)
ANGLES = load_ordered("digit-angles", {"train": 64, "repeat": 1}, 0)
RUN = Run(
    data="digit-angles",
    options={"train": 64, "repeat": 1},
    model="perceptron",
    method=Method(name="x"),
    lr=0.05,
    seed=0,
    batch=32,
    epochs=2,
)


def treated(**options) -> Run:
    return replace(RUN, method=Method(name="x", ordered=Treatment(**options)))


def first_step(run: Run) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the head's initial weights, and what one step makes of them."""
    task, model = prepare._task_and_model(run, ANGLES)
    head = model.get_parameter(prepare.LAYERS["head"])
    before = head.detach().clone()
    task.step(torch.arange(32))
    return before, head.detach() - before


@pytest.mark.parametrize("periodic", [True, False])
def test_soft_targets_are_a_gaussian_that_sums_to_one(periodic) -> None:
    places = torch.tensor([0.5, 10.2, 23.4])
    wanted = soft_targets(places, 24, 2.0, periodic=periodic)
    assert torch.allclose(wanted.sum(1), torch.ones(3))
    for row, place in zip(wanted, places, strict=True):
        distance = (torch.arange(24) + 0.5 - place).abs()
        if periodic:
            distance = torch.minimum(distance, 24 - distance)
        density = torch.exp(-(distance**2) / (2 * 2.0**2))
        assert torch.allclose(row, density / density.sum(), atol=1e-6)
        assert int(row.argmax()) == int(place)


def test_smoothed_values_are_gaussian_means_of_what_is_seen() -> None:
    values = torch.full((1, 9), math.nan)
    values[0, 2], values[0, 6] = 1.0, 3.0
    smooth, weights = losses.smoothed_values(values, 1.5, periodic=False)
    at = torch.arange(9)
    near, far = torch.exp(-((at - 2.0) ** 2) / 4.5), torch.exp(-((at - 6.0) ** 2) / 4.5)
    assert torch.allclose(smooth[0], (near + 3 * far) / (near + far))
    assert torch.allclose(weights[0], (near + far).clamp_max(1.0))


@pytest.mark.parametrize("kind", ["first", "second"])
def test_the_gradient_of_the_penalty_is_the_weight_times_mw(kind) -> None:
    metric = member(kind, 3.0, "natural")
    weight = torch.randn(12, 4, dtype=torch.float64, requires_grad=True)
    prepare.penalty(weight, metric, 0.3).backward()
    wanted = 0.3 * discrete.gram_matrix(metric, 12) @ weight.detach().numpy()
    assert np.allclose(weight.grad.numpy(), wanted)


def test_a_metric_that_acts_makes_the_riemannian_step_and_no_other() -> None:
    metric = member("second", 4.0, "natural")
    before, plain = first_step(RUN)
    same, step = first_step(treated(metric="second", strength=4.0))
    assert torch.equal(before, same)
    wanted = discrete.inverse_matrix(metric, 96) @ plain.double().numpy()
    assert np.allclose(step.numpy(), wanted, atol=1e-7)
    # Its own start, or its penalty, leave the gradient alone.
    _, idle = first_step(treated(metric="second", strength=4.0, acts=False))
    assert torch.equal(idle, plain)


def test_the_full_method_starts_smooth_and_decays_untransformed() -> None:
    metric = member("second", 4.0, "natural")
    start, _ = first_step(RUN)
    options = {"metric": "second", "strength": 4.0, "matched": True}
    smooth, plain = first_step(treated(**options))
    root = discrete.gram_power(metric, 96, -0.5) @ start.double().numpy()
    root *= np.linalg.norm(start.double().numpy()) / np.linalg.norm(root)
    assert np.allclose(smooth.numpy(), root, atol=1e-6)
    _, decayed = first_step(treated(**options, decay=0.1))
    assert torch.allclose(decayed - plain, -RUN.lr * 0.1 * smooth, atol=1e-7)


def test_a_rate_of_its_own_is_the_layers_alone() -> None:
    _, plain = first_step(RUN)
    _, faster = first_step(treated(rate=3.0))
    assert torch.allclose(faster, 3 * plain, atol=1e-7)


@pytest.mark.parametrize("layer", ["head", "hidden"])
def test_a_treatment_is_of_its_layer(layer) -> None:
    def after(run):
        task, model = prepare._task_and_model(run, ANGLES)
        task.step(torch.arange(32))
        return dict(model.named_parameters())

    plain, own = after(RUN), after(treated(metric="first", strength=3.0, layer=layer))
    changed = {name for name, value in own.items() if not torch.equal(value, plain[name])}
    assert changed == {prepare.LAYERS[layer]}


def test_coarse_bins_are_pairs_and_keep_their_probability() -> None:
    data = replace(ANGLES, outputs="level")
    output = torch.randn(5, 48, generator=torch.Generator().manual_seed(1))
    places = torch.tensor([0.2, 1.9, 50.0, 94.1, 95.9])
    found = Objective(data, Treatment(coarse=2)).errors(output, places)
    spread = output.softmax(1).repeat_interleave(2, 1) / 2
    assert torch.allclose(found, -spread[torch.arange(5), places.long()].log(), atol=1e-6)
    with pytest.raises(ValueError, match="coarse must divide the 96 bins"):
        _ = Objective(data, Treatment(coarse=5)).width


def test_a_mixture_of_logistics_is_a_distribution_over_the_bins() -> None:
    output = torch.randn(1, 3 * losses.LOGISTICS, dtype=torch.float64)
    every = torch.arange(64) + 0.5
    found = logistic_log_likelihood(output.expand(64, -1), every, 64)
    assert float(found.exp().sum()) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("found", "true", "error"), [(2, 2.5, 0.0), (0, 95.5, 45.0), (4, 6.5, 3.75)]
)
def test_errors_of_angles_are_capped_distances(found, true, error) -> None:
    output = torch.zeros(1, 96)
    output[0, found] = 1.0
    got = float(Objective(ANGLES, Treatment()).errors(output, torch.tensor([true])))
    assert ANGLES.unit == 1.875
    assert got == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize(("found", "true", "error"), [(2, 2.5, 0.0), (0, 95.5, 100.0), (4, 6, 30)])
def test_errors_of_pitches_are_capped_distances_on_a_line(found, true, error) -> None:
    data = replace(ANGLES, outputs="pitch", unit=20.0)
    output = torch.zeros(1, 96)
    output[0, found] = 1.0
    got = float(Objective(data, Treatment()).errors(output, torch.tensor([float(true)])))
    assert got == pytest.approx(error, abs=1e-4)
    with pytest.raises(ValueError, match="parametric is for angles and levels"):
        _ = Objective(data, Treatment(parametric=True)).width


def test_on_a_circle_the_short_way_counts() -> None:
    data = replace(ANGLES, boundary="periodic", unit=360 / 96)
    output = torch.zeros(1, 96)
    output[0, 0] = 1.0
    got = float(Objective(data, Treatment()).errors(output, torch.tensor([95.5])))
    assert got == pytest.approx(360 / 96)


def test_a_parametric_head_finds_the_angle_again() -> None:
    objective = Objective(ANGLES, Treatment(parametric=True))
    places = torch.tensor([3.0, 40.0, 90.0])
    turned = places * (ANGLES.unit * math.pi / 180)
    output = torch.stack([turned.cos(), turned.sin()], 1)
    assert objective.width == 2
    assert float(objective.loss(output, places)) == pytest.approx(0.0, abs=1e-9)
    assert torch.allclose(objective.errors(2 * output, places), torch.zeros(3), atol=1e-3)


def test_only_what_is_seen_counts_in_the_loss() -> None:
    objective = Objective(CURVES, Treatment())
    targets = torch.full((2, 64), math.nan)
    targets[0, 3], targets[1, 7] = 1.0, -1.0
    output = torch.zeros(2, 64, requires_grad=True)
    loss = objective.loss(output, targets)
    loss.backward()
    assert loss.item() == 1.0
    assert output.grad.nonzero().tolist() == [[0, 3], [1, 7]]


def test_the_best_epoch_on_validation_is_the_one_tested(monkeypatch) -> None:
    scores = iter([-3.0, -1.0, -2.0])
    states = []

    def judged(model, *_):
        states.append({k: v.clone() for k, v in model.state_dict().items()})
        return {"score": next(scores, -9.0), "loss": 1.0}

    monkeypatch.setattr(prepare, "judge", judged)
    record = train_run(replace(RUN, epochs=3))
    assert record["results"]["validation"] == -1.0
    assert len(states) == 4
    assert all(torch.equal(states[3][name], states[1][name]) for name in states[3])


def test_equal_runs_give_equal_results_and_seeds_do_not() -> None:
    run = treated(metric="fitted", strength=10.0, matched=True, decay=1e-3)
    one, same, other = (train_run(r)["results"] for r in (run, run, replace(run, seed=1)))
    assert one == same
    assert one["test"] != other["test"]


def test_the_smoother_of_a_fit_is_theorem_15s() -> None:
    fit = Metric(1.0, 0.5, 2.0, spacing="unit")
    spectrum = discrete.eigenvalues(fit, 16)
    smoother = smoother_of_fit(fit, float(spectrum[1]), 3.0)
    found = discrete.eigenvalues(smoother, 16)[1:]
    # I + (ν/σ²)M up to a factor, with ν/σ² such that the lowest mode has ν/s = 3.
    wanted = 1 + 3.0 * spectrum[1:] / spectrum[1]
    assert np.allclose(found, wanted / wanted[0])


def test_signal_and_noise_are_told_apart_without_bias() -> None:
    rng = np.random.default_rng(0)
    signal = np.zeros((16, 5))
    signal[:, :] = np.cos(np.pi * 2 * (np.arange(16) + 0.5) / 16)[:, None]
    found = [
        prediction.moments_by_mode(signal + 2.0 * rng.standard_normal((40, 16, 5)), "natural")
        for _ in range(200)
    ]
    noise = np.mean([n for _, n in found], 0)
    assert np.allclose(noise, 4.0 * 5, rtol=0.02)
    assert np.mean([s[2] for s, _ in found]) == pytest.approx((signal**2).sum(), rel=0.03)


@pytest.mark.parametrize("ratio", [0.5, 4.0])
def test_the_measured_lambda_is_theorem_14s(ratio) -> None:
    signal, noise = np.full(8, 2.0), np.full(8, 3.0)
    signal[0] = ratio
    wanted = ratio * (3.0 + 2.0) / (2.0 * (3.0 + ratio))
    assert prediction.measured_lambda(signal, noise) == pytest.approx(wanted)
    assert prediction.measured_lambda(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 1.0


def test_the_predicted_gain_is_none_for_no_metric_and_most_for_the_best() -> None:
    ell = discrete.laplacian_eigenvalues("natural", 32)
    metric = Metric(1.0, 1.0, 30.0, spacing="unit")
    noise = np.ones(32)
    # The signal whose best factors are a multiple of 1/λₘ.
    kappa = 0.9 / discrete.eigenvalues(metric, 32)
    signal = noise * kappa / (1 - kappa)
    best = prediction.predicted_gain(metric, signal, noise)
    assert prediction.predicted_gain(Metric.l2(), signal, noise) == pytest.approx(0.0)
    assert best > 0.3
    for other in (Metric(1.0, 1.0, 3.0, spacing="unit"), Metric(1.0, 1.0, 300.0, spacing="unit")):
        assert prediction.predicted_gain(other, signal, noise) < best
    assert ell[0] == 0


@pytest.mark.parametrize(
    ("options", "role"),
    [
        ({}, "base"),
        ({"metric": "first", "strength": 2.0}, "metric"),
        ({"metric": "first", "strength": 2.0, "acts": False, "matched": True}, "control"),
        ({"metric": "first", "strength": 2.0, "acts": False, "penalty": 0.1}, "rival"),
        ({"decay": 0.1}, "control"),
        ({"spread": 2.0}, "rival"),
        ({"coarse": 2}, "rival"),
        ({"parametric": True}, "rival"),
    ],
)
def test_roles(options, role) -> None:
    assert Treatment(**options).role == role


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "first"}, "a metric has a strength > 0"),
        ({"strength": 2.0}, "a metric has a strength > 0"),
        ({"matched": True}, "matched and penalty need a metric"),
        ({"spread": -1.0}, "spread must be >= 0"),
        ({"metric": "third", "strength": 1.0}, "metric must be one of"),
    ],
)
def test_bad_treatments_are_refused(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        Treatment(**options)
