"""The committed records are the runs that the committed specs ask for, and the report is theirs."""

from pathlib import Path

import pytest

from cdg_torch.lab.train import report, store
from cdg_torch.lab.train.protocol import choose_candidates
from cdg_torch.lab.train.specs import read_specs

RESULTS = Path(__file__).parents[2] / "docs" / "results"
EXPERIMENTS = read_specs(sorted((RESULTS / "specs").glob("*.toml")))
FILES = sorted((RESULTS / "records").glob("*.jsonl"))


def test_every_file_of_records_has_a_spec_and_every_spec_a_file() -> None:
    assert {path.stem for path in FILES} == {experiment.name for experiment in EXPERIMENTS}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_no_run_is_missing_and_none_was_added(experiment) -> None:
    records = store.read(RESULTS / "records" / f"{experiment.name}.jsonl")
    chosen = choose_candidates(records.values())
    runs = [*experiment.select_runs(), *experiment.final_runs(chosen)]
    assert {run.key: run.as_dict() for run in runs} == {
        key: record["run"] for key, record in records.items()
    }


def test_the_committed_report_is_what_the_records_give(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(report, "draw_training", lambda *_: None)
    monkeypatch.setattr(
        report, "draw_differences", lambda rows, *_: any(row.comparison for row in rows)
    )
    fresh = report.write_report(FILES, tmp_path).read_text()
    assert fresh == (RESULTS / "records" / "report.md").read_text()


def test_every_experiment_at_the_scale_of_the_paper_can_be_read() -> None:
    large = read_specs(sorted((RESULTS / "specs" / "large").glob("*.toml")))
    assert all(experiment.final_seeds >= 10 for experiment in large)
