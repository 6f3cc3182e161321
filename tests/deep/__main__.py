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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn  # noqa: E402

from tests.deep import figures  # noqa: E402
from tests.deep.figures import PARTS, Figure, Measured, Report  # noqa: E402


def measure(part: str, effort: float, report: Report) -> list[Figure]:
    """Run one part; one that breaks down is a broken promise, not the end of the others."""
    with figures.timed() as seconds:
        try:
            run = importlib.import_module(f"tests.deep.{part}").run
            found = run(effort=effort, report=report)
        except Exception as error:
            traceback.print_exc()
            said = f"{type(error).__name__}: {error}"
            return [Figure(part, "the check itself runs", said, False, seconds())]
    if not found:
        return [Figure(part, "the check finds something to check", "nothing", False, seconds())]
    return found


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
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    for part in (part for part in PARTS if part in chosen):
        # Progress goes to standard error, so that what is piped is the summary.
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(part, total=None)

            def report(what: str, done: int, total: int, part: str = part) -> None:
                progress.update(bar, description=f"{part}: {what}", completed=done, total=total)  # noqa: B023

            found = measure(part, effort, report)
        measured[part] = Measured(tuple(found), effort, figures.machine())
        if json is not None:
            figures.save(json, {part: measured[part]})
    found = [figure for part in measured.values() for figure in part.figures]
    console.print(figures.table(found))
    broken, untried = (sum(figure.holds is x for figure in found) for x in (False, None))
    verdict = f"[bold red]{broken} broken[/]" if broken else "[green]nothing broken[/]"
    more = f", [yellow]{untried} not run[/]" if untried else ""
    console.print(f"{len(found)} promises in {len(measured)} parts: {verdict}{more}")
    raise typer.Exit(code=bool(broken))


if __name__ == "__main__":
    typer.run(main)
