"""Figures drawn without a display, in one style."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cdg_theory.display import LINES
from cdg_torch.extras import optional
from cdg_torch.lab.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

HUES = ("#1b1b1f", *[*LINES][:5])
"""Black for the first method, then those of all pages, which the colour-blind tell apart."""

MARKERS = "os^DvP<X>*dp"
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))

STYLE: dict[Any, Any] = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}


def looks() -> Iterator[dict[str, Any]]:
    """Yield a colour, a marker and dashes for one line after another.

    No two of the first twelve share a marker, nor do neighbours share colour or dashes: lines
    are told apart without colours too. After the last marker they begin anew.

    Examples
    --------
    >>> first, second = itertools.islice(looks(), 2)
    >>> first["marker"], second["marker"]
    ('o', 's')
    """
    cycles = itertools.cycle(HUES), itertools.cycle(MARKERS), itertools.cycle(DASHES)
    for colour, marker, dashes in zip(*cycles, strict=False):
        yield {"color": colour, "marker": marker, "linestyle": dashes}


def headline(figure: Any, words: str) -> None:
    """Put words over a figure, in as many lines as its width asks for."""
    figure.suptitle(textwrap.fill(words, int(11 * figure.get_figwidth())))


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
