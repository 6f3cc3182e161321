"""``cdg demo``: verify the mathematics, then train on real images and say what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from cdg_torch.lab.train.runs import Record


@contextmanager
def progress_bar(console: Console, total: int, text: str) -> Iterator[Callable[[Record], None]]:
    """Show a bar with the time left; yields what to call for every finished run."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(text, total=total)

        def advance(record: Record) -> None:
            method = record["run"]["method"]["name"]
            progress.update(task, advance=1, description=f"{text}: {method}")

        yield advance


def _quick_verification() -> bool:
    from cdg_torch.lab.cli.verify import verify

    return verify(quick=True)


def demo(
    folder: Path,
    *,
    verify: Callable[[], bool] = _quick_verification,
    workers: int | None = None,
) -> bool:
    """Run the demonstration; return whether the verification held.

    Parameters
    ----------
    folder
        Where results and figure go.
    verify
        Verifies and returns whether everything held; by default ``cdg verify --quick``.
    workers
        How many processes train; by default one per core.
    """
    from cdg_torch.lab.train.analysis import finding
    from cdg_torch.lab.train.demo import DEMO, run_demo
    from cdg_torch.lab.train.tables import LEGEND, terminal

    console = Console()
    start = time.perf_counter()
    console.rule("1. The mathematics")
    held = verify()
    if not held:
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
    with progress_bar(console, DEMO.run_count, "training") as advance:
        rows, paths = run_demo(DEMO, folder, workers=workers, on_record=advance)
    console.rule("3. What came out")
    console.print(terminal(rows, "Accuracy on the test images"))
    console.print(f"[dim]{LEGEND}.", highlight=False)
    for row in rows[1:]:
        console.print(finding(row), highlight=False)
    console.print(
        "The test images are one fixed set, so the intervals speak of initial weights and order "
        "of images, not of other test images; a small network on small images says little about "
        "large ones.",
        highlight=False,
    )
    for path in paths:
        console.print(f"wrote {path.resolve()}", highlight=False, soft_wrap=True)
    console.print(f"in {time.perf_counter() - start:.0f} s", highlight=False)
    return True
