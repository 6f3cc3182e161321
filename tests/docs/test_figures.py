"""Figures have labels on their axes, lines told apart without colour, legends beside the lines."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

mpl = pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402

from cdg_theory.display import FIGURES  # noqa: E402
from cdg_torch.lab.bench.figures import draw_cost, draw_scaling  # noqa: E402
from cdg_torch.lab.bench.measurements import Cost, Machine, Measurements  # noqa: E402
from cdg_torch.lab.train.networks.correlations import (  # noqa: E402
    correlations,
    draw_correlations,
)
from cdg_torch.lab.train.networks.orders import fit_orders, judge_orders  # noqa: E402
from cdg_torch.lab.train.networks.sorting import sort_tensors  # noqa: E402
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


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return what is wrong with each figure that is saved from here on."""
    figures: list[list[str]] = []

    def look(figure: Figure, file: Path, **_: object) -> None:
        figures.append(faults(figure))
        file.touch()

    monkeypatch.setattr(Figure, "savefig", look)
    return figures


def test_the_figures_of_reports(found: list[list[str]], tmp_path: Path) -> None:
    folder = DOCS / "results" / "records"
    write_report([folder / "batches.jsonl", folder / "ordered-jitter.jsonl"], tmp_path)
    assert found == [[]] * 4


def test_the_figures_of_costs(found: list[list[str]], tmp_path: Path) -> None:
    kept = json.loads((DOCS / "results" / "cost.json").read_text(encoding="utf-8"))
    measured = Measurements("cdg bench", Machine(**kept["machine"]))
    measured.rows = [Cost(**row) for row in kept["rows"]]
    measured.scaling = {
        name: {int(n): time for n, time in by_n.items()} for name, by_n in kept["scaling"].items()
    }
    draw_cost(measured, tmp_path / "cost.png")
    draw_scaling(measured, tmp_path / "scaling.png")
    assert found == [[], []]


def test_the_figures_of_correlations(found: list[list[str]], tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(2, 24, 12, 3, 3, generator=generator).cumsum(1)
    tree = {f"layer{index}.weight": weight for index, weight in enumerate(weights)}
    orders = judge_orders(list(fit_orders(sort_tensors(tree))))
    assert {order.verdict for order in orders} == {"ordered"}
    draw_correlations(correlations(tree), orders, "two layers", tmp_path / "it.png")
    assert found == [[]]
