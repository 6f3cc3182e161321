"""The pages travel in the wheel: they are copied into it when it is built.

``cdg notebooks`` makes notebooks of them where there is no clone. An editable install reads
``docs`` itself, so there nothing is copied.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools.command.build_py import build_py

DOCS = Path("docs")  # a build runs in the project's root
_PICTURE = re.compile(r"[\w./-]+\.(?:png|svg)\b")


def travelling() -> set[Path]:
    """Return the files that go along: pages, the bibliography, pictures in pages with cells."""
    found = {DOCS / "references.bib"}
    for page in DOCS.rglob("*.md"):
        if page.relative_to(DOCS).parts[0].startswith("_") or "records" in page.parts:
            continue
        found.add(page)
        text = page.read_text(encoding="utf-8")
        if "file_format: mystnb" in text[:200]:
            found |= {page.parent / name for name in _PICTURE.findall(text)}
    return {path for path in found if path.is_file()}


class BuildWithPages(build_py):
    """Setuptools' own build, and then the pages."""

    def run(self) -> None:
        """Build, and copy the pages unless the install is editable."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "cdg_torch", "lab", "notebooks", "pages")
            for path in sorted(travelling()):
                copy = target / path.relative_to(DOCS)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
