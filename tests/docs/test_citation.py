"""CITATION.cff, the changelog and the package agree; the citation has what its format asks for."""

import re
import tomllib
from pathlib import Path

import yaml

import cdg_theory

ROOT = Path(__file__).parents[2]


def test_citation_has_the_required_fields() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    for work in (citation, citation["preferred-citation"]):
        assert work["title"]
        assert all(
            author.get("name") or (author["family-names"] and author["given-names"])
            for author in work["authors"]
        )
    assert citation["message"]
    assert "2008.10766" in citation["preferred-citation"]["url"]


def test_citation_agrees_with_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert str(citation["version"]) == cdg_theory.__version__
    assert citation["license"] == project["license"]


def test_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)
    assert versions[0] in {"Unreleased", cdg_theory.__version__}
