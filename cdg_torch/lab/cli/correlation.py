"""``cdg correlation FILE``: how correlated output channels are, and whether they have an order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from cdg_torch.extras import require
from cdg_torch.lab.files import check_writable
from cdg_torch.lab.output import ResultTable, Terminal, progress_bar, say_written
from cdg_torch.lab.train.networks import (
    DIRECTIONS,
    Correlation,
    Order,
    Sorted,
    correlations,
    draw_correlations,
    fit_orders,
    judge_orders,
    load_weights,
    sort_tensors,
)
from cdg_torch.lab.train.networks.orders import LEVEL


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


def _orders(found: Sorted, transposed: Sequence[str], console: Terminal) -> list[Order]:
    fits = []
    with progress_bar(console) as progress:
        task = progress.add_task("orders", total=len(found.weights) + len(found.linear))
        for fit in fit_orders(found, transposed=transposed):
            fits.append(fit)
            progress.update(task, advance=1, description=f"orders: {fit[0]}")
    return judge_orders(fits)


def _order_table(orders: Sequence[Order]) -> ResultTable:
    cells = [
        (
            order.name,
            order.kind,
            "×".join(map(str, order.shape)),
            order.verdict,
            f"{order.fit.neighbours:+.3f}",
            f"{order.order_p:.2g}",
            f"{order.mean_p:.2g}",
            order.fitted,
        )
        for order in orders
    ]
    names = ("tensor", "layer", "shape", "channels", "neighbours", "p order", "p mean", "fitted")
    return ResultTable(names, cells, "Order of the output channels", left=(0, 1, 2, 3))


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
    """Print the correlation of a network's output channels, and whether they have an order.

    Taken are the weights of convolutions and linear layers, by name and kind; what is left out is
    said, with the reason. A file does not say which convolutions are transposed: name them.
    """
    if figure is not None:
        require("matplotlib")
        check_writable(figure)
    tree = load_weights(file)
    rows, found = correlations(tree, transposed=transposed or ()), sort_tensors(tree)
    if not rows and not found.linear:
        msg = f"{file} holds no weight of a layer; {'; '.join(_left_out(found))}"
        raise ValueError(msg)
    console = Terminal()
    orders = _orders(found, transposed or (), console)
    if rows:
        console.print(_table(rows, f"{file.name}: correlation of neighbours | of all pairs"))
    console.print(_order_table(orders))
    for line in _left_out(found):
        console.print(line, style="dim")
    if rows:
        console.print(
            "Taken about zero, scale-invariant; white noise gives 0 ± noise along the first axis "
            "shown. Neighbours depend on the order of channels, all pairs do not. Weights are read "
            "as (out, in, kernel …), those that --transposed names as (in, out, kernel …): a file "
            "does not say which convolutions are transposed.",
            style="dim",
        )
    console.print(
        "Ordered: no other order of the channels is as smooth (permutation test). Exchangeable: a "
        "common mean, no order. Neighbours: their correlation, the mean taken off. p-values are "
        f"corrected over the tensors; with chance {LEVEL:g} or less any verdict but none is wrong "
        "where channels are white. Fitted: mean, fluctuation, derivative, curvature, unit spacing.",
        style="dim",
    )
    for direction in dict.fromkeys(row.direction for row in rows):
        own = [row for row in rows if row.direction == direction]
        console.print(
            f"{direction}: median over {len(own)} tensors, neighbours "
            f"{median(row.neighbours for row in own):+.3f}, all pairs "
            f"{median(row.all_pairs for row in own):+.3f}"
        )
    counts = {
        verdict: sum(order.verdict == verdict for order in orders)
        for verdict in ("ordered", "exchangeable", "none")
    }
    console.print(
        "output channels: " + ", ".join(f"{many} {verdict}" for verdict, many in counts.items())
    )
    if figure is not None:
        draw_correlations(rows, orders, file.name, figure)
        say_written(console, figure)
