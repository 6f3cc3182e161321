"""``cdg train``, ``cdg report`` and ``cdg demo``: runs from specs, their tables, a first look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdg_torch.extras import require
from cdg_torch.lab.cli.verify import verify
from cdg_torch.lab.files import check_writable
from cdg_torch.lab.output import Terminal, progress_bar, say_written

if TYPE_CHECKING:
    from cdg_torch.lab.train.analysis import MethodScore
    from cdg_torch.lab.train.runs import Record

Workers = Annotated[int | None, typer.Option(min=0, help="Processes; one per core.")]


@contextmanager
def training_bar(
    console: Terminal, total: int, text: str, path: Path
) -> Iterator[Callable[[Record], None]]:
    """Show a progress bar; yield what to call with the record of every finished run.

    When training is interrupted, it says what is kept.
    """
    done = 0
    try:
        with progress_bar(console) as progress:
            task = progress.add_task(text, total=total)

            def advance(record: Record) -> None:
                nonlocal done
                done += 1
                method = record["run"]["method"]["name"]
                progress.update(task, advance=1, description=f"{text}: {method}")

            yield advance
    except KeyboardInterrupt:
        Terminal(stderr=True).print(
            f"{done} of {total} runs are done and kept in {path}; those under way are given up",
            soft_wrap=True,
        )
        raise


def show_scores(console: Terminal, rows: Sequence[MethodScore], title: str) -> None:
    """Print the table of an experiment, what its columns mean, and what every comparison says."""
    from cdg_torch.lab.train.analysis import LEGEND, finding, score_table

    console.print(score_table(rows, title))
    console.print(f"{LEGEND}.", style="dim")
    for row in rows:
        if row.comparison is not None:
            console.print(finding(row))


def train(
    specs: Annotated[
        list[Path], typer.Argument(help="One TOML file or more.", exists=True, dir_okay=False)
    ],
    output: Annotated[Path, typer.Option(help="Folder for the records.")] = Path("results"),
    workers: Workers = None,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, whose workers train.")
    ] = None,
) -> None:
    """Do the training runs of specs that are not done yet; safe to kill and start again.

    Each experiment has a file of its own in the output folder. All specs are read before the
    first run. Started twice on one folder, the two share the runs.
    """
    from cdg_torch.lab.train.analysis import summarise
    from cdg_torch.lab.train.protocol import conduct
    from cdg_torch.lab.train.specs import read_specs

    console = Terminal()
    experiments = read_specs(specs)
    require(
        *sorted({package for experiment in experiments for package in experiment.packages}),
        *(["distributed"] if dask else []),
    )
    check_writable(*(output / f"{experiment.name}.jsonl" for experiment in experiments))
    for experiment in experiments:
        path = output / f"{experiment.name}.jsonl"
        with training_bar(console, experiment.run_count, experiment.name, path) as advance:
            records = conduct(
                experiment,
                path,
                workers=workers,
                cluster=dask,
                on_record=advance,
                on_shared=lambda path=path: console.print(  # type: ignore[misc]
                    f"another process writes to {path}: the runs it has under way are left to it, "
                    "and waited for",
                    soft_wrap=True,
                ),
            )
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
) -> None:
    """Turn records of training runs into tables and figures."""
    from cdg_torch.lab.train.report import write_report

    require("matplotlib")
    files = [
        path
        for source in sources
        for path in (sorted(source.glob("*.jsonl")) if source.is_dir() else [source])
    ]
    if not files:
        msg = f"no .jsonl file in {', '.join(map(str, sources))}; cdg train makes them"
        raise FileNotFoundError(msg)
    folder = output or files[0].parent
    check_writable(folder / "report.md")
    say_written(Terminal(), write_report(files, folder))


def demo(
    output: Annotated[Path, typer.Option(help="Folder for results and figure.")] = Path(
        "results/demo"
    ),
    workers: Workers = None,
) -> bool:
    """Verify the mathematics, train on handwritten digits, say what comes out."""
    from cdg_torch.lab.train.demo import DEMO, ORDERED_DEMO, run_demo
    from cdg_torch.lab.train.headline import duel_table

    require("matplotlib", *sorted(DEMO.packages | ORDERED_DEMO.packages))
    check_writable(output / "results.jsonl", output / "ordered" / "results.jsonl")
    console = Terminal()
    start = time.perf_counter()
    console.print("1. The mathematics", style="bold")
    if not verify(quick=True):
        console.print("Verification failed: training would show nothing. Stopped.", style="red")
        return False
    console.print("2. Training", style="bold")
    console.print(
        f"{len(DEMO.methods)} methods on scikit-learn's handwritten digits, batches of "
        f"{DEMO.batches[0]}, {DEMO.epochs} epochs. Each method chooses its learning rate among "
        f"{', '.join(map(str, DEMO.rates))} on validation images ({DEMO.select_seeds} seeds), "
        f"then trains on {DEMO.final_seeds} fresh seeds, the same for all. "
        "The test images are looked at once, at the end."
    )
    with training_bar(console, DEMO.run_count, "training", output / "results.jsonl") as advance:
        rows, paths = run_demo(DEMO, output, workers=workers, on_record=advance)
    console.print("3. What came out", style="bold")
    show_scores(console, rows, "Accuracy on the test images")
    console.print(
        "The test images are one fixed set, so the intervals speak of initial weights and order "
        "of images, not of other test images; a small network on small images says little about "
        "large ones."
    )
    console.print("4. Channels with an order", style="bold")
    console.print(
        "The last layer of the digits' network has classes for channels: no order. Now the digits "
        "are turned, and the network says by which angle, in 96 bins: neighbouring channels mean "
        "neighbouring angles. The metric acts on that layer, with smooth initial weights and "
        "weight decay; beside it, decay alone, and soft targets, a rival without a metric. The "
        "same protocol; each seed draws 300 training images."
    )
    place = output / "ordered"
    with training_bar(
        console, ORDERED_DEMO.run_count, "training", place / "results.jsonl"
    ) as advance:
        rows, more = run_demo(ORDERED_DEMO, place, workers=workers, on_record=advance)
    show_scores(console, rows, "Minus the error of the angle, in degrees")
    if duelled := duel_table(rows):
        console.print(duelled)
    say_written(console, *paths, *more)
    console.print(f"in {time.perf_counter() - start:.0f} s")
    return True
