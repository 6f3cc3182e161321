"""Figures have labels on their axes, lines told apart without colour, legends beside the lines."""

from pathlib import Path
from typing import Any

import pytest

mpl = pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402

from cdg_theory.display import FIGURES  # noqa: E402
from cdg_torch.lab.train.report import write_report  # noqa: E402
from tests.tools.figures import faults  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"


def drawn(*dashes: str, **words: str) -> tuple[Figure, Any]:
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    for number, dash in enumerate(dashes):
        axes.plot([0, 1], [number, 1 - number], dash, label=f"line {number}")
    axes.set(**({"xlabel": "channel", "ylabel": "gradient"} | words))
    return figure, axes


def test_a_good_figure_has_no_fault() -> None:
    figure, axes = drawn("-", "--")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center")
    assert faults(figure) == []


def test_a_shared_axis_is_labelled_once() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        axes.plot([0, 1])
        axes.set_xlabel("channel")
    assert faults(figure) == ["no label on an y axis"] * 2
    left.set_ylabel("gradient")
    assert faults(figure) == []


def test_planted_faults_are_seen() -> None:
    assert faults(drawn("-", xlabel="")[0]) == ["no label on an x axis"]
    assert faults(drawn("-", "-")[0]) == ["'line 0' and 'line 1' differ in colour alone"]
    assert faults(drawn("o-", "s-")[0]) == []
    figure, axes = drawn("-")
    axes.legend(loc="center")
    assert faults(figure) == ["the legend covers 'line 0'"]


def test_the_style_of_the_pages_tells_lines_apart() -> None:
    with mpl.rc_context(FIGURES):
        figure = Figure()
        axes = figure.subplots()
        for number in range(6):
            axes.plot([0, 1], label=f"line {number}")
        axes.set(xlabel="channel", ylabel="gradient")
        assert faults(figure) == []


def test_the_figures_of_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[list[str]] = []

    def look(figure: Figure, file: Path, **_: object) -> None:
        figures.append(faults(figure))
        file.touch()

    monkeypatch.setattr(Figure, "savefig", look)
    files = [
        DOCS / "results" / "records" / f"{name}.jsonl" for name in ("batches", "ordered-jitter")
    ]
    write_report(files, tmp_path)
    assert figures == [[]] * 4
