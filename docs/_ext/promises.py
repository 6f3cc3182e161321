"""The figures of the deep checks as a directive: ``deep-figures``, with the JSON file's path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

from tests.deep.figures import load, markdown

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


class DeepFigures(SphinxDirective):
    """One table per part, from a file beside the page; a part that is not in it says so."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.doc2path(self.env.docname)).with_name(self.arguments[0])
        self.env.note_dependency(str(path))
        lines = markdown(load(path))
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("deep-figures", DeepFigures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
