"""Options of a method and of an experiment do what they say: schedules, layers, searches, seeds."""

from dataclasses import replace

import pytest
import torch

from cdg_torch import blend
from cdg_torch.attachment import attached
from cdg_torch.lab.train import data
from cdg_torch.lab.train.data import Dataset, Split
from cdg_torch.lab.train.methods import SCHEDULES, Method
from cdg_torch.lab.train.models import build
from cdg_torch.lab.train.protocol import conduct
from cdg_torch.lab.train.training import train_run
from tests.tools.records import EXPERIMENT, RUN, SMOOTH, chosen, evaluations

METRIC = SMOOTH.metric


@pytest.mark.parametrize(
    ("layers", "expected"), [("first", {"0.weight"}), ("rest", {"3.weight", "7.weight"})]
)
@pytest.mark.parametrize("direction", ["output", "input"])
def test_layers_are_counted_from_the_input(layers, expected, direction) -> None:
    model = build("tiny-cnn", 3, 10)
    method = Method(name="x", metric=METRIC, layers=layers, direction=direction)
    report = attached(method.make_optimizer(model, 0.1)).report()
    acted = {row.name: row.dim for row in report if row.metric is not None}
    assert acted == dict.fromkeys(expected, 0 if direction == "output" else 1)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_schedule_reaches_no_smoothing_with_the_last_step(schedule, monkeypatch) -> None:
    metrics = []
    make = torch.optim.SGD.step

    def spy(optimizer, *arguments):
        metrics.append(attached(optimizer).metric)
        return make(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    train_run(replace(RUN, method=replace(SMOOTH, schedule=schedule)))
    assert metrics[0] == METRIC
    assert metrics[len(metrics) // 2] == blend(METRIC, 0.5)
    assert 1 < metrics[-1].fluctuation < 1.5
    strengths = [metric.fluctuation for metric in metrics]
    assert strengths == sorted(strengths, reverse=True)


@pytest.mark.parametrize(
    "change", [{"schedule": "linear"}, {"layers": "first"}, {"layers": "rest"}]
)
def test_every_option_changes_the_training(change) -> None:
    other = replace(RUN, method=replace(SMOOTH, **change))
    assert other.key != RUN.key
    assert train_run(other)["results"] != train_run(RUN)["results"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"direction": "kernel", "metric": METRIC, "match_norm": True}, "along channels only"),
        ({"centralize": True, "metric": METRIC}, "exclude each other"),
        ({"schedule": "linear"}, "schedule is served for a metric along channels only"),
        ({"metric": METRIC, "direction": "raster", "layers": "first"}, "layers is served"),
        ({"metric": METRIC, "layers": "last"}, "layers must be one of 'all', 'first', 'rest'"),
        ({"metric": METRIC, "schedule": "up"}, "schedule must be one of 'linear', 'cosine'"),
    ],
)
def test_what_would_do_nothing_is_refused(fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        Method(name="x", **fields)


@pytest.mark.parametrize("model", ["unet", "dcgan"])
def test_augmentation_where_it_would_spoil_the_target_is_refused(model, monkeypatch) -> None:
    pixels = Split(torch.zeros(8, 1, 28, 28), torch.zeros(8, 28, 28, dtype=torch.int64))
    dataset = Dataset("pixels", pixels, pixels, pixels, 10)
    monkeypatch.setitem(data.DATASETS, "pixels", lambda: dataset)
    run = replace(RUN, data="pixels", options={}, model=model, augment=True)
    with pytest.raises(ValueError, match=r"augment .* drop it"):
        train_run(run)


def test_a_search_never_meets_the_test(tmp_path, monkeypatch) -> None:
    seen = evaluations(monkeypatch)
    options = {"train": 32, "validation": 16}
    search = replace(EXPERIMENT, options=options, rates=(0.03,), select_seeds=1, final_seeds=0)
    records = conduct(search, tmp_path / "search.jsonl", workers=0)
    assert len(records) == search.run_count == 2
    assert [split.images is dataset.test.images for split, dataset in seen] == [False, False]
    assert not any("test" in record["results"] for record in records)


def test_seeds_of_a_confirmation_are_its_own() -> None:
    rates = {("SGD", 8): 0.03, ("H⁰", 8): 0.03}
    first = replace(EXPERIMENT, final_seeds=12, select_seeds=3)
    second = replace(first, first_seed=100)
    seeds = [
        {
            run.seed
            for run in [
                *experiment.select_runs(),
                *experiment.final_runs(chosen(experiment, rates)),
            ]
        }
        for experiment in (first, second)
    ]
    assert [len(own) for own in seeds] == [15, 15]
    assert not seeds[0] & seeds[1]
    with pytest.raises(ValueError, match="the last seed below 10000"):
        replace(first, first_seed=9_999)
