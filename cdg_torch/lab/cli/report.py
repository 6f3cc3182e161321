"""``cdg report``: tables and figures from the files of records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console


def report(sources: Sequence[Path], output: Path | None) -> bool:
    """Write the report of some JSON lines files, or of all in a folder.

    Returns
    -------
    bool
        Whether there was any file.
    """
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
    written = write_report(files, output or files[0].parent)
    console.print(f"wrote {written.resolve()}", highlight=False, soft_wrap=True)
    return True
