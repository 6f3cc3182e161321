"""The command ``cdg``: every subcommand is the function of its name."""

from __future__ import annotations

import typer

from cdg_torch.lab.cli.bench import bench
from cdg_torch.lab.cli.correlation import correlation
from cdg_torch.lab.cli.experiments import demo, report, train
from cdg_torch.lab.cli.verify import verify

__all__ = ["app", "main"]


def _end(held: object, **_options: object) -> None:
    """Exit with status 1 if the command returned False."""
    if held is False:
        raise typer.Exit(code=1)


app = typer.Typer(
    name="cdg",
    help="Channel-directed gradients: verify the mathematics, train, measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    result_callback=_end,
)
for command in (verify, demo, train, report, correlation, bench):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    app()
