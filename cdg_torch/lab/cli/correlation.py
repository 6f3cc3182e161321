"""``cdg correlation FILE``: the paper's figure 1 for any file of trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from cdg_torch.lab.train.networks import Correlation

_SHOWN = ("output", "input", "kernel 1", "kernel 2", "kernel 3")


def _cell(row: Correlation | None) -> str:
    return "–" if row is None else f"{row.neighbours:+.3f} | {row.all_pairs:+.3f}"


def _table(rows: Sequence[Correlation], title: str) -> Table:
    directions = [d for d in _SHOWN if any(row.direction == d for row in rows)]
    table = Table(title=title, title_justify="left")
    table.add_column("tensor")
    table.add_column("shape")
    for direction in directions:
        table.add_column(direction, justify="right")
    table.add_column("noise", justify="right")
    by_name: dict[str, dict[str, Correlation]] = {}
    for row in rows:
        by_name.setdefault(row.name, {})[row.direction] = row
    for name, axes in by_name.items():
        some = next(iter(axes.values()))
        noise = f"{some.neighbours_scale:.3f} | {some.all_pairs_scale:.3f}"
        cells = [_cell(axes.get(direction)) for direction in directions]
        table.add_row(name, "×".join(map(str, some.shape)), *cells, noise)
    return table


def correlation(file: Path, *, figure: Path | None = None, transposed: Sequence[str] = ()) -> bool:
    """Print the correlations of a file of weights, and draw them; return whether there were any.

    Parameters
    ----------
    file
        A state dict: ``.pt``, ``.pth`` or ``.safetensors``.
    figure
        Where to draw, if anywhere.
    transposed
        Patterns of the names of transposed convolutions' weights.
    """
    from cdg_torch.lab.train.networks import correlations, draw_correlations, load_weights

    console = Console()
    rows = correlations(load_weights(file), transposed=transposed)
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
    directions = list(dict.fromkeys(row.direction for row in rows))
    for direction in directions:
        own = [row for row in rows if row.direction == direction]
        console.print(
            f"{direction}: median over {len(own)} tensors, neighbours "
            f"{median(row.neighbours for row in own):+.3f}, all pairs "
            f"{median(row.all_pairs for row in own):+.3f}",
            highlight=False,
        )
    if figure is not None:
        draw_correlations(rows, file.name, figure)
        console.print(f"wrote {figure.resolve()}", highlight=False, soft_wrap=True)
    return True
