"""Notebooks: where executed ones are kept, and a download for each on its page.

The files are those that ``cdg notebooks`` writes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from cdg_torch.lab.notebooks import Library

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "_notebooks"
_BUTTON = """
<p class="notebook-download"><a href="{address}" download>Download this page as a notebook</a>
<span>and <a href="{help}">run it</a></span></p>
"""


def sources_digest(root: Path) -> str:
    """Return a digest of the library's sources: what a notebook's outputs depend on."""
    digest = hashlib.sha256()
    for package in ("cdg_theory", "cdg_torch"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def prepare(docs: Path) -> Path:
    """Set up the notebooks' kernels and return the folder for their cached outputs.

    A cache keyed on the cells alone would go on showing results of code that has changed, and its
    assertions would pass unexecuted. This one lies in a folder named after the sources.
    """
    cache = docs / "_build" / "notebooks" / sources_digest(docs.parent)
    if cache.parent.is_dir():
        for stale in cache.parent.iterdir():
            if stale != cache:
                shutil.rmtree(stale, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    # IPython writes into its folder, so it gets a copy.
    ipython = docs / "_build" / "ipython"
    shutil.copytree(docs / "_ipython", ipython, dirs_exist_ok=True)
    os.environ["IPYTHONDIR"] = str(ipython)
    # These sources, unless other ones are asked for: the tests ask for an installed wheel's.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [*filter(None, [os.environ.get("PYTHONPATH")]), str(docs.parent)]
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # The debugger that ships with the kernel warns about frozen modules on standard error.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return cache


def add_button(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Put the link to the notebook under the title of a page that is one."""
    found = app.cdg_library.pages.get(page)
    if found is not None and found.has_cells:
        to = context["pathto"]
        button = _BUTTON.format(address=to(f"{FOLDER}/{found.file}", 1), help=to("howto/notebooks"))
        title, end, rest = context["body"].partition("</h1>")
        context["body"] = f"{title}{end}{button}{rest}"


def write_notebooks(app: Sphinx, error: Exception | None) -> None:
    """Write the notebooks beside the pages."""
    if error is None and app.builder.format == "html":
        folder = Path(app.outdir, FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        for page in app.cdg_library.notebooks:
            nbformat.write(app.cdg_library.notebook(page), folder / page.file)


def start(app: Sphinx) -> None:
    """Read the pages."""
    app.cdg_library = Library(Path(app.srcdir), app.config.html_baseurl)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what happens to pages."""
    app.connect("builder-inited", start)
    app.connect("html-page-context", add_button)
    app.connect("build-finished", write_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
