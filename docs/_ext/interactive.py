"""Figures that move: plotly's script, which is large, on the pages that have one, on no other."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from sphinx.util.fileutil import copy_asset

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


def load(app: Sphinx, script: str, *, where: type[nodes.Element]) -> None:
    """Have pages with such a node load plotly, and the script that draws with it."""

    def add_scripts(
        app: Sphinx,
        _page: str,
        _template: str,
        _context: dict[str, Any],
        doctree: nodes.document | None,
    ) -> None:
        if doctree is not None and next(iter(doctree.findall(where)), None) is not None:
            app.add_js_file("plotly.min.js")
            app.add_js_file(script)

    app.connect("html-page-context", add_scripts)


def copy_plotly(app: Sphinx, error: Exception | None) -> None:
    """Copy plotly's script beside the pages."""
    if error is None and app.builder.format == "html":
        with as_file(files("plotly") / "package_data" / "plotly.min.js") as script:
            copy_asset(script, app.outdir / "_static")


def setup(app: Sphinx) -> dict[str, bool]:
    """Copy the script once, for all figures."""
    app.connect("build-finished", copy_plotly)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
