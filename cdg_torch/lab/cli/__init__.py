"""The command ``cdg``: every subcommand is the function of its name."""

from __future__ import annotations

import typer

from cdg_torch.lab.cli.bench import bench
from cdg_torch.lab.cli.correlation import correlation
from cdg_torch.lab.cli.ending import Commands
from cdg_torch.lab.cli.experiments import demo, report, train
from cdg_torch.lab.cli.notebooks import notebooks
from cdg_torch.lab.cli.verify import verify

__all__ = ["app", "main"]

_HELP = """Channel-directed gradients: verify the mathematics, train, measure.

\b
Every command ends with the status
  0    done; what was checked holds
  1    what was checked does not hold
  2    cannot tell: wrong usage, a file, the disk, a missing package
  130  interrupted: Ctrl-C; what was finished is kept
  141  nobody reads the output any more
"""

# Plain help: frames and colours would have to suit every terminal.
app = typer.Typer(
    cls=Commands,
    name="cdg",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (verify, demo, train, report, correlation, bench, notebooks):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    app()
