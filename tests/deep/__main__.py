"""Run the deep checks: ``python tests/deep [PART ...] [--effort 1.0] [--json FILE]``."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

ROOT = Path(__file__).parents[2]
# Python put this folder first; what is here is imported as tests.deep.NAME, and once.
sys.path[0] = str(ROOT)
# Processes that a part starts find the same sources.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

import typer  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import (  # noqa: E402
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from tests.deep.figures import (  # noqa: E402
    PARTS,
    Figure,
    Measured,
    Report,
    machine,
    save,
    table,
    timed,
)


def measure(part: str, effort: float, report: Report) -> list[Figure]:
    """Run one part; one that breaks down is a broken promise, not the end of the others."""
    with timed() as seconds:
        try:
            figures = importlib.import_module(f"tests.deep.{part}").run(
                effort=effort, report=report
            )
        except Exception as error:
            traceback.print_exc()
            found = f"{type(error).__name__}: {error}"
            return [Figure(part, "the check itself runs", found, False, seconds())]
    if not figures:
        return [Figure(part, "the check finds something to check", "nothing", False, seconds())]
    return figures


def main(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(PARTS)}.")] = None,
    effort: Annotated[float, typer.Option(help="1 is the full amount.", min=0.0)] = 1.0,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures there; other parts' stay.")
    ] = None,
) -> None:
    """Check what the library promises, at length; exit code 1 if a promise is broken."""
    chosen = parts or list(PARTS)
    if unknown := sorted(set(chosen) - PARTS.keys()):
        msg = f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}"
        raise typer.BadParameter(msg)
    console = Console()
    measured: dict[str, Measured] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    for part in (part for part in PARTS if part in chosen):
        # Progress goes to standard error, so that what is piped is the summary.
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(part, total=None)

            def report(what: str, done: int, total: int, part: str = part) -> None:
                progress.update(bar, description=f"{part}: {what}", completed=done, total=total)  # noqa: B023

            measured[part] = Measured(
                tuple(measure(part, effort, report)), effort=effort, machine=machine()
            )
        if json is not None:
            save(json, {part: measured[part]})
    figures = [figure for part in measured.values() for figure in part.figures]
    console.print(table(figures))
    broken = sum(figure.holds is False for figure in figures)
    unknown_ = sum(figure.holds is None for figure in figures)
    verdict = f"[bold red]{broken} broken[/]" if broken else "[green]nothing broken[/]"
    more = f", [yellow]{unknown_} not run[/]" if unknown_ else ""
    console.print(f"{len(figures)} promises in {len(measured)} parts: {verdict}{more}")
    if broken:
        raise typer.Exit(code=1)


if __name__ == "__main__":
    typer.run(main)
