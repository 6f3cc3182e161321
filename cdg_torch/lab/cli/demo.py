"""``cdg demo``: verify the mathematics, then train on real images and say what comes out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from cdg_torch.lab.cli.train import Workers, show_scores, training_bar
from cdg_torch.lab.cli.verify import verify


def demo(
    output: Annotated[Path, typer.Option(help="Folder for results and figure.")] = Path(
        "results/demo"
    ),
    workers: Workers = None,
) -> bool:
    """Verify the mathematics, train on handwritten digits, say what comes out."""
    from rich.console import Console

    from cdg_torch.lab.output import say_written
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
