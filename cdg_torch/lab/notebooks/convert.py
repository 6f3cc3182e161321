"""A page as a notebook: directives and roles of Sphinx become plain Markdown.

=====================================  =====================================================
on the page                            in the notebook
=====================================  =====================================================
``prf:proposition``, ``prf:lemma``, …  a box with number, title and statement
``prf:proof``                          the proof, with an end mark
``dropdown``                           folded: ``<details>``
``admonition`` and its kinds           a box
``ledger-entry``                       a box with the theorem of the ledger
``math`` with a label                  a numbered formula
``image``, ``figure``                  the picture, kept in the notebook
references to notebooks                links to the files beside it
other references                       links to the site, if its address is known, else words
citations                              links to a list at the end
=====================================  =====================================================

jupytext reads the cells, markdown-it finds the directives; here stands only what each becomes.
"""

from __future__ import annotations

import base64
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cdg_theory
from cdg_theory import ledger
from cdg_torch.extras import optional
from cdg_torch.lab.notebooks.pages import Page, read_pages

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: What the first cell of a notebook with figures does; on the site, the kernel is set up so.
STYLE = "from cdg_theory.display import figure_style\n\nfigure_style()"

_DIRECTIVE = re.compile(r"\{([\w:-]+)\}\s*(.*)")
_OPTION = re.compile(r":([\w-]+):[ ]*(.*)\n?")
_ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")
_EXPLICIT = re.compile(r"(.+?)\s*<(.+)>", re.DOTALL)
_LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
_OWN_LINK = re.compile(r"\]\(#([\w-]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

# What the site counts together.
_COUNTED_AS = {"lemma": "proposition", "corollary": "proposition"}
_BOXES = {"note": "info", "tip": "success", "important": "warning", "warning": "warning",
          "seealso": "info", "admonition": "info"}  # fmt: skip
_PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}


class NoFormError(ValueError):
    """A page has something that no notebook can show as it stands there."""

    def __init__(self, page: Page, what: str, name: str) -> None:
        super().__init__(
            f"{page.name}: the {what} {name!r} has no form in notebooks; {__name__} gives it one"
        )


@dataclass(frozen=True, slots=True)
class _Proposition:
    """What a reference to a proposition needs."""

    page: Page
    words: str  # Proposition 3
    title: str


def _box(kind: str, head: str, body: str) -> str:
    # The empty lines make notebooks read what is inside as Markdown.
    return f'<div class="alert alert-block alert-{kind}">\n\n{head}\n\n{body}\n\n</div>'


def _anchor(name: str) -> str:
    return f'<a id="{name}"></a>'


def _slug(heading: str) -> str:
    """Return the anchor that the site gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _options(content: str) -> tuple[dict[str, str], str]:
    """Split a directive's content into its options and the rest."""
    found = {}
    while match := _OPTION.match(content):
        found[match[1]] = match[2].strip()
        content = content[match.end() :]
    return found, content.strip("\n")


def _directives(text: str) -> Iterator[tuple[int, int, str, str, str]]:
    """Yield first line, line after the last, name, argument and content of each directive."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.colon_fence import colon_fence_plugin

    for token in MarkdownIt().use(colon_fence_plugin).parse(text):
        if token.type in {"fence", "colon_fence"} and token.map:
            start, end = token.map
            match = _DIRECTIVE.fullmatch(token.info.strip())
            name, argument = match.groups() if match else ("", "")
            yield start, end, name, argument, token.content


@dataclass(frozen=True)
class Library:
    """The pages of a folder, and what references between them need.

    ==========  ==============================================================================
    field       meaning
    ==========  ==============================================================================
    ``folder``  where the pages lie
    ``site``    the site's address, for references to pages that are no notebooks; often none
    ==========  ==============================================================================
    """

    folder: Path
    site: str = ""

    @cached_property
    def pages(self) -> dict[str, Page]:
        """All pages by name, in the order in which the site lists them."""
        return read_pages(self.folder)

    @property
    def notebooks(self) -> list[Page]:
        """The pages with cells."""
        return [page for page in self.pages.values() if page.has_cells]

    @cached_property
    def propositions(self) -> dict[str, _Proposition]:
        """What is numbered, by label, with the numbers that the site gives."""
        found, counts = {}, Counter[str]()
        for page in self.pages.values():
            for _, _, name, title, content in _directives(page.text):
                kind = name.removeprefix("prf:")
                if kind == name or kind == "proof":
                    continue
                counted = _COUNTED_AS.get(kind, kind)
                counts[counted] += 1
                label = _options(content)[0]["label"]
                words = f"{kind.capitalize()} {counts[counted]}"
                found[label] = _Proposition(page, words, title)
        return found

    @cached_property
    def works(self) -> Any:
        """The bibliography."""
        with optional():
            from pybtex.database import parse_file

        return parse_file(self.folder / "references.bib").entries

    def notebook(self, page: Page) -> NotebookNode:
        """Return a page as a notebook that has not been run.

        Raises
        ------
        NoFormError
            If the page has a directive, a role or a reference that is not known here.
        ModuleNotFoundError
            If jupytext or pybtex is missing.
        """
        return _Conversion(self, page).notebook()

    def contents(self) -> NotebookNode:
        """Return a notebook without code that links to all others."""
        with optional():
            from jupytext import reads
        lines = ["# Notebooks", "", _imprint(), ""]
        folder = None
        for page in self.notebooks:
            if folder != (folder := page.name.partition("/")[0]):
                lines += ["", f"## {self.pages[f'{folder}/index'].title}", ""]
            lines.append(f"- [{page.title}]({page.file})")
        return _finished(reads("\n".join(lines), fmt="md:myst"))


def _imprint() -> str:
    return (
        f"*From the documentation of channel-directed gradients {cdg_theory.__version__}. The "
        "cells need* `pip install 'channel-directed-gradients[notebooks]'`."
    )


def _finished(notebook: NotebookNode) -> NotebookNode:
    """Set what is the same in every notebook: kernel, language, and ids that do not change."""
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


@dataclass
class _Conversion:
    """One page on its way to a notebook."""

    library: Library
    page: Page
    cited: list[str] = field(default_factory=list)
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)
    equations: dict[str, int] = field(default_factory=dict)

    def notebook(self) -> NotebookNode:
        with optional():
            import nbformat
            from jupytext import reads

        notebook = reads(self.page.text, fmt="md:myst")
        for _, _, name, _, content in _directives(self.page.text):
            if name == "math" and (label := _options(content)[0].get("label")):
                self.equations[label] = len(self.equations) + 1
        for cell in notebook.cells:
            cell.metadata.clear()
            if cell.cell_type == "markdown":
                cell.source = self.markdown(cell.source)
                if self.pictures:
                    cell.attachments, self.pictures = self.pictures, {}
        first = notebook.cells[0]
        title, _, rest = first.source.partition("\n")
        first.source = f"{title}\n\n{_imprint()}\n{rest}"
        make: Any = nbformat.v4
        if any("matplotlib" in cell.source for cell in notebook.cells):
            notebook.cells.insert(1, make.new_code_cell(STYLE))
        if self.cited:
            notebook.cells.append(make.new_markdown_cell(self.references()))
        return _finished(notebook)

    def markdown(self, text: str) -> str:
        """Return Markdown without directives and roles."""
        lines, parts, at = text.split("\n"), [], 0
        for start, end, name, argument, content in _directives(text):
            if start < at:
                continue  # within a directive that is done
            if start > at:
                parts.append(self.words("\n".join(lines[at:start])))
            at = end
            if name:
                parts.append(self.directive(name, argument, content))
            else:
                parts.append("\n".join(lines[start:end]))
        parts.append(self.words("\n".join(lines[at:])))
        return "\n".join(parts).strip("\n")

    def words(self, text: str) -> str:
        """Return text with its roles, labels and links within the page resolved."""
        text = _ROLE.sub(self.role, text)
        text = _LABEL.sub(lambda found: _anchor(found[1]), text)
        wanted = set(_OWN_LINK.findall(self.page.text))

        def marked(found: re.Match[str]) -> str:
            slug = _slug(found[1])
            return f"{_anchor(slug)}\n\n{found[0]}" if slug in wanted else found[0]

        return _HEADING.sub(marked, text)

    def directive(self, name: str, argument: str, content: str) -> str:
        options, body = _options(content)
        title = self.words(argument)
        if name == "prf:proof":
            return f"*Proof.* {self.markdown(body)} ∎"
        if name.startswith("prf:"):
            label = options["label"]
            head = f"**{self.library.propositions[label].words}.** *{title}*"
            return _box("info", f"{_anchor(label)}{head}", self.markdown(body))
        if name == "dropdown":
            inside = self.markdown(body)
            return f"<details>\n<summary>{title}</summary>\n\n{inside}\n\n</details>"
        if name in _BOXES:
            return _box(_BOXES[name], f"**{title or name.capitalize()}**", self.markdown(body))
        if name == "math":
            number = self.equations.get(options.get("label", ""))
            tag = rf"\tag{{{number}}}" if number else ""
            return f"$$\n{body} {tag}\n$$"
        if name == "ledger-entry":
            return self.theorem(argument)
        if name in {"image", "figure"}:
            return self.picture(argument, options.get("alt", ""), self.markdown(body))
        raise NoFormError(self.page, "directive", name)

    def theorem(self, name: str) -> str:
        """Return a theorem of the ledger in a box."""
        theorem = ledger.theorem(name)
        facts = {"Scope": theorem.scope, "Checked": f"{theorem.kind}", "Refused": theorem.perturbed}
        lines = [f"**{name}.** {theorem.statement}", f"$$\n{theorem.tex}\n$$"]
        lines += [f"*{what}:* {said}" for what, said in facts.items()]
        lines.append(f'Run it: `ledger.prove("{name}")`')
        return _box("success", lines[0], "\n\n".join(lines[1:]))

    def picture(self, path: str, alt: str, caption: str) -> str:
        """Return a picture that is kept in the cell."""
        file = (self.library.folder / self.page.name).parent / path
        data = base64.b64encode(file.read_bytes()).decode()
        self.pictures[file.name] = {_PICTURES[file.suffix]: data}
        return f"![{alt}](attachment:{file.name})\n\n{caption}".strip()

    def role(self, found: re.Match[str]) -> str:
        name, text = found.groups()
        explicit = _EXPLICIT.fullmatch(text)
        title, target = explicit.groups() if explicit else ("", text)
        kind = name.partition(":")[0]
        known: dict[str, Callable[[str, str], str]] = {
            "doc": self.to_page, "thm": self.to_theorem, "prf:ref": self.to_proposition,
            "eq": lambda _, label: f"({self.equations[label]})",
            "cite:t": lambda _, keys: self.citation(keys, "{} ({})", "{}"),
            "cite:p": lambda _, keys: self.citation(keys, "{}, {}", "({})"),
            "math": lambda _, tex: f"${tex}$",
        }  # fmt: skip
        if kind == "py":
            return f"`{title or target.removeprefix('~')}`"
        if name not in known:
            raise NoFormError(self.page, "role", name)
        return known[name](title, target)

    def to_page(self, title: str, target: str) -> str:
        name = self.page.named(target)
        if name not in self.library.pages:
            raise NoFormError(self.page, "reference", target)
        page = self.library.pages[name]
        title = title or page.title
        if page.has_cells:
            return f"[{title}]({page.file})"
        return self.on_site(title, f"{name}.html", "")

    def on_site(self, words: str, address: str, hint: str) -> str:
        """Return a link to the site; where its address is not known, the words with a hint."""
        if self.library.site:
            return f"[{words}]({self.library.site.rstrip('/')}/{address})"
        return f'<abbr title="{html.escape(hint)}">{words}</abbr>' if hint else f"*{words}*"

    def to_theorem(self, title: str, target: str) -> str:
        anchor = "ledger-" + target.lower().replace(".", "-")
        statement = ledger.theorem(target).statement
        return self.on_site(title or target, f"reference/ledger.html#{anchor}", statement)

    def to_proposition(self, title: str, target: str) -> str:
        if target not in self.library.propositions:
            raise NoFormError(self.page, "reference", target)
        there = self.library.propositions[target]
        file = "" if there.page == self.page else there.page.file
        return f'[{title or there.words}]({file}#{target} "{there.title}")'

    def citation(self, keys: str, one: str, around: str) -> str:
        links = []
        for key in keys.split(","):
            work = self.library.works[key]
            names = [person.last_names[-1] for person in work.persons["author"]]
            who = names[0] if len(names) == 1 else f"{names[0]} and {names[1]}"
            if len(names) > 2:
                who = f"{names[0]} et al."
            if key not in self.cited:
                self.cited.append(key)
            links.append(f"[{one.format(who, work.fields['year'])}](#{key})")
        return around.format("; ".join(links))

    def references(self) -> str:
        """Return the list of the works cited."""
        from pybtex.plugin import find_plugin

        style = find_plugin("pybtex.style.formatting", "plain")()
        backend = find_plugin("pybtex.backends", "markdown")()
        works = style.format_entries([self.library.works[key] for key in sorted(self.cited)])
        lines = [f"- {_anchor(w.key)}{w.text.render(backend)}".replace("\n", " ") for w in works]
        return "\n".join(["## References", "", *lines])
