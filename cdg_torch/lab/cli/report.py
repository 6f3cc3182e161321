"""``cdg report``: tables and figures from the files of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    sources: Annotated[
        list[Path], typer.Argument(help="Records, or folders of them.", exists=True)
    ],
    output: Annotated[Path | None, typer.Option(help="Folder; by default beside them.")] = None,
) -> bool:
    """Turn records of training runs into tables and figures."""
    from rich.console import Console

    from cdg_torch.lab.output import say_written
    from cdg_torch.lab.train.report import write_report

    console = Console()
    files = [
        path
        for source in sources
        for path in (sorted(source.glob("*.jsonl")) if source.is_dir() else [source])
    ]
    if not files:
        console.print(f"no .jsonl file in {', '.join(map(str, sources))}", soft_wrap=True)
        return False
    say_written(console, write_report(files, output or files[0].parent))
    return True
