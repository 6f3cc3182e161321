"""How a command ends: a status that means one thing everywhere, and one line for what went wrong.

======  ====================================================================
status  meaning
======  ====================================================================
0       done; what was checked holds
1       what was checked does not hold
2       cannot tell: wrong usage, a file, the disk, a missing package, or a
        fault of the program
130     interrupted, as shells say it: 128 + SIGINT
141     nobody reads the output any more: 128 + SIGPIPE
======  ====================================================================
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

import cdg_theory
import cdg_torch
from cdg_torch.lab.output import Terminal, spell_out

DOES_NOT_HOLD, CANNOT_TELL, INTERRUPTED, UNREAD = 1, 2, 130, 141

_OURS = tuple(package.__path__[0] + os.sep for package in (cdg_theory, cdg_torch))
# What a child process's traceback says, as concurrent.futures passes it on.
_FRAME = re.compile(r'^  File "(.+)", line \d+, in .+\n    (.+)$', re.MULTILINE)


def _raised_by_us(error: Exception) -> bool:
    """Whether a ``raise`` of ours made it: then its message was written for the user."""
    frames = [(frame.filename, frame.line) for frame in traceback.extract_tb(error.__traceback__)]
    if type(error.__cause__).__name__ == "_RemoteTraceback":
        frames = _FRAME.findall(str(error.__cause__))
    if not frames:
        return False
    file, line = frames[-1]
    return file.startswith(_OURS) and (line or "").startswith("raise ")


def _say(text: str) -> None:
    Terminal(stderr=True).print(text, soft_wrap=True)


def _status_after(error: Exception) -> int:
    """Say what went wrong; return the status."""
    if isinstance(error, BrokenPipeError):
        return UNREAD
    if isinstance(error, typer.Exit):
        return error.exit_code
    show = getattr(error, "show", None)
    if callable(show):  # wrong usage, found by Typer, which has words for it
        show()
    elif isinstance(error, BrokenProcessPool):
        _say("Error: a training process was ended from outside; for lack of memory, perhaps")
    elif isinstance(error, OSError):
        cause = error.strerror or str(error)
        _say(f"Error: {cause if error.filename is None else f'{error.filename}: {cause}'}")
    elif _raised_by_us(error):
        _say(f"Error: {error}")
    else:
        lines = traceback.format_exception(error, limit=-3, chain=False)
        _say(f"{''.join(lines)}Error: a fault of the program; please report it with these lines")
    return CANNOT_TELL


@contextmanager
def _interruptible() -> Iterator[None]:
    """Answer the first Ctrl-C at once, in words; let the second end the process as it is."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or the caller's own
        yield
        return

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Straight to the terminal: print may be what was interrupted.
        os.write(2, b"\ninterrupted: stopping; a second Ctrl-C ends at once\n")
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _status(run: Callable[[], object]) -> int:
    """Run a command; return the status that it ends with."""
    try:
        with _interruptible():
            held = run()
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _status_after(error)
    return DOES_NOT_HOLD if held is False else 0


class Commands(TyperGroup):
    """The group of all commands: the one place where errors become words and a status."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *_: Any,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and end the process; without ``standalone_mode``, let errors through."""
        words = sys.argv[1:] if args is None else list(args)

        def run() -> object:
            with self.make_context(prog_name or "cdg", words, **extra) as context:
                return self.invoke(context)

        if not standalone_mode:
            return run()
        spell_out()
        status = _status(run)
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except OSError:  # or Python would try again when it ends, and complain
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(status)
