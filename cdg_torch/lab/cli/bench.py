"""``cdg bench``: what it costs, on the terminal, as JSON, as Markdown and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdg_torch.extras import require
from cdg_torch.lab.files import check_writable, write_text
from cdg_torch.lab.output import Terminal, progress_bar, say_written


def _device(device: str) -> str:
    from cdg_torch.lab.bench.run import check_device

    try:
        return check_device(device)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def bench(
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option("--quick", help="Under 30 s.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: torch's.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.", callback=_device)] = "cpu",
    first_use: Annotated[
        bool, typer.Option("--first-use", help="Only imports and compilation.")
    ] = False,
) -> None:
    """Time the gradient in a metric against reading and writing memory once, and against others.

    Writes cost.json, cost.inc, cost.png and scaling.png, on a GPU cost-cuda.json and so on; with
    --first-use, which times fresh processes, first-use.json and first-use.inc.
    """
    import torch

    from cdg_torch.lab.bench.figures import draw_cost, draw_scaling
    from cdg_torch.lab.bench.first_use import measure_first_use
    from cdg_torch.lab.bench.measurements import Machine, Measurements
    from cdg_torch.lab.bench.run import FULL, QUICK, check_device, measure

    check_device(device)
    if first_use and device != "cpu":
        msg = f"is measured on the CPU, and --device is {device}; leave one of them out"
        raise typer.BadParameter(msg, param_hint="--first-use")
    mark = "-cuda" if device == "cuda" else ""
    data = "first-use" if first_use else f"cost{mark}"
    json, markdown = paths = [output / f"{data}.json", output / f"{data}.inc"]
    pictures = {}
    if not first_use:
        require("matplotlib")
        pictures = {
            draw_cost: output / f"cost{mark}.png",
            draw_scaling: output / f"scaling{mark}.png",
        }
    paths += pictures.values()
    check_writable(*paths)
    console = Terminal()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    options = (" --quick" if quick else "") + (f" --threads {threads}" if threads else "")
    options += " --first-use" if first_use else ""
    options += " --device cuda" if device == "cuda" else ""
    found = Measurements(f"cdg bench{options}", Machine.here(device))
    effort = QUICK if quick else FULL
    try:
        with progress_bar(console) as progress:
            task = progress.add_task("")

            def watch(what: str, done: int, total: int) -> None:
                progress.update(task, description=what, completed=done, total=total)

            if first_use:
                measure_first_use(found, effort.first_uses, watch)
            else:
                measure(found, effort, watch, device)
    finally:
        torch.set_num_threads(before)
    console.print(*found.tables())
    write_text(json, found.to_json())
    write_text(markdown, found.to_markdown())
    for draw, path in pictures.items():
        draw(found, path)
    say_written(console, *paths)
