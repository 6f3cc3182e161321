"""The command ``cdg``: one module per subcommand, each imported when it runs."""

from __future__ import annotations

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


def main() -> None:
    """Run the command line."""
    app()
