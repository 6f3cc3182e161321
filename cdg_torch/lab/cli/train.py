"""``cdg train SPEC…``: do the runs of specs that are not done yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cdg_torch.lab.train.analysis import MethodScore
    from cdg_torch.lab.train.runs import Record

Workers = Annotated[int | None, typer.Option(min=0, help="Processes; one per core.")]


@contextmanager
def training_bar(console: Console, total: int, text: str) -> Iterator[Callable[[Record], None]]:
    """Show a bar with the time left; yields what to call for every finished run."""
    from cdg_torch.lab.output import progress_bar

    with progress_bar(console) as progress:
        task = progress.add_task(text, total=total)

        def advance(record: Record) -> None:
            method = record["run"]["method"]["name"]
            progress.update(task, advance=1, description=f"{text}: {method}")

        yield advance


def show_scores(console: Console, rows: Sequence[MethodScore], title: str) -> None:
    """Print the table of an experiment, what its columns mean, and what every comparison says."""
    from cdg_torch.lab.train.analysis import finding
    from cdg_torch.lab.train.tables import LEGEND, score_table

    console.print(score_table(rows, title))
    console.print(f"[dim]{LEGEND}.", highlight=False)
    for row in rows:
        if row.comparison is not None:
            console.print(finding(row), highlight=False)


def train(
    specs: Annotated[
        list[Path], typer.Argument(help="One TOML file or more.", exists=True, dir_okay=False)
    ],
    output: Annotated[Path, typer.Option(help="Folder for the records.")] = Path("results"),
    workers: Workers = None,
) -> None:
    """Do the training runs of specs that are not done yet; safe to kill and start again.

    Each experiment has a file of its own in the output folder. All specs are read before the
    first run.
    """
    from rich.console import Console

    from cdg_torch.lab.output import say_written
    from cdg_torch.lab.train.analysis import summarise
    from cdg_torch.lab.train.protocol import conduct
    from cdg_torch.lab.train.specs import read_specs

    console = Console()
    for experiment in read_specs(specs):
        path = output / f"{experiment.name}.jsonl"
        with training_bar(console, experiment.run_count, experiment.name) as advance:
            records = conduct(experiment, path, workers=workers, on_record=advance)
        if rows := summarise(records):
            show_scores(console, rows, experiment.name)
        else:
            console.print("a search without final runs: cdg report ranks what it found")
        say_written(console, path)
