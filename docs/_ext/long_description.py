"""The README as a package index shows it: there a path into the clone leads nowhere.

If ``[project.urls]`` in ``pyproject.toml`` has an address of the site as ``Documentation``, links
and pictures lead there. Without one, a link becomes the title of its page, and pictures are left
out.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools.command.egg_info import egg_info

_BADGE = re.compile(r"\[(!\[[^\[\]]*\]\([^()]*\))\]\((?!https:)[^()]*\)")
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\((?!https:)([^()\s]+)\)")
_NOTE = """\
*Titles in quotation marks are pages of the documentation. The source distribution has them in the
folder `docs`; `cdg notebooks nb` writes those that have code as notebooks.*

"""


def title(page: Path) -> str:
    """Return the first heading of a page."""
    return re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)[1]


def long_description(readme: str, site: str | None) -> str:
    """Return the README without relative links. The working directory is the project's root."""

    def replaced(link: re.Match[str]) -> str:
        picture, text, target = link.groups()
        if site and target.startswith("docs/"):
            path = target.removeprefix("docs/").replace(".md", ".html")
            return f"{picture}[{text}]({site.rstrip('/')}/{path})"
        if picture:
            return ""
        if not target.startswith("docs/"):
            return text
        name = title(Path(target))
        alike = text.lower() in name.lower() or name.lower() in text.lower()
        return f"“{name}”" if alike else f"{text} (“{name}”)"

    plain = _LINK.sub(replaced, _BADGE.sub(r"\1", readme))
    marker = "<!-- first screen -->\n\n"
    return plain if site else plain.replace(marker, marker + _NOTE)


class DescribedForAnIndex(egg_info):
    """Setuptools' own metadata, with the long description changed."""

    def finalize_options(self) -> None:
        """Change the description before the metadata are written."""
        super().finalize_options()
        metadata = self.distribution.metadata
        site = metadata.project_urls.get("Documentation")
        metadata.long_description = long_description(metadata.long_description, site)
