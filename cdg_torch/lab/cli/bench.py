"""``cdg bench``: what it costs, on the terminal, as JSON, as Markdown and as pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cdg_theory.checks import one_of
from cdg_torch.lab.bench.figures import draw_cost, draw_scaling
from cdg_torch.lab.bench.on_gpu import run_on_gpu
from cdg_torch.lab.bench.record import Machine, Record
from cdg_torch.lab.bench.run import FULL, QUICK, run
from cdg_torch.lab.files import replacing


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
    device: str = "cpu",
    console: Console | None = None,
) -> Record:
    """Measure, show, and write ``cost.json``, ``cost.inc``, ``cost.png`` and ``scaling.png``.

    On a GPU they are called ``cost-cuda.json`` and so on.

    Parameters
    ----------
    output
        The folder for them, made if need be.
    quick
        A few rounds of each, one network, no memory.
    threads
        Number of threads; torch's own number by default.
    device
        ``"cpu"`` or ``"cuda"``.
    console
        Where to print.

    Raises
    ------
    ValueError
        If ``device`` is another, or there is no GPU.
    """
    one_of("device", device, ("cpu", "cuda"))
    if device == "cuda" and not torch.cuda.is_available():
        msg = "device is 'cuda', and torch sees no GPU here; leave it out for the CPU"
        raise ValueError(msg)
    console = console or Console()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    options = (" --quick" if quick else "") + (f" --threads {threads}" if threads else "")
    options += " --device cuda" if device == "cuda" else ""
    record = Record(f"cdg bench{options}", Machine.here(device))
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

            measure = run_on_gpu if device == "cuda" else run
            measure(record, QUICK if quick else FULL, report)
    finally:
        torch.set_num_threads(before)
    _show(record, console)
    mark = "-cuda" if device == "cuda" else ""
    texts = {f"cost{mark}.json": record.to_json(), f"cost{mark}.inc": record.to_markdown()}
    for name, text in texts.items():
        with replacing(output / name) as beside:
            beside.write_text(text, encoding="utf-8")
    draw_cost(record, output / f"cost{mark}.png")
    draw_scaling(record, output / f"scaling{mark}.png")
    for name in (*texts, f"cost{mark}.png", f"scaling{mark}.png"):
        console.print(f"wrote {(output / name).resolve()}", highlight=False, soft_wrap=True)
    return record
