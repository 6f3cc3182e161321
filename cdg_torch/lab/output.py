"""Terminal output: tables, which are Markdown as well, progress bars, names of written files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table


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

    def __rich__(self) -> Table:
        from rich.table import Table

        table = Table(title=self.title, title_justify="left")
        for index, name in enumerate(self.columns):
            table.add_column(name, justify="left" if index in self.left else "right")
        for cells in self.rows:
            table.add_row(*cells)
        return table

    def markdown(self) -> str:
        """Return the table as Markdown, without its title."""
        rule = ["---" if index in self.left else "---:" for index in range(len(self.columns))]
        lines = (self.columns, rule, *self.rows)
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def progress_bar(console: Console) -> Progress:
    """Return a progress bar: task, how much is done, time elapsed, time left."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=console,
    )


def say_written(console: Console, *paths: Path) -> None:
    """Say which files were written, each on a line that can be copied."""
    for path in paths:
        console.print(f"wrote {path.resolve()}", highlight=False, soft_wrap=True)
