"""``cdg train``, ``cdg report`` and ``cdg demo``: runs from specs, their tables, a first look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cdg_torch.lab.cli.verify import verify
from cdg_torch.lab.output import progress_bar, say_written

if TYPE_CHECKING:
    from cdg_torch.lab.train.analysis import MethodScore
    from cdg_torch.lab.train.runs import Record

Workers = Annotated[int | None, typer.Option(min=0, help="Processes; one per core.")]


@contextmanager
def training_bar(console: Console, total: int, text: str) -> Iterator[Callable[[Record], None]]:
    """Show a progress bar; yield what to call with the record of every finished run."""
    with progress_bar(console) as progress:
        task = progress.add_task(text, total=total)

        def advance(record: Record) -> None:
            method = record["run"]["method"]["name"]
            progress.update(task, advance=1, description=f"{text}: {method}")

        yield advance


def show_scores(console: Console, rows: Sequence[MethodScore], title: str) -> None:
    """Print the table of an experiment, what its columns mean, and what every comparison says."""
    from cdg_torch.lab.train.analysis import LEGEND, finding, score_table

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


def report(
    sources: Annotated[
        list[Path], typer.Argument(help="Records, or folders of them.", exists=True)
    ],
    output: Annotated[Path | None, typer.Option(help="Folder; by default beside them.")] = None,
) -> bool:
    """Turn records of training runs into tables and figures."""
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


def demo(
    output: Annotated[Path, typer.Option(help="Folder for results and figure.")] = Path(
        "results/demo"
    ),
    workers: Workers = None,
) -> bool:
    """Verify the mathematics, train on handwritten digits, say what comes out."""
    from cdg_torch.lab.train.demo import DEMO, run_demo

    console = Console()
    start = time.perf_counter()
    console.rule("1. The mathematics")
    if not verify(quick=True):
        console.print("[red]Verification failed: training would show nothing. Stopped.")
        return False
    console.rule("2. Training")
    console.print(
        f"{len(DEMO.methods)} methods on scikit-learn's handwritten digits, batches of "
        f"{DEMO.batches[0]}, {DEMO.epochs} epochs. Each method chooses its learning rate among "
        f"{', '.join(map(str, DEMO.rates))} on validation images ({DEMO.select_seeds} seeds), "
        f"then trains on {DEMO.final_seeds} fresh seeds, the same for all. "
        "The test images are looked at once, at the end."
    )
    with training_bar(console, DEMO.run_count, "training") as advance:
        rows, paths = run_demo(DEMO, output, workers=workers, on_record=advance)
    console.rule("3. What came out")
    show_scores(console, rows, "Accuracy on the test images")
    console.print(
        "The test images are one fixed set, so the intervals speak of initial weights and order "
        "of images, not of other test images; a small network on small images says little about "
        "large ones.",
        highlight=False,
    )
    say_written(console, *paths)
    console.print(f"in {time.perf_counter() - start:.0f} s", highlight=False)
    return True
