"""Draw the flow chart of "Which metric?" and the thumbnails of the home page, as SVG.

Run from the project's root: python docs/figures/charts.py
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from cdg_theory import Metric, discrete
from cdg_theory.display import FIGURES, LINES

STATIC = Path(__file__).parents[1] / "_static"
BLUE, ORANGE, GREEN, *_ = LINES
INK, GREY = "#1b1b1f", "#9a9aa4"


def box(axis: Any, x: float, y: float, text: str, colour: str, fill: str) -> None:
    style = {"boxstyle": "round,pad=0.45", "ec": colour, "fc": fill, "lw": 1.4}
    axis.text(x, y, text, ha="center", va="center", fontsize=10.5, color=INK, bbox=style)


def arrow(axis: Any, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2})
    middle = (np.array(start) + np.array(end)) / 2
    axis.text(*middle, text, fontsize=10, color=INK, ha="center", va="center",
              bbox={"fc": "white", "ec": "none", "pad": 1.5})  # fmt: skip


def which_metric(path: Path) -> None:
    figure, axis = plt.subplots(figsize=(5.2, 4.8))
    axis.set(xlim=(0, 10), ylim=(3.6, 13.2))
    axis.axis("off")
    ask, answer = ("#0072b2", "#e8f2fa"), ("#009e73", "#e6f5ef")
    box(axis, 5, 12.4, "Is the learning rate tuned?", *ask)
    axis.text(7.8, 12.4, "no: tune it first", fontsize=10, color=INK, va="center")
    arrow(axis, (5, 11.9), (5, 10.7), "yes")
    box(axis, 5, 10.1, "Do the layer's output channels\nhave an order?  cdg diagnose", *ask)
    arrow(axis, (3.4, 9.4), (2.1, 8.1), "no")
    arrow(axis, (6.6, 9.4), (7.9, 8.1), "yes")
    box(axis, 2.1, 7.3, "hidden layer: H⁰ or none\nclasses: none", *answer)
    box(axis, 7.6, 7.3, "Metric.of_length(ℓ)\non this layer alone", *answer)
    arrow(axis, (7.6, 6.5), (7.6, 5.5), "")
    box(axis, 7.0, 4.7, "with match_initialisation()\nand coupled weight decay", *answer)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def kernels(axis: Any) -> None:
    for lam, colour in ((0.001, BLUE), (0.005, ORANGE), (0.03, GREEN)):
        metric = Metric.ordinary_sobolev(lam)
        axis.plot(discrete.riemannian_gradient(np.eye(61)[30], metric), color=colour)


def losses(axis: Any) -> None:
    step = np.arange(60)
    rng = np.random.default_rng(0)
    for rate, colour in ((0.03, GREY), (0.05, BLUE)):
        axis.plot(step, np.exp(-rate * step) + 0.03 * rng.standard_normal(60), color=colour)


def notebook(axis: Any) -> None:
    axis.axis("off")
    axis.text(0.05, 0.68, '[1]:  ledger.prove("T5")', family="monospace", fontsize=11)
    axis.text(0.05, 0.28, "✓ holds, variant refused", color=GREEN, fontsize=11)


def branch(axis: Any) -> None:
    axis.axis("off")
    axis.set(xlim=(0, 10), ylim=(0, 4))
    box(axis, 5, 3.2, "order?", BLUE, "#e8f2fa")
    arrow(axis, (4.2, 2.7), (2.6, 1.4), "")
    arrow(axis, (5.8, 2.7), (7.4, 1.4), "")
    box(axis, 2.3, 0.8, "H⁰", GREEN, "#e6f5ef")
    box(axis, 7.7, 0.8, "length ℓ", GREEN, "#e6f5ef")


def differences(axis: Any) -> None:
    axis.axvline(0, color=GREY, lw=1)
    found = ((-0.01, 0.16), (-0.07, 0.24), (-0.78, 0.3), (-2.27, 0.36))
    for row, (middle, half) in enumerate(found):
        axis.errorbar(middle, -row, xerr=half, fmt="o", color=BLUE if row < 2 else ORANGE)
    axis.set(ylim=(-3.6, 0.6))


def four(axis: Any) -> None:
    axis.axis("off")
    x = np.linspace(0, 1, 80)
    bump, wave = np.exp(-((x - 0.5) ** 2) * 30), np.cos(20 * x) * (1 - x)
    curves = (np.sin(7 * x) * x, bump, np.abs(x - 0.4), wave)
    for place, (curve, colour) in enumerate(zip(curves, LINES, strict=False)):
        inner = axis.inset_axes([0.04 + 0.5 * (place % 2), 0.56 - 0.52 * (place // 2), 0.42, 0.4])
        inner.plot(curve, color=colour)
        inner.set(xticks=[], yticks=[])


THUMBNAILS: dict[str, Callable[[Any], None]] = {
    "tutorial": losses, "notebooks": notebook, "explore": kernels, "which-metric": branch,
    "results": differences, "gallery": four,
}  # fmt: skip


def main() -> None:
    with plt.rc_context({**FIGURES, "figure.constrained_layout.use": False}):
        which_metric(STATIC / "which-metric.svg")
        for name, draw in THUMBNAILS.items():
            figure, axis = plt.subplots(figsize=(3.2, 1.5))
            draw(axis)
            axis.set(xticks=[], yticks=[])
            path = STATIC / "thumbnails" / f"{name}.svg"
            path.parent.mkdir(exist_ok=True)
            figure.savefig(path, metadata={"Date": None})
            plt.close(figure)


if __name__ == "__main__":
    main()
