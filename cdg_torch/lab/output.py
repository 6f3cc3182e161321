"""Terminal output: tables, which are Markdown as well, progress bars, names of written files.

Everything that a command prints can be read on any terminal. What an encoding lacks is spelled out
(λ as lambda); a table that a line has no room for becomes a list; into a pipe or a file, lines are
as long as they need to be.
"""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import ConsoleOptions
    from rich.progress import Progress
    from rich.text import Text

# As wide as anything that is printed.
_UNBOUNDED = 10_000
# A column of words is folded down to this many characters, and no further.
_LEAST_WORDS = 16

_SPELLED = {
    **{"×": "x", "·": "*", "±": "+-", "√": "sqrt", "∫": "int", "∞": "inf", "′": "'", "≠": "!="},
    **{"–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "≈": "~"},
}


def _spelled(character: str) -> str:
    """Return a character in ASCII: as a word if it is a symbol, else as its number."""
    if character in _SPELLED:
        return _SPELLED[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK") and " LETTER " in name:
        return name.rpartition(" LETTER ")[2].partition(" ")[0].lower().replace("lamda", "lambda")
    if name.startswith(("SUPERSCRIPT", "SUBSCRIPT")):
        plain = unicodedata.normalize("NFKD", character)
        return _SPELLED.get(plain, plain)
    # Letters keep their identity: a path without its accents would be another path.
    return character.encode("ascii", "backslashreplace").decode()


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


codecs.register_error("cdg-spelled", _spell_out)


def spell_out() -> None:
    """Let this process print any text, whatever the encoding of its terminal."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="cdg-spelled")


class Terminal(Console):
    """Where commands print to: standard output, or standard error.

    Text is printed as it is: no markup, no emoji, no highlighting of numbers. Symbols that the
    encoding lacks are spelled out before lines are laid out, so that tables stay straight.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)
        if not self.is_terminal and not os.environ.get("COLUMNS"):
            self.width = _UNBOUNDED

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as rich's text, spelled as the encoding needs it."""
        known = text.encode(self.encoding, "cdg-spelled").decode(self.encoding)
        return super().render_str(known, **options)

    def on_broken_pipe(self) -> None:
        """Leave it to the command how to end (rich would exit with status 1)."""
        raise


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Rows of text under column names; a rich console prints it, pages include it.

    ===========  ==========================================================
    field        meaning
    ===========  ==========================================================
    ``columns``  the names of the columns
    ``rows``     as many cells each
    ``title``    what stands over the table
    ``left``     the columns of words; numbers stand on the right
    ===========  ==========================================================

    On a console, words are folded where a line is short and nothing is ever cut; where not even
    the numbers have room, each row becomes a list.

    Examples
    --------
    >>> print(ResultTable(("method", "score"), [("SGD", "0.9")]).markdown(), end="")
    | method | score |
    | --- | ---: |
    | SGD | 0.9 |
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    left: Collection[int] = (0,)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | str]:
        spelled = [
            [console.render_str(cell).plain for cell in cells]
            for cells in (self.columns, *self.rows)
        ]
        widths = [max(map(cell_len, column)) for column in zip(*spelled, strict=True)]
        framed = 3 * len(widths) + 1
        table = Table(title=self.title or None, title_justify="left")
        if sum(widths) + framed > options.max_width:
            for index, column in enumerate(zip(*spelled, strict=True)):
                # The name of a column may be folded between words, a number may not.
                whole = max(map(cell_len, (*column[0].split(), *column[1:])))
                widths[index] = min(whole, _LEAST_WORDS) if index in self.left else whole
            if sum(widths) + framed > options.max_width:
                yield from self._listed()
                return
        for index, (name, width) in enumerate(zip(self.columns, widths, strict=True)):
            if index in self.left:
                table.add_column(name, overflow="fold", min_width=width)
            else:
                table.add_column(name, justify="right", width=width)
        for cells in self.rows:
            table.add_row(*cells)
        yield table

    def _listed(self) -> Iterator[str]:
        """Yield the title, and each row as lines of a name and a value."""
        if self.title:
            yield self.title
        for first, *others in self.rows:
            yield first
            for name, cell in zip(self.columns[1:], others, strict=True):
                yield f"  {name}: {cell}"

    def markdown(self) -> str:
        """Return the table as Markdown, without its title."""
        rule = ["---" if index in self.left else "---:" for index in range(len(self.columns))]
        lines = (self.columns, rule, *self.rows)
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def progress_bar(console: Console) -> Progress:
    """Return a bar, on terminals only: task, how much is done, time elapsed, time left."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def say_written(console: Console, *paths: Path) -> None:
    """Say which files were written, each on a line that can be copied."""
    for path in paths:
        console.print(f"wrote {path.resolve()}", soft_wrap=True)
