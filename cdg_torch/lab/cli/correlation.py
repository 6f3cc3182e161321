"""``cdg correlation FILE``: the paper's figure 1 for any file of trained weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from cdg_torch.extras import require
from cdg_torch.lab.files import check_writable
from cdg_torch.lab.output import ResultTable, Terminal, say_written
from cdg_torch.lab.train.networks import (
    DIRECTIONS,
    Correlation,
    Sorted,
    correlations,
    draw_correlations,
    load_weights,
    sort_tensors,
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


def _left_out(found: Sorted) -> Iterator[str]:
    """Yield one line for each reason to leave tensors out."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, reason in found.left_out.items():
        names[reason].append(name)
    for reason, own in names.items():
        shown = ", ".join(own[:2]) + (", …" if len(own) > 2 else "")
        yield f"left out {len(own)} {'tensors' if len(own) > 1 else 'tensor'}, {reason}: {shown}"


def correlation(
    file: Annotated[Path, typer.Argument(help="Weights: .pt, .pth or .safetensors.")],
    figure: Annotated[Path | None, typer.Option(help="Draw a PNG there.")] = None,
    transposed: Annotated[
        list[str] | None, typer.Option(help="Names of transposed convolutions, as patterns.")
    ] = None,
) -> None:
    """Print the channel correlation of a trained network's weights.

    Taken are the weights of convolutions, by name and kind; what is left out is said, with the
    reason. A file does not say which convolutions are transposed: name them.
    """
    if figure is not None:
        require("matplotlib")
        check_writable(figure)
    tree = load_weights(file)
    rows, found = correlations(tree, transposed=transposed or ()), sort_tensors(tree)
    if not rows:
        msg = f"{file} holds no convolution's weight; {'; '.join(_left_out(found))}"
        raise ValueError(msg)
    console = Terminal()
    console.print(_table(rows, f"{file.name}: correlation of neighbours | of all pairs"))
    for line in _left_out(found):
        console.print(line, style="dim")
    console.print(
        "Taken about zero, scale-invariant; white noise gives 0 ± noise along the first axis "
        "shown. Neighbours depend on the order of channels, all pairs do not. Weights are read as "
        "(out, in, kernel …), those that --transposed names as (in, out, kernel …): a file does "
        "not say which convolutions are transposed.",
        style="dim",
    )
    for direction in dict.fromkeys(row.direction for row in rows):
        own = [row for row in rows if row.direction == direction]
        console.print(
            f"{direction}: median over {len(own)} tensors, neighbours "
            f"{median(row.neighbours for row in own):+.3f}, all pairs "
            f"{median(row.all_pairs for row in own):+.3f}"
        )
    if figure is not None:
        draw_correlations(rows, file.name, figure)
        say_written(console, figure)
