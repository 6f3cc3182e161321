"""Every page with cells is a notebook that opens, and that its page offers."""

import json
import re
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest
from typer.testing import CliRunner

from cdg_torch.lab.cli import app
from cdg_torch.lab.notebooks import Library, Page, pages_folder
from tests.docs.test_code_blocks import is_notebook

ROOT = Path(__file__).parents[2]
LIBRARY = Library(ROOT / "docs")
# A directive, a role, a label: what only Sphinx understands.
SPHINX = re.compile(r"^[`:]{3,}\{|\{[a-z:]+\}`|^\([\w-]+\)=$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|attachment:)([^)#\s]*)(?:#([\w-]+))?[^)]*\)")

by_page = pytest.mark.parametrize("page", LIBRARY.notebooks, ids=lambda page: page.name)


def test_every_page_with_cells_is_taken() -> None:
    wanted = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for path in (ROOT / "docs").rglob("*.md")
        if "_build" not in path.parts and is_notebook(path)
    }
    assert {page.name for page in LIBRARY.notebooks} == wanted
    files = [page.file for page in LIBRARY.notebooks]
    assert len({*files, "index.ipynb"}) == len(files) + 1


@cache
def words(page: Page) -> str:
    return prose(LIBRARY.notebook(page))


def prose(notebook) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@by_page
def test_it_opens(page, tmp_path) -> None:
    notebook = LIBRARY.notebook(page)
    nbformat.validate(notebook)
    nbformat.write(notebook, tmp_path / page.file)
    assert jupytext.read(tmp_path / page.file).cells == notebook.cells
    assert notebook.metadata.kernelspec.display_name
    # The page itself opens as well.
    nbformat.validate(jupytext.read(ROOT / "docs" / f"{page.name}.md"))
    assert SPHINX.findall(prose(notebook)) == []
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= page.text.count("```{code-cell}") > 0


@by_page
def test_its_links_lead_somewhere(page) -> None:
    texts = {other.file: words(other) for other in LIBRARY.notebooks}
    for file, anchor in LINK.findall(texts[page.file]):
        assert not file or file in texts, file
        assert not anchor or f'<a id="{anchor}"></a>' in texts[file or page.file], anchor


@by_page
def test_its_figures_have_words_and_labels(page) -> None:
    for cell in re.findall(r"```\{code-cell\}\n(.*?)```", page.text, re.DOTALL):
        if "subplots(" in cell:
            assert re.match(r":mystnb: \{image: \{alt: \"[^\"]{20,}\"\}\}\n", cell), cell
            assert "xlabel" in cell, cell


def converted(text: str) -> str:
    page = Page("theory/planted", f"---\nfile_format: mystnb\n---\n# Title\n\n{text}\n")
    return prose(LIBRARY.notebook(page))


def test_a_solution_is_folded() -> None:
    shown = converted(":::{dropdown} Solution\nAdd $p_0$ times the {thm}`T5.pivots`.\n:::")
    assert "<details>\n<summary>Solution</summary>\n\nAdd $p_0$ times" in shown


def test_a_statement_is_a_box_with_the_number_that_the_site_gives() -> None:
    box = prose(LIBRARY.notebook(LIBRARY.pages["theory/metric-family"]))
    assert "Poincaré's inequality, with its best constant" in box
    number = LIBRARY.propositions["thm-poincare"].words
    assert f'<a id="thm-poincare"></a>**{number}.**' in box
    assert f"[{number}](#thm-poincare" in box


def test_references_become_links() -> None:
    shown = converted(
        "{doc}`noise`, {doc}`/howto/sharding`, {cite:t}`lao2020`, {prf:ref}`thm-best-h0`"
    )
    assert "[Noise, and the best λ](noise.ipynb)" in shown
    assert "[Lao et al. (2020)](#lao2020)" in shown
    assert '<a id="lao2020"></a>' in shown
    assert "](noise.ipynb#thm-best-h0" in shown
    site = Library(ROOT / "docs", "https://example.org/")
    linked = prose(site.notebook(site.pages["theory/metric-family"]))
    assert "](https://example.org/reference/ledger.html#ledger-t1-definition)" in linked


@pytest.mark.parametrize(
    "planted", ["```{plot}\nx\n```", "{abbr}`x`", "{doc}`nowhere`", "{prf:ref}`thm-nothing`"]
)
def test_what_has_no_form_in_notebooks_is_refused(planted) -> None:
    with pytest.raises(ValueError, match="has no form in notebooks"):
        converted(planted)


def test_the_command_writes_what_the_pages_offer(site, tmp_path) -> None:
    done = CliRunner().invoke(app, ["notebooks", str(tmp_path / "nb")])
    assert done.exit_code == 0, done.output
    assert pages_folder() == ROOT / "docs"
    for page in LIBRARY.notebooks:
        written = (tmp_path / "nb" / page.file).read_text(encoding="utf-8")
        assert written.strip() == (site / "_notebooks" / page.file).read_text().strip(), page.name
        shown = (site / f"{page.name}.html").read_text(encoding="utf-8")
        assert f'href="../_notebooks/{page.file}" download' in shown
        for label, proposition in LIBRARY.propositions.items():
            if proposition.page == page:
                kind, number = proposition.words.split()
                title = (
                    rf'<p class="admonition-title"><span class="caption-number">{kind} {number} '
                )
                assert re.search(rf'id="{label}">\s*{title}', shown), (page.name, label)
    listed = json.loads((tmp_path / "nb" / "index.ipynb").read_text())["cells"]
    assert all(page.file in "".join(listed[0]["source"]) for page in LIBRARY.notebooks)
