"""The interactive figure: a directive, and plotly's script from the installed package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import interactive
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARKUP = Path(__file__).with_name("explorer.html")


class explorer(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """Where the figure goes."""


class Explorer(SphinxDirective):
    """``{explorer}`` puts the figure here."""

    def run(self) -> list[nodes.Node]:
        return [explorer()]


def visit_html(translator: Any, node: nodes.Element) -> None:
    """Write the controls; the script draws into them."""
    del node
    translator.body.append(MARKUP.read_text(encoding="utf-8"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_node(explorer, html=(visit_html, lambda *_: None))
    app.add_directive("explorer", Explorer)
    interactive.load(app, "explorer.js", where=explorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
