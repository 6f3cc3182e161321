"""A write that the disk does not take is an error with cause and cure, and nothing is lost."""

import errno
import os

import pytest

from cdg_torch.lab.files import replacing
from cdg_torch.lab.train import store

MESSAGE = r"could not be written \(No space left on device\); what it held before is intact"


def record(key: str) -> dict[str, object]:
    return {"key": key, "results": {"score": 0.5}}


@pytest.fixture
def full_after(monkeypatch):
    """Let a disk take so many more bytes, and then none."""
    write = os.write

    def fill(room: int) -> None:
        left = room

        def limited(descriptor: int, data: memoryview) -> int:
            nonlocal left
            if left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            done = write(descriptor, data[:left])
            left -= done
            return done

        monkeypatch.setattr(os, "write", limited)

    return fill


@pytest.mark.parametrize("room", [0, 1, 20])
def test_records_before_a_full_disk_stay(tmp_path, full_after, monkeypatch, room) -> None:
    path = tmp_path / "results.jsonl"
    store.append(path, record("first"))
    before = path.read_bytes()
    full_after(room)
    with pytest.raises(OSError, match=MESSAGE) as caught:
        store.append(path, record("second"))
    assert caught.value.errno == errno.ENOSPC
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    monkeypatch.undo()
    store.append(path, record("third"))
    assert list(store.read(path)) == ["first", "third"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path) -> None:
    path = tmp_path / "folder" / "report.md"
    with replacing(path) as beside:
        beside.write_text("old")

    def fail(error: Exception) -> None:
        with replacing(path) as beside:
            beside.write_text("half of the n")
            raise error

    with pytest.raises(OSError, match=MESSAGE):
        fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["report.md"]


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_another(tmp_path, monkeypatch) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")
    found = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        found.append((os.fstat(descriptor).st_ino, path.read_text()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    with replacing(path) as beside:
        beside.write_text("new")
    assert found == [(path.stat().st_ino, "old")]
    assert path.read_text() == "new"


def test_a_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "results.jsonl"
    with pytest.raises(OSError, match=r"results.jsonl could not be written"):
        store.append(path, record("first"))
