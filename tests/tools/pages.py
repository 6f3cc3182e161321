"""What built pages hold: the addresses they fetch, the links they offer, the anchors they have."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Elements that make a browser fetch what they name, as opposed to links that a reader follows.
FETCHING = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
# A <link> of these kinds names another page; nothing is fetched for it.
NAVIGATION = {"author", "canonical", "copyright", "index", "next", "prev", "search", "top"}
CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


class Page(HTMLParser):
    """One page, parsed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._style = tag == "style"
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.fetched += css_addresses(given.get("style", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and set(given.get("rel", "").split()) <= NAVIGATION:
            return
        for name in FETCHING.get(tag, ()):
            if name in given:
                whole = given[name]
                parts = whole.split(",") if name == "srcset" else [whole]
                self.fetched += [part.split()[0] for part in parts if part.strip()]

    def handle_data(self, data: str) -> None:
        if self._style:
            self.fetched += css_addresses(data)


def css_addresses(text: str) -> list[str]:
    return [url or imported for url, imported in CSS_URL.findall(text)]


@cache
def parse(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def html_files(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def is_local(address: str) -> bool:
    """Whether an address names a file beside the page, by a relative path, or holds the data."""
    parts = urlsplit(address)
    return parts.scheme == "data" or not (parts.scheme or parts.netloc or address.startswith("/"))


def target(page: Path, address: str) -> tuple[Path, str]:
    """Return the file and the anchor that a local address leads to."""
    parts = urlsplit(address)
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    return (path / "index.html" if path.is_dir() else path), unquote(parts.fragment)


def stylesheets(site: Path) -> Iterator[Path]:
    yield from sorted(site.rglob("*.css"))
