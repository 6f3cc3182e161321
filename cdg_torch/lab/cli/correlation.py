"""``cdg correlation FILE``: the paper's figure 1 for any file of trained weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from cdg_torch.lab.output import ResultTable, say_written
from cdg_torch.lab.train.networks import (
    DIRECTIONS,
    Correlation,
    correlations,
    draw_correlations,
    load_weights,
)


def _table(rows: Sequence[Correlation], title: str) -> ResultTable:
    directions = [d for d in DIRECTIONS if any(row.direction == d for row in rows)]
    by_name: dict[str, dict[str, Correlation]] = defaultdict(dict)
    for row in rows:
        by_name[row.name][row.direction] = row
    cells = []
    for name, axes in by_name.items():
        some = next(iter(axes.values()))
        values = [
            f"{axes[d].neighbours:+.3f} | {axes[d].all_pairs:+.3f}" if d in axes else "–"
            for d in directions
        ]
        noise = f"{some.neighbours_scale:.3f} | {some.all_pairs_scale:.3f}"
        cells.append([name, "×".join(map(str, some.shape)), *values, noise])
    return ResultTable(("tensor", "shape", *directions, "noise"), cells, title, left=(0, 1))


def correlation(
    file: Annotated[Path, typer.Argument(help="Weights: .pt, .pth or .safetensors.")],
    figure: Annotated[Path | None, typer.Option(help="Draw a PNG there.")] = None,
    transposed: Annotated[
        list[str] | None, typer.Option(help="Names of transposed convolutions, as patterns.")
    ] = None,
) -> bool:
    """Print the channel correlation of a trained network's weights."""
    console = Console()
    rows = correlations(load_weights(file), transposed=transposed or ())
    if not rows:
        console.print(
            f"{file} holds no convolution: no tensor of three to five axes.", soft_wrap=True
        )
        return False
    console.print(_table(rows, f"{file.name}: correlation of neighbours | of all pairs"))
    console.print(
        "[dim]Taken about zero, scale-invariant; white noise gives 0 ± noise along the first "
        "axis shown. Neighbours depend on the order of channels, all pairs do not.",
        highlight=False,
    )
    for direction in dict.fromkeys(row.direction for row in rows):
        own = [row for row in rows if row.direction == direction]
        console.print(
            f"{direction}: median over {len(own)} tensors, neighbours "
            f"{median(row.neighbours for row in own):+.3f}, all pairs "
            f"{median(row.all_pairs for row in own):+.3f}",
            highlight=False,
        )
    if figure is not None:
        draw_correlations(rows, file.name, figure)
        say_written(console, figure)
    return True
