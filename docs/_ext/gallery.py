"""The gallery: a card for each page that draws, with its first picture, by parts of the site."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

_CARD = """
<a class="gallery-card" href="{address}"><img src="{picture}" alt="{alt}"><span>{title}</span></a>
"""


class gallery(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """Where the cards go."""


class Gallery(SphinxDirective):
    """``{gallery}`` puts the cards here."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        return [gallery()]


def cards(app: Sphinx, page: str) -> Iterator[tuple[str, str]]:
    """Yield part of the site and card for each notebook with a picture, in the site's order."""
    back = "../" * page.count("/")
    for found in app.cdg_library.notebooks:
        pictures = app.env.get_doctree(found.name).findall(nodes.image)
        picture = next((image for image in pictures if image["uri"] in app.env.images), None)
        if picture is not None:
            card = _CARD.format(
                address=f"{back}{found.name}.html",
                picture=f"{back}{app.builder.imagedir}/{app.env.images[picture['uri']][1]}",
                alt=picture.get("alt", ""),
                title=found.title,
            )
            yield app.env.titles[f"{found.name.partition('/')[0]}/index"].astext(), card


def fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Replace the place by the cards: only now all pages are read."""
    for place in list(doctree.findall(gallery)):
        found = cards(app, page) if app.builder.format == "html" else ()
        body = "".join(
            f'<p class="rubric">{part}</p><div class="gallery">'
            + "".join(card for _, card in group)
            + "</div>"
            for part, group in groupby(found, key=lambda one: one[0])
        )
        place.replace_self(nodes.raw("", body, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_node(gallery)
    app.add_directive("gallery", Gallery)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
