"""The sidebar shows the branch that one is in, not all pages: a tree for each page would be most
of the building time and of a page's weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def _collapsed(_app: Sphinx, _page: str, _file: str, context: dict[str, Any], _tree: Any) -> None:
    whole = context["toctree"]

    def toctree(**options: Any) -> str:
        return str(whole(**options | {"collapse": True}))

    context["toctree"] = toctree


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect before the theme, which asks for the tree at priority 500."""
    app.connect("html-page-context", _collapsed, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
