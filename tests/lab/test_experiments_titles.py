"""Sections and figures of a report are called what ``titles.toml`` beside the records says."""

from pathlib import Path

import pytest

from cdg_torch.lab.train import report
from cdg_torch.lab.train.report import write_report
from cdg_torch.lab.train.specs import read_specs
from cdg_torch.lab.train.titles import read_titles
from tests.lab.test_experiments_report import EXPERIMENT, records_of, report_of

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def test_the_title_heads_section_and_figures(tmp_path, monkeypatch) -> None:
    drawn = []

    def draw(_rows, title, _path) -> None:
        drawn.append(title)

    monkeypatch.setattr(report, "draw_training", draw)
    monkeypatch.setattr(report, "draw_differences", draw)
    (tmp_path / "titles.toml").write_text('it = "The rate decides"\n')
    text = report_of(records_of(EXPERIMENT), tmp_path)
    assert "## The rate decides\n" in text
    assert drawn == ["The rate decides", "The rate decides (batch 8)"]
    assert "<!-- it 8 -->" in text  # pages include by name


def test_a_line_of_the_overview_begins_with_the_short_title(tmp_path, monkeypatch) -> None:
    for name in ("draw_training", "draw_differences"):
        monkeypatch.setattr(report, name, lambda *_: None)
    write_report([RESULTS / "records" / "ordered-jitter.jsonl"], tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    overview = text.partition("<!-- ordered overview -->")[2]
    assert "\n| Angles of shoes, labels jittered by 20° (degrees) | -" in overview


def test_without_a_title_name_and_data_are_said(tmp_path) -> None:
    assert "## it: handwritten digits\n" in report_of(records_of(EXPERIMENT), tmp_path)


def test_words_say_what_a_figure_shows(tmp_path) -> None:
    text = report_of(records_of(EXPERIMENT), tmp_path)
    assert "![Differences to the baseline with their intervals; above 0: H⁰ (batch 8)]" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [("it = 3", "title of 'it' must be text, got 3"), ("it = ", "is not a TOML file")],
)
def test_what_is_no_title_is_refused(tmp_path, text, message) -> None:
    report_of(records_of(EXPERIMENT), tmp_path)
    (tmp_path / "titles.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        write_report([tmp_path / "it.jsonl"], tmp_path)


def test_the_committed_titles_are_of_committed_specs() -> None:
    specs = read_specs(sorted((RESULTS / "specs").rglob("*.toml")))
    titles = read_titles(RESULTS / "records")
    names = {experiment.name for experiment in specs}
    assert titles.keys() <= names
    assert len(set(titles.values())) == len(titles)
    text = (RESULTS / "records" / "report.md").read_text(encoding="utf-8")
    headings = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    assert headings
    assert not headings & names
