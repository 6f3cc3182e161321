"""Every link between pages of the site leads to a page that exists, and to an anchor on it."""

from pathlib import Path

import pytest

from tests.tools import pages

ROOT = Path(__file__).parents[2]


def broken(folder: Path) -> list[str]:
    found = []
    for path in pages.html_files(folder):
        for address in pages.parse(path).links:
            if not pages.is_local(address):
                continue
            file, anchor = pages.target(path, address)
            missing = not file.is_file() or (
                anchor and file.suffix == ".html" and anchor not in pages.parse(file).anchors
            )
            if missing:
                found.append(f"{path.relative_to(folder)} → {address}")
    return found


def test_no_link_is_broken(site: Path) -> None:
    assert len(pages.html_files(site)) > 20
    assert broken(site) == []


@pytest.mark.parametrize("address", ["b.html", "#nowhere", "a.html#nowhere"])
def test_a_planted_broken_link_is_seen(tmp_path: Path, address: str) -> None:
    (tmp_path / "a.html").write_text(f'<p id="here"></p><a href="{address}">x</a>')
    assert broken(tmp_path) == [f"a.html → {address}"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_relative_links_of_the_front_pages_exist(name: str) -> None:
    import re

    text = (ROOT / name).read_text(encoding="utf-8")
    for address in re.findall(r"\]\(([^)\s]+)\)", text):
        if pages.is_local(address):
            assert (ROOT / address.partition("#")[0]).exists(), f"{name} names {address}"
