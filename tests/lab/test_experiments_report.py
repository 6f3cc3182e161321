"""A report says what the records say, whatever order they came in and however many there are."""

import random
from dataclasses import replace

import pytest

from cdg_torch.lab.drawing import HUES
from cdg_torch.lab.train import plots, store
from cdg_torch.lab.train.analysis import summarise
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.protocol import Experiment
from cdg_torch.lab.train.report import write_report
from cdg_torch.lab.train.runs import Run
from tests.tools import records
from tests.tools.records import chosen, record

EXPERIMENT = replace(records.EXPERIMENT, select_seeds=2, final_seeds=6)
RATES = {("SGD", 8): 0.1, ("H⁰", 8): 0.01}


def score_of(run: Run) -> float:
    """Let the second method prefer the small rate, and gain a point by it."""
    gain = 0.01 * (run.method.metric is not None)
    return 0.9 + gain + 1e-4 * (run.seed % 7) - 0.1 * (run.lr != RATES[run.method.name, 8])


def records_of(experiment: Experiment) -> list[dict]:
    runs = experiment.select_runs() + experiment.final_runs(chosen(experiment, RATES))
    return [record(run, score_of(run)) for run in runs]


def report_of(records, folder) -> str:
    path = folder / "it.jsonl"
    for one in records:
        store.append(path, one)
    return write_report([path], folder).read_text()


def test_the_order_of_completion_does_not_show(tmp_path) -> None:
    records = records_of(EXPERIMENT)
    texts = []
    for seed in range(3):
        random.Random(seed).shuffle(records)
        folder = tmp_path / str(seed)
        folder.mkdir()
        texts.append(report_of(records, folder))
    assert texts[0] == texts[1] == texts[2]
    assert texts[0].index("| SGD |") < texts[0].index("| H⁰ |")


def test_a_table_can_be_included_by_name(tmp_path) -> None:
    text = report_of(records_of(EXPERIMENT), tmp_path)
    table = text.split("<!-- it 8 -->")[1].split("<!-- end -->")[0]
    assert "| H⁰ | 0.01 | 91.03" in table
    assert "+1.00 ± 0.00" in table
    assert "Seeds: 6, comparisons: 1." in text


def test_a_search_is_ranked_by_validation_alone(tmp_path) -> None:
    text = report_of(records_of(replace(EXPERIMENT, final_seeds=0)), tmp_path)
    assert "the test images were not touched" in text
    assert text.index("| H⁰ | 8 | 0.01 | 0.91") < text.index("| SGD | 8 | 0.1 | 0.90")


def test_seeds_that_both_have_are_compared_while_runs_are_missing() -> None:
    records = records_of(EXPERIMENT)[:-3]  # of the last seeds: both, and one method
    rows = {row.method.name: row for row in summarise(records)}
    assert (len(rows["SGD"].scores), len(rows["H⁰"].scores)) == (5, 4)
    assert rows["H⁰"].comparison.pairs == 4


def test_runs_at_a_rate_that_is_no_longer_chosen_do_not_count() -> None:
    stale = [
        record(run, 0.1)
        for run in EXPERIMENT.final_runs(chosen(EXPERIMENT, {("SGD", 8): 0.01, ("H⁰", 8): 0.1}))
    ]
    rows = summarise([*stale, *records_of(EXPERIMENT)])
    assert [row.lr for row in rows] == [0.1, 0.01]
    assert all(row.score.mean > 0.8 for row in rows)


def test_every_method_is_drawn_however_many(tmp_path, monkeypatch) -> None:
    many = tuple(Method(name=f"m{index}") for index in range(len(HUES) + 2))
    rates = {(method.name, 8): 0.1 for method in many}
    experiment = replace(EXPERIMENT, methods=many)
    drawn = []
    monkeypatch.setattr(plots, "mean_interval", lambda _: drawn.append(1) or Interval())

    class Interval:
        mean = low = high = 0.5

    records = [record(run, 0.9) for run in experiment.final_runs(chosen(experiment, rates))]
    plots.draw_training(records, "many", tmp_path / "many.png")
    assert len(drawn) == 2 * len(many)


def test_a_file_without_records_is_refused(tmp_path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ValueError, match="holds no record"):
        write_report([tmp_path / "empty.jsonl"], tmp_path)
