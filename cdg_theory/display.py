"""How things look in a notebook: tables in HTML, formulas in TeX, figures in one style."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable, Sequence
from typing import Any

#: Told apart by the colour-blind (Okabe and Ito's, yellow left out), and by the line besides.
LINES = {
    "#0072b2": "-",
    "#d55e00": "--",
    "#009e73": "-.",
    "#cc79a7": ":",
    "#56b4e9": (0, (6, 1, 1, 1, 1, 1)),
    "#4d4d4d": (0, (1, 1)),
}

FIGURES: dict[Any, Any] = {
    "figure.figsize": (8.0, 3.6),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": f"cycler(color={[*LINES]}, linestyle={[*LINES.values()]})",
    "font.size": 11.0,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "channel-directed gradients",  # the same figure, byte for byte
}
"""The style of all figures on the pages, as matplotlib's parameters."""


def figure_style() -> None:
    """Let the figures of this process look like those on the pages; in notebooks, be SVG.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is missing.
    """
    import matplotlib as mpl

    mpl.rcParams.update(FIGURES)
    if "ipykernel" in sys.modules:
        from matplotlib_inline import backend_inline

        formats: Any = backend_inline.set_matplotlib_formats
        formats("svg")


def text(words: str) -> str:
    """Return words for HTML.

    Examples
    --------
    >>> text("0 < q")
    '0 &lt; q'
    """
    return html.escape(words, quote=False)


def formula(tex: str) -> str:
    r"""Return a formula for HTML, to be typeset by MathJax where there is one.

    Examples
    --------
    >>> print(formula("0<q"))
    \(0&lt;q\)
    """
    return rf"\({text(tex)}\)"


def _number(weight: float) -> str:
    mantissa, _, exponent = f"{weight:.6g}".partition("e")
    return mantissa if not exponent else rf"{mantissa}\cdot10^{{{int(exponent)}}}"


def linear_combination(terms: Iterable[tuple[float, str]]) -> str:
    r"""Return a sum in TeX, of numbers >= 0 times operators; terms with 0 are left out.

    Examples
    --------
    >>> print(linear_combination([(1.0, "P"), (0.0, "L"), (2e-7, "(I-P)")]))
    P + 2\cdot10^{-7}\,(I-P)
    """
    return " + ".join(
        operator if weight == 1 else rf"{_number(weight)}\,{operator}"
        for weight, operator in terms
        if weight
    )


def mark(good: bool) -> str:
    """Return a sign for good or bad."""
    return "✓" if good else "✗"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; its cells are HTML already."""
    lines = [("th", map(text, head)), *(("td", row) for row in rows)]
    body = "".join(
        "<tr>"
        + "".join(f"<{tag} style='text-align:left'>{cell}</{tag}>" for cell in cells)
        + "</tr>"
        for tag, cells in lines
    )
    # Jupyter typesets formulas in all output, Sphinx in elements of this class.
    return f"<table class='tex2jax_process'>{body}</table>"
