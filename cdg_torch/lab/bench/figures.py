"""The measurements as pictures: cost in multiples of the floor, and time per number against n."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdg_torch.extras import optional
from cdg_torch.lab.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from cdg_torch.lab.bench.record import Record

OURS = {"ours, CPU kernels", "ours, GPU kernels"}


def draw_cost(record: Record, path: Path) -> None:
    """Draw every method of the first workload as a bar, on a logarithmic axis."""
    with optional():
        from matplotlib.figure import Figure

    workload = record.rows[0].workload
    rows = [row for row in record.rows if row.workload == workload][::-1]
    figure = Figure(figsize=(8, 0.28 * len(rows) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    colours = ["tab:blue" if row.group in OURS else "0.7" for row in rows]
    spread = [[row.median - row.low for row in rows], [row.high - row.median for row in rows]]
    labels = [f"{row.group}: {row.name}" for row in rows]
    axes.barh(labels, [row.median for row in rows], xerr=spread, color=colours)
    axes.axvline(1, color="k", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel(f"time, in multiples of {rows[-1].name}; {workload}'s convolution gradients")
    axes.tick_params(axis="y", labelsize=8)
    with replacing(path) as beside:
        figure.savefig(beside, dpi=120)


def draw_scaling(record: Record, path: Path) -> None:
    """Draw time per number against n."""
    with optional():
        from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, by_n in record.scaling.items():
        ours = name.startswith("ours")
        style = "o-" if ours else "s--"
        axes.plot(list(by_n), list(by_n.values()), style, label=name, markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("n, output channels (size fixed)")
    axes.set_ylabel("ns per number")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    with replacing(path) as beside:
        figure.savefig(beside, dpi=120)
