"""What a section of a report and its figures are called: words for readers, from one file.

``titles.toml`` beside the records has a line for each file of them, its name and its title::

    rates = "Fashion-MNIST, batch 32, a finer grid of rates: the gain is gone"

A file that it does not name is called by its own name and its data. A table that has a line for
each file takes what stands before the first colon.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from cdg_theory.checks import described

FILE = "titles.toml"

DATA = {
    "fashion": "Fashion-MNIST",
    "digits": "handwritten digits",
    "cifar10": "CIFAR-10",
    "canvases": "segmentation",
    "shoe-angles": "angles of shoes",
    "digit-angles": "angles of digits",
    "note-pitches": "pitch of instruments",
    "grey-levels": "grey levels",
    "row-profiles": "row profiles",
    "noisy-spectra": "noisy spectra",
    "sparse-curves": "sparse curves",
}
"""What readers call a data set."""


def read_titles(folder: Path) -> dict[str, str]:
    """Return the titles that a folder of records has for them, by the records' names.

    Raises
    ------
    ValueError
        If ``titles.toml`` is not TOML, or a title is no text.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        titles = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not a TOML file in UTF-8: {error}"
        raise ValueError(msg) from error
    for name, title in titles.items():
        if not isinstance(title, str) or not title.strip():
            msg = f"{path}: the title of {name!r} must be text, got {described(title)}"
            raise ValueError(msg)
    return titles


def title_of(path: Path, data: str) -> str:
    """Return the title of a file of records, trained on a data set."""
    return read_titles(path.parent).get(path.stem) or f"{path.stem}: {DATA.get(data, data)}"


def short_title(path: Path, data: str) -> str:
    """Return what a line of a table calls a file of records: its title up to the first colon.

    Examples
    --------
    >>> short_title(Path("nowhere/mine.jsonl"), "shoe-angles")
    'mine'
    """
    return title_of(path, data).partition(":")[0]
