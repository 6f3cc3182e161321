"""How objects show themselves in a notebook: a table in HTML, its formulas in TeX."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


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
