"""Claims on runs: processes that share a file of records do no run twice.

A claim is a lock on one byte of a file beside the records; which byte, the run's key says. The
system gives a lock up when its process ends, however it ends: no claim outlives its owner.

Where there are no such locks (Windows, some network disks) every run is free, and a folder is for
one process at a time.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cdg_torch.lab.files import unwritable

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
# Offsets in a file are signed and of 64 bits: the key, a hash of 64 bits, gives 60 of them.
_DIGITS = 15


def _lock(descriptor: int, how: str, key: str = "") -> bool:
    if fcntl is None:
        return True
    what = {"wait": fcntl.LOCK_EX, "try": fcntl.LOCK_EX | fcntl.LOCK_NB, "leave": fcntl.LOCK_UN}
    place = (1, int(key[:_DIGITS], 16)) if key else ()
    try:
        fcntl.lockf(descriptor, what[how], *place)
    except (BlockingIOError, PermissionError):  # somebody has it; POSIX allows either
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return True


def lock(descriptor: int) -> None:
    """Wait until this process alone has a file; closing any descriptor of it gives it up."""
    _lock(descriptor, "wait")


class Claims:
    """The claims of this process on the runs of one file of records.

    Raises
    ------
    OSError
        If there is no writing beside the records: a disk that will take none is noticed before
        the first run.
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(f".{path.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Never removed: who waits for it would then hold another file than who comes next.
            self._descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OSError(*unwritable(path, error)) from error

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)  # and with it all claims

    def take(self, key: str) -> bool:
        """Claim a run; return whether it was free."""
        return _lock(self._descriptor, "try", key)

    def wait(self, key: str) -> None:
        """Wait until nobody else claims a run, since it is done or its owner is gone; claim it."""
        _lock(self._descriptor, "wait", key)

    def leave(self, key: str) -> None:
        """Give a claim up: the run is done."""
        _lock(self._descriptor, "leave", key)
