"""The command ``cdg``: one module per subcommand, each imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="cdg",
    help="Channel-directed gradients: verify the mathematics, train, measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Keep subcommands as subcommands, however few there are."""


@app.command("verify")
def _verify(
    quick: Annotated[bool, typer.Option("--quick", help="A few of each, under 20 s.")] = False,
    theory: Annotated[bool, typer.Option("--theory", help="Only the theorems.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a Markdown report.")] = None,
) -> None:
    """Check every theorem, and every torch path against exact arithmetic."""
    from cdg_torch.lab.cli.verify import verify

    if not verify(quick=quick, theory=theory, json=json, markdown=markdown):
        raise typer.Exit(code=1)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for results and figure.")] = Path(
        "results/demo"
    ),
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; one per core.")] = None,
) -> None:
    """Verify the mathematics, train on handwritten digits, say what comes out."""
    from cdg_torch.lab.cli.demo import demo as run

    if not run(output, workers=workers):
        raise typer.Exit(code=1)


@app.command()
def train(
    specs: Annotated[
        list[Path], typer.Argument(help="One TOML file or more.", exists=True, dir_okay=False)
    ],
    output: Annotated[Path, typer.Option(help="Folder for the records.")] = Path("results"),
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; one per core.")] = None,
) -> None:
    """Do the training runs of specs that are not done yet; safe to kill and start again."""
    from cdg_torch.lab.cli.train import train as run

    run(specs, output, workers=workers)


@app.command()
def report(
    sources: Annotated[
        list[Path], typer.Argument(help="Records, or folders of them.", exists=True)
    ],
    output: Annotated[Path | None, typer.Option(help="Folder; by default beside them.")] = None,
) -> None:
    """Turn records of training runs into tables and figures."""
    from cdg_torch.lab.cli.report import report as run

    if not run(sources, output):
        raise typer.Exit(code=1)


@app.command()
def correlation(
    file: Annotated[Path, typer.Argument(help="Weights: .pt, .pth or .safetensors.")],
    figure: Annotated[Path | None, typer.Option(help="Draw a PNG there.")] = None,
    transposed: Annotated[
        list[str] | None, typer.Option(help="Names of transposed convolutions, as patterns.")
    ] = None,
) -> None:
    """Print the channel correlation of a trained network's weights."""
    from cdg_torch.lab.cli.correlation import correlation as run

    if not run(file, figure=figure, transposed=transposed or ()):
        raise typer.Exit(code=1)


@app.command()
def bench(
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option("--quick", help="Under 30 s.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: torch's.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Time the gradient in a metric against reading and writing memory once, and against others."""
    from cdg_torch.lab.cli.bench import bench as run

    try:
        run(output, quick=quick, threads=threads, device=device)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--device") from error


def main() -> None:
    """Run the command line."""
    app()
