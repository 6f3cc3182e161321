"""The channel correlation of convolutions' weights, as numbers and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cdg_torch.correlation import channel_correlation, correlation_scale
from cdg_torch.lab.drawing import figure_of, headline, looks
from cdg_torch.lab.train.networks.orders import Order, draw_profiles
from cdg_torch.lab.train.networks.sorting import sort_tensors

DIRECTIONS = ("output", "input", "kernel 1", "kernel 2", "kernel 3")
"""The axes of a convolution's weight, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """One tensor along one axis; ``scale`` is the spread that white noise would show."""

    name: str
    shape: tuple[int, ...]
    direction: str
    neighbours: float
    neighbours_scale: float
    all_pairs: float
    all_pairs_scale: float


def correlations(tree: object, *, transposed: Sequence[str] = ()) -> list[Correlation]:
    """Return the correlation of every convolution's weights along each of its axes.

    ``tree`` holds tensors in nested containers: a state dict, or a whole checkpoint; which of them
    are taken for convolutions' weights is said in
    :mod:`~cdg_torch.lab.train.networks.sorting`. They are read as (out, in, kernel …); names that
    match one of the patterns in ``transposed`` as (in, out, kernel …). Groups are unknown, so
    that with grouped convolutions some neighbours are of different groups.

    Examples
    --------
    >>> import torch
    >>> rows = correlations({"conv.weight": torch.ones(4, 1, 3, 1), "bias": torch.ones(4)})
    >>> [(row.direction, row.neighbours) for row in rows]
    [('output', 1.0), ('kernel 1', 1.0)]
    """
    rows = []
    for name, weight in sort_tensors(tree).weights.items():
        flipped = any(fnmatchcase(name, pattern) for pattern in transposed)
        channels = ("input", "output") if flipped else ("output", "input")
        kernels = tuple(f"kernel {axis + 1}" for axis in range(weight.ndim - 2))
        shape = tuple(weight.shape)
        for axis, direction in enumerate((*channels, *kernels)):
            if shape[axis] < 2:
                continue
            rows.append(
                Correlation(
                    name=name,
                    shape=shape,
                    direction=direction,
                    neighbours=float(channel_correlation(weight, axis)),
                    neighbours_scale=correlation_scale(shape, axis),
                    all_pairs=float(channel_correlation(weight, axis, pairs="all")),
                    all_pairs_scale=correlation_scale(shape, axis, pairs="all"),
                )
            )
    return rows


def draw_correlations(
    rows: Sequence[Correlation], orders: Sequence[Order], title: str, path: Path
) -> None:
    """Draw the correlation of every tensor along every axis, and its profile, as PNG."""
    names = list(dict.fromkeys(row.name for row in rows))
    found = {row.direction for row in rows}
    directions = [d for d in DIRECTIONS if d in found]
    with figure_of(max(7, 0.25 * len(names)), 9 if rows else 4, path) as figure:
        panels: Any = figure.subplots(3 if rows else 1, 1, squeeze=False)[:, 0]
        fields = (("neighbours", "neighbours"), ("all_pairs", "all pairs"))
        for axes, (field, label) in zip(panels[:-1], fields, strict=False):
            for direction, look in zip(directions, looks(), strict=False):
                own = [row for row in rows if row.direction == direction]
                places = [names.index(row.name) for row in own]
                values = [getattr(row, field) for row in own]
                style = {**look, "linestyle": "none"}
                axes.plot(places, values, ms=4, label=direction, **style)
            axes.axhline(0, color="#b4b4bd", lw=0.8, zorder=0)
            axes.set_ylabel(f"correlation,\n{label}")
        if rows:
            handles = panels[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside lower center", ncols=len(directions))
            step = max(1, len(names) // 40)
            ticks = range(0, len(names), step)
            panels[0].sharex(panels[1])
            panels[0].tick_params(labelbottom=False)
            panels[1].set_xticks(ticks, names[::step], rotation=90, fontsize=7)
            panels[1].set_xlabel("tensor")
        draw_profiles(panels[-1], orders)
        headline(figure, title)
