"""The ledger of theorems and the claims of the tests, as directives.

``ledger-table``    one row per theorem, with what its check says at this build
``ledger-entries``  each theorem in full: statement, scope, the refused variant, proof, tests, code
``ledger-entry``    one theorem in full, by id
``test-claims``     what each test file claims, from its docstring
``{thm}`` (role)    a link to a theorem's entry, by id
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from notebooks import sources_digest
from sphinx.roles import XRefRole
from sphinx.util.docutils import SphinxDirective

from cdg_theory import ledger

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
#: Set where the statements are checked beside the build anyway.
NOT_RUN = "CDG_LEDGER_NOT_RUN"
#: The test that runs every statement and every variant.
EVERY = "theory/test_ledger_holds.py"
KIND = {
    "symbolic": "symbolic: for all n, weights or functions of its scope",
    "exact": "exact: rational arithmetic, no rounding, on drawn cases",
    "numeric": "numeric: floating point, with a bound derived beforehand",
}


@dataclass(frozen=True)
class Verdict:
    """What the check said of the statement and of the perturbed statement."""

    holds: bool
    refused: bool
    seconds: float


_VERIFY = """
import json, sys
from cdg_theory import ledger
rows = {r.id: [r.holds, r.seconds] for r in ledger.run()}
for r in ledger.run(perturbed=True):
    rows[r.id].append(r.holds)
json.dump(rows, sys.stdout)
"""


@functools.cache
def verdicts() -> dict[str, Verdict]:
    """Run the whole ledger, unless it has been run on these very sources.

    Raises
    ------
    RuntimeError
        If a statement fails or a perturbed statement is not refused: such a site is not built.
    """
    cache = ROOT / "docs" / "_build" / "ledger" / f"{sources_digest(ROOT)}.json"
    if not cache.is_file():
        done = subprocess.run(
            [sys.executable, "-c", _VERIFY], cwd=ROOT, capture_output=True, text=True, check=True
        )
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(done.stdout, encoding="utf-8")
    rows = json.loads(cache.read_text(encoding="utf-8"))
    found = {name: Verdict(row[0], not row[2], row[1]) for name, row in rows.items()}
    if wrong := [name for name, row in found.items() if not (row.holds and row.refused)]:
        msg = f"the ledger does not hold: {wrong}; run `cdg verify --theory`"
        raise RuntimeError(msg)
    return found


def said(theorem: ledger.Theorem) -> str:
    """Return what the check says, in words; the tests' own build leaves it to another test."""
    if os.environ.get(NOT_RUN):
        return f"not run; see `tests/{EVERY}`"
    return f"statement holds, variant refused ({verdicts()[theorem.id].seconds:.2g} s)"


def claim(path: Path) -> str:
    """Return the docstring of a test file."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


_NUMBERS = re.compile(r"\b[Tt]heorems?\s+(\d+(?:(?:\s*(?:,|and|to|–|-)\s*)+\d+)*)|\bT(\d+)\b")


def numbers(text: str) -> set[int]:
    """Return the theorem numbers that a text names: "theorems 5 and 7", "T11.sharded", "T7".

    Examples
    --------
    >>> sorted(numbers("Theorems 5, 7 and 11 (T12.mesh), T13"))
    [5, 7, 11, 12, 13]
    """
    found = set()
    for match in _NUMBERS.finditer(text):
        found |= {int(number) for number in re.findall(r"\d+", match[1] or match[2])}
    return found


@functools.cache
def claims() -> dict[str, tuple[str, str]]:
    """Return, for each test file, its claim and its text."""
    return {
        path.relative_to(ROOT / "tests").as_posix(): (claim(path), path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
    }


def tests_of(theorem: ledger.Theorem) -> list[str]:
    """Return the test files of a theorem.

    First the one that checks every statement and variant. Then those that name its id or import its
    proof; if there are none, those whose docstring has its number. Files that are named after
    theorems come instead of all others.

    Raises
    ------
    RuntimeError
        If it has no test of its own.
    """
    package, _, module = theorem.proof.__module__.rpartition(".")
    named = re.compile(
        rf"{re.escape(theorem.id)}(?![\w-])|^from {re.escape(package)} import .*\b{module}\b",
        re.MULTILINE,
    )
    after_theorems = {name: c for name, c in claims().items() if "test_theorem_" in name}
    for files in (after_theorems, claims()):
        if found := [name for name, (_, text) in files.items() if named.search(text)]:
            return [EVERY, *found]
        if found := [name for name, (says, _) in files.items() if theorem.number in numbers(says)]:
            return [EVERY, *found]
    msg = f"no test file names {theorem.id}, imports {module} or claims theorem {theorem.number}"
    raise RuntimeError(msg)


def label(theorem_id: str) -> str:
    """Return the anchor of a theorem's entry."""
    return "ledger-" + theorem_id.lower().replace(".", "-")


def heading(theorem: ledger.Theorem) -> str:
    """Return the theorem's title as a heading."""
    return theorem.title[:1].upper() + theorem.title[1:]


def test_label(name: str) -> str:
    """Return the anchor of a test file's claim."""
    return "claim-" + name.removesuffix(".py").replace("/test_", "-").replace("_", "-")


def check_source(theorem: ledger.Theorem) -> str:
    """Return the source of the theorem's check, or nothing where Python does not know it."""
    try:
        return inspect.getsource(inspect.unwrap(theorem.proof))
    except (TypeError, OSError):
        return ""


def proof_link(theorem: ledger.Theorem) -> str:
    """Return a link to the page that proves the theorem, from any page."""
    page = theorem.page.partition("#")[0].removesuffix(".md")
    exists = (ROOT / "docs" / f"{page}.md").is_file()
    return f"{{doc}}`proof </{page}>`" if exists else f"`{theorem.page}`"


def formal_facts(theorem: ledger.Theorem) -> list[str]:
    """Return which formal statements say it, if any do."""
    if not theorem.formal:
        return []
    names = ", ".join(f"`{name}`" for name in theorem.formal)
    page = "{doc}`checked by Coq's kernel </theory/checked-by-a-kernel>`"
    return ["", "Formal", f": {names}: {page}, about a translation of the code"]


def entry(theorem: ledger.Theorem) -> list[str]:
    """Return the theorem's entry as lines of MyST, without its heading."""
    verdict = said(theorem)
    tests = ", ".join(f"[](#{test_label(name)})" for name in tests_of(theorem))
    lines = [
        theorem.statement,
        "",
        "$$",
        theorem.tex,
        "$$",
        "",
        ":::{div} ledger-facts",
        "Scope",
        f": {theorem.scope}",
        "",
        "Check",
        f": {KIND[theorem.kind]}",
        "",
        "At this build",
        f": {verdict}",
        "",
        "Refused variant",
        f": {theorem.perturbed}",
        "",
        "Where",
        f": {proof_link(theorem)}; {{py:mod}}`{theorem.proof.__module__}`; tests: {tests}",
        *formal_facts(theorem),
        ":::",
        "",
    ]
    if source := check_source(theorem):
        fence = "```"
        lines += ["::::{dropdown} The check", f"{fence}python", source.rstrip(), fence, "::::", ""]
    return lines


class _Generated(SphinxDirective):
    """A directive whose content is MyST that Python writes."""

    def lines(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        # The page depends on the sources: build it afresh whenever they change.
        self.env.note_reread()
        return self.parse_text_to_nodes("\n".join(self.lines()), allow_section_headings=True)


class LedgerTable(_Generated):
    """One row per theorem."""

    def lines(self) -> list[str]:
        rows = ["| id | theorem | check | proof |", "| --- " * 4 + "|"]
        for theorem in ledger.theorems():
            said(theorem)  # raises if a statement fails or a variant passes
            rows.append(
                f"| [{theorem.id}](#{label(theorem.id)}) | {heading(theorem)} | {theorem.kind} "
                f"| {proof_link(theorem)} |"
            )
        return rows


class LedgerEntries(_Generated):
    """Every theorem in full."""

    def lines(self) -> list[str]:
        lines = []
        for number, theorems in groupby(ledger.theorems(), lambda theorem: theorem.number):
            # A label before the first heading of a directive would end up behind all sections.
            lines += [f"## Theorem {number}", ""]
            for theorem in theorems:
                lines += [f"({label(theorem.id)})=", f"### {theorem.id}: {heading(theorem)}", ""]
                lines += entry(theorem)
        return lines


class LedgerEntry(_Generated):
    """One theorem in full, in a box."""

    required_arguments = 1

    def lines(self) -> list[str]:
        wanted = self.arguments[0]
        for theorem in ledger.theorems():
            if theorem.id == wanted:
                title = f"[{theorem.id}](#{label(theorem.id)}): {theorem.title}"
                return [f":::::{{admonition}} {title}", *entry(theorem), ":::::"]
        msg = f"unknown theorem id {wanted!r}; ledger.theorems() lists the known ones"
        raise self.error(msg)


class TestClaims(_Generated):
    """What each test file claims."""

    def lines(self) -> list[str]:
        lines = ["## By file", ""]  # a label must not come before the first heading
        for name, (docstring, _) in claims().items():
            named = ", ".join(f"theorem {number}" for number in sorted(numbers(docstring)))
            lines += [
                f"({test_label(name)})=",
                f"### {name}",
                "",
                # Docstrings are prose in reStructuredText's manner: double backquotes are code.
                docstring.replace("``", "`"),
                "",
                *([f"*Names {named}.*", ""] if named else []),
            ]
        return lines


class TheoremRole(XRefRole):
    """``{thm}`T5.inverse-path``` links to the entry of that theorem."""

    def process_link(
        self, env: Any, refnode: Any, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        del env, has_explicit_title
        refnode["refdomain"], refnode["reftype"], refnode["refexplicit"] = "std", "ref", True
        return title, label(target)


def add_filter(app: Sphinx, page: str, *_: object) -> None:
    """Load what folds and filters the theorems on the page that has all of them."""
    if page == "reference/ledger":
        app.add_js_file("ledger.js")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives and the role."""
    app.add_directive("ledger-table", LedgerTable)
    app.add_directive("ledger-entries", LedgerEntries)
    app.add_directive("ledger-entry", LedgerEntry)
    app.add_directive("test-claims", TestClaims)
    app.add_role("thm", TheoremRole())
    app.connect("html-page-context", add_filter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
