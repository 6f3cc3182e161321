"""CITATION.cff, the changelog and the package agree; the citation has what its format asks for."""

import re
import tomllib
from pathlib import Path

import yaml

import cdg_theory

ROOT = Path(__file__).parents[2]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_citation_has_the_required_fields() -> None:
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    for work in (CITATION, CITATION["preferred-citation"]):
        assert work["title"]
        assert all(
            author.get("name") or (author["family-names"] and author["given-names"])
            for author in work["authors"]
        )
    assert CITATION["message"]
    assert "2008.10766" in CITATION["preferred-citation"]["url"]


def test_citation_agrees_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert str(CITATION["version"]) == cdg_theory.__version__
    assert CITATION["license"] == project["license"]


def test_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)
    assert versions[0] in {"Unreleased", cdg_theory.__version__}
