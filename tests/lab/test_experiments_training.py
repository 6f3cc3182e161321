"""A run's record depends on the run alone: seed, method, rate; and methods act as they say."""

from dataclasses import replace

import pytest
import torch

from cdg_theory import Metric
from cdg_torch.attachment import attached
from cdg_torch.lab.train.data import load_dataset
from cdg_torch.lab.train.methods import OPTIMIZERS, Method
from cdg_torch.lab.train.models import MODELS, build
from cdg_torch.lab.train.training import train_run
from tests.tools.records import RUN, SGD


def test_the_same_run_gives_the_same_results() -> None:
    torch.set_num_threads(1)
    first, second = train_run(RUN), train_run(RUN)
    assert first["results"] == second["results"]
    assert first["key"] == second["key"] == RUN.key


@pytest.mark.parametrize("change", [{"seed": 4}, {"lr": 0.06}, {"method": SGD}])
def test_what_the_run_says_matters(change) -> None:
    other = replace(RUN, **change)
    assert other.key != RUN.key
    assert train_run(other)["results"] != train_run(RUN)["results"]


def test_the_seed_fixes_initial_weights_for_every_method() -> None:
    """Pairing by seed means something: the loss of the first batch is the same."""
    one_step = {"options": {"train": 8, "validation": 16}, "epochs": 1}
    losses = {
        train_run(replace(RUN, method=method, **one_step))["results"]["curve"][0]["train_loss"]
        for method in (RUN.method, SGD, Method(name="Adam", optimizer="adam"))
    }
    assert len(losses) == 1


def test_a_diverged_run_is_a_result() -> None:
    results = train_run(replace(RUN, lr=1e30, epochs=3))["results"]
    assert results["diverged"]
    assert 0 <= results["test"] <= 1
    assert len(results["curve"]) < 3


def test_splits_are_disjoint_and_standardised() -> None:
    dataset = load_dataset("digits", {})
    parts = [dataset.train, dataset.validation, dataset.test]
    assert [len(part) for part in parts] == [1000, 200, 597]
    images = [{image.numpy().tobytes() for image in part.images} for part in parts]
    assert not images[0] & images[2]
    assert not images[0] & images[1]
    assert dataset.train.images.mean().abs() < 1e-5
    assert dataset.train.images.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_take_images_and_give_scores(name) -> None:
    model = build(name, 3, 5)
    size = 64 if name == "resnet50" else 32
    output = model(torch.randn(2, 3, size, size))
    assert tuple(output.shape[:2]) == (2, 5)


def test_input_direction_is_the_other_channel_axis() -> None:
    model = build("unet", 1, 3)
    method = Method(name="input", metric=Metric.reweighted_h0(4.0), direction="input")
    report = attached(method.make_optimizer(model, 0.1)).report()
    axes = {row.name: row.dim for row in report if row.metric is not None}
    assert axes["up2.weight"] == 0  # transposed: (in, out, …)
    assert axes["bottom.0.weight"] == 1
    assert "down1.0.weight" not in axes  # one input channel


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_without_a_metric_nothing_is_attached(optimizer) -> None:
    model = build("tiny-cnn", 1, 10)
    assert attached(Method(name="x", optimizer=optimizer).make_optimizer(model, 0.1)) is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "x", "optimiser": "sgd"}, "unknown keys of a method"),
        ({"name": "x", "optimizer": "lion"}, "optimizer must be one of"),
        ({"name": "x", "direction": "up"}, "direction must be one of"),
    ],
)
def test_bad_methods_are_refused(table, message) -> None:
    with pytest.raises(ValueError, match=message):
        Method.parse(table)
