"""Each message on the page of troubleshooting is one that the library has."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "faq.md"
# A term of a definition list that is code alone; the ellipsis stands for what differs.
MESSAGE = re.compile(r"^`([^`]* [^`]*)`\n: ", re.MULTILINE)


def strings(tree: ast.AST) -> list[str]:
    """Return all strings of a program; what is put into one counts as an ellipsis."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
            found.append("".join(map(str, parts)))
    return found


def in_words(message: str) -> bool:
    """Whether some string of the library has all that the message quotes, in this order."""
    pattern = re.compile(".*".join(map(re.escape, message.split("…"))), re.DOTALL)
    return any(pattern.search(string) for string in STRINGS)


STRINGS = [
    string
    for package in ("cdg_theory", "cdg_torch")
    for path in sorted((ROOT / package).rglob("*.py"))
    for string in strings(ast.parse(path.read_text(encoding="utf-8")))
]
MESSAGES = MESSAGE.findall(PAGE.read_text(encoding="utf-8"))


def test_the_page_quotes_messages() -> None:
    assert len(MESSAGES) > 25


@pytest.mark.parametrize("message", MESSAGES)
def test_the_library_has_it(message: str) -> None:
    assert in_words(message)


@pytest.mark.parametrize("message", ["the metric acts on everything …", "… wraps no optimizer; …"])
def test_another_message_is_seen(message: str) -> None:
    assert not in_words(message)
