"""What the pages say of ordered outputs is what the committed records give."""

from pathlib import Path

import pytest

from cdg_torch.lab.train import store
from cdg_torch.lab.train.analysis import summarise
from cdg_torch.lab.train.headline import HEADLINE, duels
from cdg_torch.lab.train.specs import read_specs
from cdg_torch.lab.train.statistics import compare

RESULTS = Path(__file__).parents[2] / "docs" / "results"
# Against whom the full method is not better: by task, where it is worse, and where undecided.
NOT_BETTER = {
    "ordered-shoes": ({"soft targets"}, {"penalty, first order", "penalty, second order"}),
    "ordered-jitter": (set(), {"soft targets", "parametric head"}),
    "ordered-digits": (
        set(),
        {"penalty, first order", "penalty, second order", "soft targets"},
    ),
    "ordered-curves": (set(), {"penalty, second order", "smoothed targets"}),
    "ordered-pitch": ({"soft targets"}, {"penalty, second order"}),
    "ordered-spectra": (set(), set()),
    "ordered-rivals-pitch": ({"soft targets"}, {"penalty, second order"}),
    "ordered-adam-shoes": ({"spread targets"}, set()),
    "ordered-adamw-shoes": ({"spread targets"}, set()),
    "ordered-size-shoes-100": ({"spread targets"}, set()),
    "ordered-cross-shoes": ({"spread targets"}, set()),
    "ordered-size-shoes-1000": ({"spread targets"}, set()),
    "ordered-size-shoes-3000": ({"spread targets"}, set()),
    "ordered-rivals-curves": ({"smoothed targets", "penalty, second order"}, set()),
    "ordered-size-curves-300": (set(), set()),
    "ordered-cross-curves": (set(), {"spread targets"}),
    "ordered-size-curves-3000": (set(), {"spread targets"}),
    "ordered-profiles": (
        {"decay", "matched start", "matched start, decay", "penalty, second order"},
        {"SGD", "own rate", "penalty, first order", "smoothed targets"},
    ),
}


def rows_of(name):
    return summarise(store.read_checked(RESULTS / "records" / f"{name}.jsonl").values())


@pytest.mark.parametrize("name", NOT_BETTER)
def test_the_full_method_is_better_than_all_but_those_named(name) -> None:
    found = {duel.other.method.name: duel.outcome for duel in duels(rows_of(name))}
    worse, undecided = NOT_BETTER[name]
    assert {other for other, outcome in found.items() if outcome == "worse"} == worse
    assert {other for other, outcome in found.items() if outcome == "undecided"} == undecided


def test_every_headline_experiment_is_spoken_of() -> None:
    files = {path.stem for path in (RESULTS / "records").glob("ordered-*.jsonl")}
    assert {name for name in files if duels(rows_of(name))} == set(NOT_BETTER)


def test_on_the_hidden_layer_a_rate_gains_what_the_metrics_gain() -> None:
    rows = {row.method.name: row for row in rows_of("ordered-hidden-shoes")}
    reach = rows["own rate"].comparison.difference
    for name in ("H⁰", "second order"):
        other = rows[name].comparison.difference
        assert reach.low < other.mean < reach.high
    assert not rows["H⁰, λ of theorem 14"].comparison.difference.excludes_zero
    assert not rows["smooth start"].comparison.difference.excludes_zero
    assert rows["smooth start, second order, decay"].comparison.difference.high < 0


@pytest.mark.parametrize("rival", ["smoothed targets", "penalty, second order"])
def test_on_curves_the_metric_adds_nothing_to_rivals(rival) -> None:
    rows = {row.method.name: row for row in rows_of("ordered-rivals-curves")}
    gain = compare(rows[f"{rival}, with the metric"].scores, rows[rival].scores)
    assert not gain.difference.excludes_zero


def test_the_metric_adds_to_soft_targets_on_pitch_and_not_to_the_penalty() -> None:
    rows = {row.method.name: row for row in rows_of("ordered-rivals-pitch")}
    gains = {
        name: compare(rows[f"{name}, with the metric"].scores, rows[name].scores)
        for name in ("soft targets", "penalty, second order")
    }
    assert gains["soft targets"].difference.low > 0
    assert 2 * gains["soft targets"].p_value < 0.01
    assert not gains["penalty, second order"].difference.excludes_zero
    best = max(rows.values(), key=lambda row: row.score.mean)
    assert best.method.name == "soft targets, with the metric"


@pytest.mark.parametrize(
    "names",
    [
        ("cross-shoes", "size-shoes-1000", "size-shoes-3000"),
        ("size-curves-300", "cross-curves", "size-curves-3000"),
    ],
)
def test_the_gain_shrinks_with_samples_and_does_not_end(names) -> None:
    saved = []
    for name in names:
        rows = {row.method.name: row for row in rows_of(f"ordered-{name}")}
        gain = compare(rows[HEADLINE].scores, rows["SGD"].scores)
        assert gain.difference.low > 0
        saved.append(gain.difference.mean / -rows["SGD"].score.mean)
    assert saved == sorted(saved, reverse=True)
    assert saved[-1] > 0.1


@pytest.mark.parametrize("task", ["shoes", "curves"])
def test_at_equal_time_controls_stay_behind_and_soft_targets_are_ahead(task) -> None:
    full = {row.method.name: row for row in rows_of(f"ordered-cross-{task}")}[HEADLINE]
    gains = {
        row.method.name: compare(full.scores, row.scores).difference
        for row in rows_of(f"ordered-time-{task}")
    }
    assert gains["SGD"].low > 0
    assert gains["decay"].low > 0
    assert gains["spread targets"].high < 0


def test_predicted_gains_came_and_predicted_losses_not_all() -> None:
    lines = (RESULTS / "prediction.inc").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    found = [(row[0], row[1], row[2], float(row[3]), float(row[4].split()[0]))
             for row in cells if len(row) == 5 and "±" in row[4]]  # fmt: skip
    heads = [row for row in found if row[1] == "head"]
    promised = [row for row in heads if row[3] > 0.01]
    assert (len(found), len(heads), len(promised)) == (31, 28, 15)
    assert [row[:3] for row in promised if row[4] < 0] == [("shoes", "head", "fitted")]
    lost = [row for row in heads if row[3] < -0.01]
    assert {row[0] for row in lost} == {"profiles", "spectra"}
    assert all(row[4] < 0 for row in lost if row[0] == "profiles")
    assert all(row[4] > 0 for row in lost if row[0] == "spectra" and row[2] != "H⁰")
    ranks = {row[0]: row[2] for row in cells if len(row) == 3}
    assert ranks["all"] == "+0.81"
    assert ranks["heads with a predicted gain above 0.01"] == "+0.30"


def test_stages_that_were_not_run_can_be_read() -> None:
    more = read_specs(sorted((RESULTS / "specs" / "more").glob("*.toml")))
    assert all(experiment.final_seeds >= 10 for experiment in more)
    assert len({experiment.name for experiment in more}) == len(more)
