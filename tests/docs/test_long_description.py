"""What a package index shows: the README without a link or a picture that leads nowhere there."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("cdg_theory", "cdg_torch", "docs", "pyproject.toml", "README.md", "LICENSE")
HOOK = "from setuptools import build_meta; build_meta.prepare_metadata_for_build_wheel('metadata')"
URLS = "[project.urls]\n"
PARSER = MarkdownIt("commonmark").enable("table")


def everything(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from everything(token.children or [])


def addresses(text: str) -> list[str]:
    """Return where links and pictures lead, as a Markdown parser reads them."""
    tokens = everything(PARSER.parse(text))
    found = (token.attrGet("href") or token.attrGet("src") for token in tokens)
    return [str(address) for address in found if address]


def code(text: str) -> list[str]:
    return [token.content for token in everything(PARSER.parse(text)) if "code" in token.type]


def metadata(folder: Path, pyproject: str) -> Message:
    """Return what the build backend writes into the wheel's METADATA."""
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("_build", "__pycache__", "generated", "records")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    (folder / "metadata").mkdir()
    subprocess.run([sys.executable, "-c", HOOK], cwd=folder, check=True, capture_output=True)
    (file,) = folder.glob("metadata/*.dist-info/METADATA")
    return message_from_bytes(file.read_bytes())


def description(found: Message) -> str:
    return found.get_payload(decode=True).decode("utf-8")


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_long_description_has_no_relative_link(tmp_path, readme, pyproject) -> None:
    found = metadata(tmp_path, pyproject)
    text = description(found)
    assert found["Description-Content-Type"] == "text/markdown"
    assert {address for address in addresses(readme) if not address.startswith("https:")}
    assert [address for address in addresses(text) if not address.startswith("https:")] == []
    for title in ("What we found", "Which metric?", "Run the notebooks"):
        assert f"“{title}”" in text
    assert code(text) == ["docs", "cdg notebooks nb", *code(readme)]


def test_with_an_address_the_links_lead_there(tmp_path, readme, pyproject) -> None:
    address = "https://cdg.example/stable/"
    with_site = pyproject.replace(URLS, f'{URLS}Documentation = "{address}"\n')
    text = description(metadata(tmp_path, with_site))
    on_the_site = [found for found in addresses(text) if found.startswith(address)]
    in_the_clone = [found for found in addresses(readme) if found.startswith("docs/")]
    assert len(on_the_site) == len(in_the_clone) > 10
    for found, path in zip(on_the_site, in_the_clone, strict=True):
        assert found == address + path.removeprefix("docs/").replace(".md", ".html")
    assert [found for found in addresses(text) if not found.startswith("https:")] == []
