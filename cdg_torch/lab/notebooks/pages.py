"""The pages: where they lie, their titles, and the order in which they are read.

A wheel carries them in the folder ``pages`` beside this file, where ``docs/_ext/wheel.py`` puts
them. In a clone, and where the clone itself is installed, they are read from ``docs``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_HEAD = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages_folder() -> Path:
    """Return the folder of the pages.

    Raises
    ------
    FileNotFoundError
        If there is neither a folder in the package nor a clone around it.
    """
    here = Path(__file__)
    for folder in (here.with_name("pages"), here.parents[3] / "docs"):
        if (folder / "index.md").is_file():
            return folder
    msg = "the pages are missing from this installation; install a wheel, or use a clone"
    raise FileNotFoundError(msg)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the documentation.

    ============  ================================================================
    field         meaning
    ============  ================================================================
    ``name``      its path in the documentation, without ending: ``theory/noise``
    ``text``      its Markdown
    ============  ================================================================
    """

    name: str
    text: str

    @property
    def title(self) -> str:
        """The first heading."""
        found = _TITLE.search(self.text)
        return found[1] if found else self.name

    @property
    def has_cells(self) -> bool:
        """Whether it is a notebook in text form."""
        return executable(self.text)

    @property
    def file(self) -> str:
        """The name of its notebook."""
        return f"{PurePosixPath(self.name).name}.ipynb"

    def named(self, target: str) -> str:
        """Return the name of the page that this one means by ``../reference/ledger``."""
        base = PurePosixPath("/") / self.name
        parts: list[str] = []
        for part in (base.parent / target.removesuffix(".md")).parts[1:]:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        return "/".join(parts)


def executable(text: str) -> bool:
    """Return whether a page has cells that are run: whether its head says so."""
    head = _HEAD.match(text)
    return head is not None and "file_format: mystnb" in head[1]


def _entries(text: str) -> Iterator[str]:
    """Yield the entries of a page's tables of contents."""
    for block in _TOCTREE.findall(text):
        for line in block.splitlines():
            if line.strip() and not line.startswith(":"):
                yield re.sub(r"^.*<(.+)>$", r"\1", line.strip())


def read_pages(folder: Path) -> dict[str, Page]:
    """Return all pages of a folder by name, in the order in which the site lists them."""
    found: dict[str, Page] = {}

    def visit(name: str) -> None:
        path = folder / f"{name}.md"
        if name in found or not path.is_file():  # pages of the API reference are generated
            return
        found[name] = page = Page(name, path.read_text(encoding="utf-8"))
        for entry in _entries(page.text):
            visit(page.named(entry))

    visit("index")
    return found
