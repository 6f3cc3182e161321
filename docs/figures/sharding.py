"""Draw docs/_static/sharding.svg: blocks of channels, their interfaces, the numbers that travel.

Run from the project's root: python docs/figures/sharding.py
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from cdg_theory.display import FIGURES, LINES

SIZES = (5, 4, 6)
CELL, GAP = 0.5, 1.05
INK = "#1b1b1f"
HUES = [*LINES][:3]
FILLS = ("#e8f2fa", "#fdeee2", "#e6f5ef")
HATCHES = ("", "//", "\\\\")
TRAVELS = ("mean, $t_0$, $t_0'$", "mean, $t_1$, $t_1'$", "mean, $t_2$, $t_2'$")
RETURNS = (r"$\ell_0,\ \varphi_0$", r"$\ell_1,\ \varphi_0,\ \varphi_1$", r"$\ell_2,\ \varphi_1$")


def starts() -> list[float]:
    """Return where each block begins."""
    edges = [0.0]
    for size in SIZES:
        edges.append(edges[-1] + size * CELL + GAP)
    return edges


def row(axis: Any, y: float) -> None:
    """Draw the blocks, a cell for each output channel."""
    for rank, (start, size) in enumerate(zip(starts(), SIZES, strict=False)):
        for cell in range(size):
            place = (start + cell * CELL, y)
            look = {"fc": FILLS[rank], "ec": HUES[rank], "hatch": HATCHES[rank], "lw": 1.2}
            axis.add_patch(plt.Rectangle(place, CELL, 0.7, **look))


def arrow(axis: Any, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6})


def main() -> None:
    with plt.rc_context({**FIGURES, "figure.constrained_layout.use": False}):
        figure, axis = plt.subplots(figsize=(5.4, 4.9))
        width = starts()[-1] - GAP
        axis.set(xlim=(-0.2, width + 0.2), ylim=(-1.0, 9.9))
        axis.axis("off")
        axis.text(0, 9.45, "the gradient $g$: each rank holds a block of channels", fontsize=10.5)
        row(axis, 7.9)
        row(axis, 0.9)
        for rank, (start, size) in enumerate(zip(starts(), SIZES, strict=False)):
            middle = start + size * CELL / 2
            axis.text(middle, 8.8, f"rank {rank}", ha="center", fontsize=10)
            arrow(axis, (middle, 7.7), (middle, 5.7), HUES[rank])
            arrow(axis, (middle, 4.1), (middle, 1.8), HUES[rank])
            for y, words in ((6.75, TRAVELS[rank]), (2.95, RETURNS[rank])):
                axis.text(middle, y, words, ha="center", va="center", fontsize=10, color=INK,
                          bbox={"fc": "white", "ec": "none", "pad": 1.5})  # fmt: skip
        axis.add_patch(plt.Rectangle((0, 4.2), width, 1.35, fc="#f2f2f5", ec=INK, lw=1.2))
        axis.text(width / 2, 5.1, "one all_gather: three numbers per column and rank",
                  ha="center", va="center", fontsize=10)  # fmt: skip
        axis.text(width / 2, 4.6, "every rank solves the small system of blocks",
                  ha="center", va="center", fontsize=10)  # fmt: skip
        for rank, (start, size) in enumerate(zip(starts(), SIZES[:-1], strict=False)):
            left = start + size * CELL
            arrow(axis, (left + 0.05, 1.25), (left + GAP - 0.05, 1.25), INK)
            axis.text(left + GAP / 2, 1.5, rf"$\varphi_{rank}$", ha="center", fontsize=11)
        axis.text(0, 0.25, "each rank solves for its own rows, given the level and", fontsize=10.5)
        axis.text(0, -0.4, r"the fluxes $\varphi$ through the interfaces: the gradient $k$",
                  fontsize=10.5)  # fmt: skip
        path = Path(__file__).parents[1] / "_static" / "sharding.svg"
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
