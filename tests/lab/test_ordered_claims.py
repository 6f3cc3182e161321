"""What the pages say of ordered outputs is what the committed records give."""

from pathlib import Path

import pytest

from cdg_torch.lab.train import store
from cdg_torch.lab.train.analysis import summarise
from cdg_torch.lab.train.headline import HEADLINE, duels
from cdg_torch.lab.train.protocol import choose_candidates
from cdg_torch.lab.train.specs import read_specs
from cdg_torch.lab.train.statistics import compare, holm

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
TASKS = ("shoes", "jitter", "digits", "pitch", "grey", "profiles", "curves", "spectra")
# Against whom the full method is not better: by task, where it is worse, and where undecided.
NOT_BETTER = {
    "ordered-shoes": ({"soft targets"}, set()),
    "ordered-jitter": (set(), {"soft targets", "parametric head"}),
    "ordered-digits": ({"soft targets"}, {"penalty, second order"}),
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
    "ordered-grey": ({"parametric head"}, set()),
    "ordered-rivals-shoes": ({"soft targets"}, set()),
    "ordered-rivals-jitter": ({"soft targets"}, set()),
    "ordered-rivals-digits": ({"soft targets"}, {"penalty, second order"}),
    "ordered-adam-curves": (set(), set()),
    "ordered-adamw-curves": (set(), {"spread targets"}),
    "ordered-bins-shoes-24": ({"spread targets"}, set()),
    "ordered-bins-shoes-384": ({"spread targets"}, set()),
    "ordered-bins-curves-16": (set(), {"spread targets"}),
    "ordered-bins-curves-128": (set(), {"spread targets"}),
    "ordered-noise-shoes-20": ({"spread targets"}, set()),
    "ordered-noise-shoes-40": (set(), {"spread targets"}),
    "ordered-noise-curves-50": (set(), set()),
    "ordered-noise-curves-150": ({"spread targets"}, set()),
    "ordered-profiles": (
        {"penalty, first order"},
        {
            "SGD",
            "own rate",
            "decay",
            "matched start",
            "matched start, decay",
            "penalty, second order",
            "smoothed targets",
        },
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


def test_on_hidden_layers_only_the_gain_of_h0_on_curves_is_repeated() -> None:
    again = {}
    for task in ("digits", "curves"):
        rows = {row.method.name: row for row in rows_of(f"ordered-again-{task}")}
        again[task] = {name: rows[name].comparison.difference for name in ("H⁰", "second order")}
    assert not any(gain.excludes_zero for gain in again["digits"].values())
    assert not again["curves"]["second order"].excludes_zero
    assert again["curves"]["H⁰"].low > 0
    over_a_rate = compare(rows["H⁰"].scores, rows["own rate"].scores)
    assert over_a_rate.difference.low > 0
    assert over_a_rate.p_value < 0.001


# What the metric adds to a rival: where it is more than noise, after correction over the task.
ADDS = {
    ("pitch", "soft targets"): 1,
    ("digits", "penalty, second order"): 1,
    ("digits", "soft targets"): -1,
    **dict.fromkeys([(task, "coarse bins") for task in ("shoes", "jitter", "digits", "pitch")], 1),
}


@pytest.mark.parametrize("task", ["shoes", "jitter", "digits", "pitch", "curves"])
def test_what_the_metric_adds_to_rivals(task) -> None:
    rows = {row.method.name: row for row in rows_of(f"ordered-rivals-{task}")}
    rivals = [name for name in rows if f"{name}, with the metric" in rows]
    gains = [compare(rows[f"{name}, with the metric"].scores, rows[name].scores) for name in rivals]
    for rival, gain, p in zip(rivals, gains, holm([gain.p_value for gain in gains]), strict=True):
        told = p < 0.01 and gain.difference.excludes_zero
        sign = ADDS.get((task, rival), 0)
        assert told == bool(sign)
        assert not sign or gain.difference.mean * sign > 0
    if task == "pitch":
        best = max(rows.values(), key=lambda row: row.score.mean)
        assert best.method.name == "soft targets, with the metric"


@pytest.mark.parametrize(
    ("name", "saved"),
    [("adam-shoes", 20), ("adamw-shoes", 21), ("adam-curves", 43), ("adamw-curves", 43)],
)
def test_with_adam_half_of_the_gain_is_the_start_s_and_h0_has_none(name, saved) -> None:
    rows = {row.method.name: row for row in rows_of(f"ordered-{name}")}
    base = next(row for row in rows.values() if row.comparison is None).score.mean
    gains = {name: (row.score.mean - base) / -base for name, row in rows.items()}
    assert round(100 * gains[HEADLINE]) == saved
    start = max(gains["matched start"], gains["matched start, decay"])
    assert 0.4 < start / gains[HEADLINE] < 0.6
    alone = {"shoes": (0.06, 0.065), "curves": (0.255, 0.315)}[name.partition("-")[2]]
    assert alone[0] < gains["second order"] < alone[1]
    assert 0 < gains["fitted, full"] < gains["first order, full"] < gains[HEADLINE]
    h0 = rows["H⁰"].comparison.difference
    assert (h0.high if "curves" in name else h0.low) < 0


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
    (penalty,) = rows_of(f"ordered-time-penalty-{task}")
    assert compare(full.scores, penalty.scores).difference.low > 0


def test_predicted_gains_came_and_predicted_losses_did_not() -> None:
    lines = (RESULTS / "prediction.inc").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    found = [
        (row[0], row[1], row[2], float(row[3]), *map(float, row[4].split(" ± ")))
        for row in cells
        if len(row) == 5 and "±" in row[4]
    ]
    heads = [row for row in found if row[1] == "head"]
    promised = [row for row in heads if row[3] > 0.01]
    assert (len(found), len(heads), len(promised)) == (41, 32, 15)
    assert all(gain > reach for *_, gain, reach in promised)
    lost = [row for row in heads if row[3] < -0.01]
    assert {row[0] for row in lost} == {"grey", "profiles", "spectra"}
    assert all(gain > -reach for *_, gain, reach in lost)
    gains = [gain for task, _, _, _, gain, _ in lost if task == "grey"]
    assert all(0.015 < gain < 0.035 for gain in gains)
    assert len(gains) == 3
    ranks = {row[0]: row[2] for row in cells if len(row) == 3}
    assert ranks["all"] == "+0.64"
    assert ranks["heads"] == "+0.74"
    assert ranks["heads with a predicted gain above 0.01"] == "+0.33"
    assert ranks["hidden layers"] == "-0.42"


SPECS = read_specs(sorted((RESULTS / "specs").glob("ordered_*.toml")))


@pytest.mark.parametrize("experiment", SPECS, ids=lambda experiment: experiment.name)
def test_the_records_are_those_of_the_spec(experiment) -> None:
    records = store.read(RESULTS / "records" / f"{experiment.name}.jsonl")
    chosen = choose_candidates(records[run.key] for run in experiment.select_runs())
    runs = [*experiment.select_runs(), *experiment.final_runs(chosen)]
    assert {run.key for run in runs} == records.keys()


def test_every_ordered_record_has_a_spec() -> None:
    files = {path.stem for path in (RESULTS / "records").glob("ordered-*.jsonl")}
    assert files == {experiment.name for experiment in SPECS}


def better(name):
    """Whether the full method is better than the base and every control, and what it saves."""
    rows = rows_of(name)
    outcomes = {duel.outcome for duel in duels(rows) if duel.role != "rival"}
    by_name = {row.method.name: row for row in rows}
    gain = compare(by_name[HEADLINE].scores, by_name["SGD"].scores).difference.mean
    return outcomes == {"better"}, round(100 * gain / -by_name["SGD"].score.mean)


def test_the_share_that_is_saved_is_what_the_pages_say() -> None:
    found = [better(f"ordered-{task}") for task in TASKS]
    saved = [share for is_better, share in found if is_better]
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"]
    tasks = f"on {numbers[len(saved)]} small tasks of {numbers[len(found)]}"
    claim = f"saved {min(saved)} % to {max(saved)} % of tuned SGD's error {tasks}"
    for page in ("README.md", "docs/results/ordered.md"):
        assert claim in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def test_the_metric_alone_gains_the_shares_that_the_pages_say() -> None:
    shares = {}
    for task in TASKS:
        rows = {row.method.name: row for row in rows_of(f"ordered-{task}")}
        base = rows["SGD"].score.mean
        gains = [rows[name].score.mean - base for name in ("second order", HEADLINE)]
        shares[task] = round(100 * gains[0] / gains[1])
    assert {shares[task] for task in ("grey", "curves", "shoes", "digits")} <= {*range(57, 63)}
    assert (shares["pitch"], shares["jitter"], shares["spectra"]) == (32, 17, 7)
