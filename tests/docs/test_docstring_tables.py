"""Tables in docstrings keep to their columns: a row that does not would stop the building."""

import ast
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    path.relative_to(ROOT).as_posix()
    for package in ("cdg_theory", "cdg_torch")
    for path in sorted((ROOT / package).rglob("*.py"))
]


def ragged(doc: str) -> list[str]:
    """Return the rows of tables that have text where the borders have gaps."""
    found: list[str] = []
    lines, border = [*doc.split("\n"), ""], ""
    for line, following in pairwise(lines):
        if set(line) == {"=", " "}:
            # After the last border comes an empty line.
            border = line if following.strip() else ""
        elif border:
            gaps = [i for i, sign in enumerate(border) if sign == " " and i < len(line)]
            if any(line[i] != " " for i in gaps):
                found.append(line)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_rows_keep_to_their_columns(module) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = [
        ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)
    ]
    assert [row for doc in docs for row in ragged(doc)] == []


def test_a_ragged_row_is_seen() -> None:
    borders = "===  ===="
    assert ragged(f"{borders}\na    b\n{borders}\nlong name\n{borders}") == ["long name"]
    assert ragged(f"{borders}\na    b\n{borders}\na    name\n{borders}\n\nlong name") == []
