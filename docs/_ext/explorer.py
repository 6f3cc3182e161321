"""The interactive figure: a directive, and plotly's script from the installed package."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.fileutil import copy_asset

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


def add_scripts(
    app: Sphinx,
    _page: str,
    _template: str,
    _context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Load plotly, which is large, on the pages that have the figure and on no other."""
    if doctree is not None and next(iter(doctree.findall(explorer)), None) is not None:
        app.add_js_file("plotly.min.js")
        app.add_js_file("explorer.js")


def copy_plotly(app: Sphinx, error: Exception | None) -> None:
    """Copy plotly's script beside the pages."""
    if error is None and app.builder.format == "html":
        with as_file(files("plotly") / "package_data" / "plotly.min.js") as script:
            copy_asset(script, app.outdir / "_static")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_node(explorer, html=(visit_html, lambda *_: None))
    app.add_directive("explorer", Explorer)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", copy_plotly)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
