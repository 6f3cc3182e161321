"""Atomic writing: a file is replaced whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def unwritable(path: Path, error: OSError) -> tuple[int, str]:
    """Return errno and message of the error for a file that could not be written."""
    cause = error.strerror or str(error)
    return (
        error.errno or errno.EIO,
        f"{path} could not be written ({cause}); what it held before is intact. Make room, or "
        "name another folder, and start again",
    )


def check_writable(*paths: Path) -> None:
    """Refuse paths that cannot be written, before the work whose results go there.

    Nothing is made: where a folder is missing, the nearest one that exists is asked.

    Raises
    ------
    OSError
        If a file would have to lie in another file, or where nobody may write.
    """
    for path in paths:
        folder = next((above for above in path.absolute().parents if above.exists()), path)
        code = 0
        if path.is_dir():
            code = errno.EISDIR
        elif not folder.is_dir():
            code = errno.ENOTDIR
        elif not os.access(folder, os.W_OK | os.X_OK):
            code = errno.EACCES
        if code:
            raise OSError(*unwritable(path, OSError(code, os.strerror(code))))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to a temporary file that replaces ``path`` when it is complete and on the disk.

    A full disk, or a kill at any moment, leaves ``path`` as it was. Missing folders are made.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    # The ending stays: matplotlib goes by it.
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OSError(*unwritable(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, or not at all."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
