"""Figures drawn without a display, in one style."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cdg_torch.extras import optional
from cdg_torch.lab.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

HUES = (
    *("#1b1b1f", "#2f6fde", "#d1495b", "#3a7d44", "#b07d12", "#7b4fb5"),
    *("#2a9d9d", "#8d6e63", "#e07a1f", "#6b7c93", "#c05fb0", "#7a9e1f"),
)
"""One for each method, black for the first; after the last, from the front again."""

STYLE: dict[Any, Any] = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}


@contextmanager
def figure_of(width: float, height: float, path: Path) -> Iterator[Any]:
    """Yield a figure of so many inches, and write it to ``path`` as PNG when it is drawn.

    No display, no global state of matplotlib; the same bytes for the same drawing.
    """
    with optional():
        import matplotlib as mpl
        from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with replacing(path) as beside:
            figure.savefig(beside, dpi=130, metadata={"Software": None})
