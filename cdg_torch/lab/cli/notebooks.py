"""``cdg notebooks DIR``: the pages of the documentation as notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cdg_torch.extras import require
from cdg_torch.lab.files import check_writable, write_text
from cdg_torch.lab.output import Terminal, progress_bar, say_written


def notebooks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")],
    site: Annotated[str, typer.Option(help="Address of the documentation, for links.")] = "",
) -> None:
    """Write every page of the documentation that has code as a Jupyter notebook.

    Needs no network and no clone. Files of the same names are replaced: work on copies.
    """
    require("jupytext", "pybtex")
    import nbformat

    from cdg_torch.lab.notebooks import Library, pages_folder

    library = Library(pages_folder(), site)
    as_text: Any = nbformat.writes
    console = Terminal()
    check_writable(folder / "index.ipynb", *(folder / page.file for page in library.notebooks))
    with progress_bar(console) as progress:
        for page in progress.track(library.notebooks, description="notebooks"):
            write_text(folder / page.file, as_text(library.notebook(page)))
    write_text(folder / "index.ipynb", as_text(library.contents()))
    say_written(console, folder / "index.ipynb")
    console.print(
        f"This is a list of {len(library.notebooks)} notebooks beside it. Open it with "
        "`jupyter lab`, run them all with `jupyter execute`."
    )
