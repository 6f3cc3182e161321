"""Figures of an experiment: learning curves and channel correlations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_torch.lab.drawing import figure_of, headline, looks
from cdg_torch.lab.train.statistics import mean_interval

if TYPE_CHECKING:
    from pathlib import Path

    from cdg_torch.lab.train.runs import Record


def _by_method(records: Sequence[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record["run"]["stage"] == "final":
            groups[record["run"]["method"]["name"]].append(record)
    return groups


def _curves(axes: Any, groups: dict[str, list[Record]], quantity: str) -> None:
    for (name, members), look in zip(groups.items(), looks(), strict=False):
        lines = [
            [point[quantity] for point in member["results"]["curve"]]
            for member in members
            if not member["results"]["diverged"]
        ]
        if len(lines) < 2:
            continue
        bands = [mean_interval(list(values)) for values in zip(*lines, strict=True)]
        epochs = np.arange(1, len(bands) + 1)
        axes.plot(epochs, [band.mean for band in bands], label=name, ms=4, lw=1.2, **look)
        low, high = [band.low for band in bands], [band.high for band in bands]
        axes.fill_between(epochs, low, high, color=look["color"], alpha=0.12, lw=0)


def _correlations(axes: Any, groups: dict[str, list[Record]], pairs: str) -> None:
    """Draw, per layer and method, the correlation of what training added, output channels."""
    layers: list[str] = []
    for place, ((_, members), look) in enumerate(zip(groups.items(), looks(), strict=False)):
        values: dict[str, list[float]] = defaultdict(list)
        scales: dict[str, float] = {}
        for member in members:
            for row in member["results"]["correlations"]:
                if (row["direction"], row["pairs"]) == ("output", pairs):
                    values[row["layer"]].append(row["change"])
                    scales[row["layer"]] = row["scale"]
        layers = list(values)
        offset = (place - (len(groups) - 1) / 2) * 0.8 / len(groups)
        for index, layer in enumerate(layers):
            finite = [value for value in values[layer] if np.isfinite(value)]
            if len(finite) < 2:
                continue
            band = mean_interval(finite)
            error = [[band.mean - band.low], [band.high - band.mean]]
            style = {**look, "linestyle": "none"}
            axes.errorbar(index + offset, band.mean, yerr=error, ms=4, **style)
            # What white noise of this shape would show, to two standard deviations.
            reach = 2 * scales[layer]
            axes.fill_between([index - 0.4, index + 0.4], -reach, reach, color="#dddde3", lw=0)
    axes.axhline(0, color="#b4b4bd", lw=0.8, zorder=0)
    axes.set_xticks(range(len(layers)), layers, rotation=30 if len(layers) > 4 else 0)
    axes.set(xlabel="layer", ylabel="correlation")


def draw_training(records: Sequence[Record], title: str, path: Path) -> None:
    """Draw learning curves and, of convolutions, the channel correlation of what was trained.

    Bands and bars are 95 % intervals of the mean over seeds; the grey boxes reach two standard
    deviations of what white noise of that shape would show.
    """
    groups = _by_method(records)
    members = [member for own in groups.values() for member in own]
    convolutions = any(member["results"]["correlations"] for member in members)
    with figure_of(11, 7 if convolutions else 4.5, path) as figure:
        panels = figure.subplots(1 + convolutions, 2, squeeze=False)
        loss, score = panels[0]
        _curves(loss, groups, "train_loss")
        loss.set(title="training loss", xlabel="epoch", ylabel="loss", yscale="log")
        _curves(score, groups, "score")
        score.set(title="validation score", xlabel="epoch", ylabel="score")
        pairs = {"neighbours": "neighbouring", "all": "all pairs of"}
        for axes, (kind, words) in zip(panels[1:].flat, pairs.items(), strict=False):
            _correlations(axes, groups, kind)
            added = "output channels of trained minus initial weights"
            axes.set_title(f"correlation of {words}\n{added}")
        handles, names = loss.get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=min(4, len(names)), handlelength=4
        )
        headline(figure, title)
