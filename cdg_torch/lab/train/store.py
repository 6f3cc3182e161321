"""Records as JSON lines: appended whole, and read again after a kill at any moment.

Several processes may write to one file; each locks it for the length of a line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cdg_torch.lab.files import unwritable
from cdg_torch.lab.train.claims import lock
from cdg_torch.lab.train.runs import Record, difference

# How every record begins, and so every record that was cut.
_START = b'{"key": '


def read(path: Path) -> dict[str, Record]:
    """Return the records of a file by key; an empty dict if there is no file.

    A kill can leave the last line cut short. Such a tail, recognised by the missing newline, is
    removed from the file: its run will be done again. A file that holds anything else is left
    as it is.

    Raises
    ------
    ValueError
        If any other line is not a record: the file is not ours, or was edited.
    """
    if not path.exists():
        return {}
    content = path.read_bytes()
    if not content or content.endswith(b"\n"):
        return _parsed(content, path)
    descriptor = os.open(path, os.O_RDWR)
    try:
        return _mended(descriptor, path)
    finally:
        os.close(descriptor)


def read_checked(path: Path) -> dict[str, Record]:
    """Return the records of a file, as :func:`read`, each with all that this version writes.

    Raises
    ------
    ValueError
        As :func:`read`, or if another version wrote a record.
    """
    records = read(path)
    for key, record in records.items():
        if found := difference(record):
            msg = (
                f"the record {key} of {path} was written by another version: {found}; move the "
                "file away, and cdg train does its runs again"
            )
            raise ValueError(msg)
    return records


def append(path: Path, record: Record) -> int:
    """Append one record as one line, in one write, and wait until the disk has it.

    Returns
    -------
    int
        The length of the line in bytes.

    Raises
    ------
    OSError
        If the disk does not take it; the file is as it was before.
    """
    line = (json.dumps(record, allow_nan=True, ensure_ascii=False) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            _write(descriptor, line, path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OSError(*unwritable(path, error)) from error
    return len(line)


def _parsed(content: bytes, path: Path) -> dict[str, Record]:
    """Return the records of all whole lines; refuse what is neither a record nor a cut one."""
    whole = content.rfind(b"\n") + 1
    records: dict[str, Record] = {}
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("key"), str):
            msg = f"line {number} of {path} is not a record; mend it, or move the file away"
            raise ValueError(msg)  # noqa: TRY004 - the content of a file, not an argument
        records[record["key"]] = record
    tail = content[whole:]
    # Only what is surely ours is removed: somebody may have named another file.
    if tail[: len(_START)] != _START[: len(tail)]:
        msg = f"{path} does not end with a record; mend it, or move the file away"
        raise ValueError(msg)
    return records


def _mended(descriptor: int, path: Path) -> dict[str, Record]:
    """Lock a file, cut off what a kill left of its last line, and return its records."""
    lock(descriptor)  # what is being written is not cut: the writer is waited for
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        content = file.read()
    records = _parsed(content, path)
    if not content.endswith(b"\n"):
        os.ftruncate(descriptor, content.rfind(b"\n") + 1)
        os.fsync(descriptor)
    return records


def _write(descriptor: int, line: bytes, path: Path) -> None:
    """Write a line at the end of a file, or leave the file as it was."""
    lock(descriptor)
    before = os.fstat(descriptor).st_size
    if before and os.pread(descriptor, 1, before - 1) != b"\n":
        _mended(descriptor, path)  # somebody who shares the file was killed
        before = os.fstat(descriptor).st_size
    try:
        rest = memoryview(line)
        while rest:  # a write may be partial; then the tail is completed, or cut by a kill
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise
