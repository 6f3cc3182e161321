"""What a figure must have: labels on its axes, lines told apart without colour, legends aside.

Loaded as an extension of IPython, it looks at every figure of a notebook. It writes what it finds
to standard error, which stops the build of the site.
"""

import sys
from itertools import combinations
from typing import Any


def _unlabelled(figure: Any) -> list[str]:
    """Return axes that draw something and say on neither themselves nor a sibling what it is."""
    drawn = [a for a in figure.axes if a.has_data() and a.axison and a.get_label() != "<colorbar>"]
    found = []
    for name in ("x", "y"):
        for axes in drawn:
            shared = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
            if not any(getattr(other, f"get_{name}label")() for other in shared):
                found.append(f"no label on an {name} axis")
    return found


def _look(line: Any) -> tuple[Any, ...]:
    """Return what tells a line from others for somebody who sees no colours."""
    dashes = line._unscaled_dash_pattern if line.get_linestyle() != "None" else None
    wide = line.get_linewidth() >= 3  # a broad band under thin lines
    return str(dashes), line.get_marker(), wide, line.get_drawstyle()


def _alike(figure: Any) -> list[str]:
    found = []
    for axes in figure.axes:
        named = [line for line in axes.lines if not line.get_label().startswith("_")]
        for one, other in combinations(named, 2):
            if one.get_label() != other.get_label() and _look(one) == _look(other):
                found.append(
                    f"{one.get_label()!r} and {other.get_label()!r} differ in colour alone"
                )
    return found


def _covered(figure: Any) -> list[str]:
    """Return legends within axes that lie over a line."""
    figure.draw_without_rendering()
    found = []
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is None:
            continue
        box = legend.get_window_extent()
        for line in axes.lines:
            path = line.get_path().transformed(line.get_transform())
            horizontal_or_vertical = len(path.vertices) == 2 and line.get_label().startswith("_")
            if not horizontal_or_vertical and path.intersects_bbox(box, filled=False):
                found.append(f"the legend covers {line.get_label()!r}")
    return found


def faults(figure: Any) -> list[str]:
    """Return what is wrong with a figure, in words."""
    return _unlabelled(figure) + _alike(figure) + _covered(figure)


def look_at_all() -> None:
    """Look at the figures that the cell has left open."""
    if "matplotlib.pyplot" in sys.modules:
        import matplotlib.pyplot as plt

        for number in plt.get_fignums():
            for fault in faults(plt.figure(number)):
                sys.stderr.write(f"{fault}: see docs/contributing/write-a-page.md\n")


def load_ipython_extension(shell: Any) -> None:
    """Look at figures after each cell, before they are shown and closed."""
    shell.events.register("post_execute", look_at_all)
