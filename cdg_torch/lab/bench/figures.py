"""The measurements as pictures: cost in multiples of the floor, and time per number against n."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdg_torch.lab.drawing import HUES, figure_of, looks

if TYPE_CHECKING:
    from pathlib import Path

    from cdg_torch.lab.bench.measurements import Measurements


def draw_cost(found: Measurements, path: Path) -> None:
    """Draw every candidate of the first workload as a bar, the fastest on top; logarithmic."""
    workload = found.rows[0].workload
    rows = [row for row in found.rows if row.workload == workload]
    floor = rows[0].name
    rows.sort(key=lambda row: -row.median)
    with figure_of(7, 0.3 * len(rows) + 1, path) as figure:
        axes = figure.subplots()
        bars = axes.barh(
            [f"{row.group}: {row.name}" for row in rows],
            [row.median for row in rows],
            color=[HUES[1] if row.group.endswith("PU kernels") else "0.7" for row in rows],
        )
        axes.bar_label(bars, [f"{row.median:.{int(row.median < 10)}f}" for row in rows], padding=3)
        axes.axvline(1, color="k", linewidth=1)
        axes.margins(x=0.1, y=0.01)
        axes.set(xscale="log", xlabel=f"time, in multiples of {floor}", ylabel="method")


def draw_scaling(found: Measurements, path: Path) -> None:
    """Draw time per number against n."""
    with figure_of(8, 5.6, path) as figure:
        axes = figure.subplots()
        for (name, by_n), look in zip(found.scaling.items(), looks(), strict=False):
            ours = {"linestyle": "-" if name.startswith("ours") else "--"}
            axes.plot(list(by_n), list(by_n.values()), label=name, markersize=5, **look | ours)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set(xlabel="n, output channels (size fixed)", ylabel="ns per number")
        axes.grid(visible=True, which="major", alpha=0.3)
        figure.legend(
            loc="outside lower center", ncols=3, fontsize=9, frameon=False, handlelength=3
        )
