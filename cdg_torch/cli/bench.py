"""``cdg bench``: what it costs, on the terminal, as JSON, as Markdown and as pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cdg_torch.bench.figures import draw_cost, draw_scaling
from cdg_torch.bench.record import Machine, Record
from cdg_torch.bench.run import FULL, QUICK, run
from cdg_torch.files import replacing

__all__ = ["bench"]


def _show(record: Record, console: Console) -> None:
    for table in record.tables():
        shown = Table(title=table.title, title_justify="left")
        for index, name in enumerate(table.columns):
            shown.add_column(name, justify="left" if index < 2 else "right")
        for cells in table.rows:
            shown.add_row(*cells)
        console.print(shown)


def bench(
    output: Path,
    *,
    quick: bool = False,
    threads: int | None = None,
    console: Console | None = None,
) -> Record:
    """Measure, show, and write ``cost.json``, ``cost.inc``, ``cost.png`` and ``scaling.png``.

    Parameters
    ----------
    output
        The folder for them, made if need be.
    quick
        A few rounds of each, one network, no memory.
    threads
        Number of threads; torch's own number by default.
    console
        Where to print.
    """
    console = console or Console()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    options = (" --quick" if quick else "") + (f" --threads {threads}" if threads else "")
    record = Record(f"cdg bench{options}", Machine.here())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("")

            def report(what: str, done: int, total: int) -> None:
                progress.update(task, description=what, completed=done, total=total)

            run(record, QUICK if quick else FULL, report)
    finally:
        torch.set_num_threads(before)
    _show(record, console)
    for name, text in (("cost.json", record.to_json()), ("cost.inc", record.to_markdown())):
        with replacing(output / name) as beside:
            beside.write_text(text, encoding="utf-8")
    draw_cost(record, output / "cost.png")
    draw_scaling(record, output / "scaling.png")
    for name in ("cost.json", "cost.inc", "cost.png", "scaling.png"):
        console.print(f"wrote {(output / name).resolve()}", highlight=False, soft_wrap=True)
    return record
