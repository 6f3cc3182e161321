"""Kept machine code: each storage type's own, whole or not at all, and never a reason to stop."""

import ctypes
import os

import numpy as np
import pytest

pytest.importorskip("numba")

from numba import carray, config

import cdg_torch
from cdg_torch import notices
from cdg_torch.solve.cpu.compiled import entry
from cdg_torch.solve.cpu.tiles import entry_for


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def made(number: float):
    """Return an entry that writes a number, of which the kept code is told by a closure."""
    kept = np.array([number])

    def run(address):
        carray(address, 1, np.float64)[0] = kept[0]

    return entry(run)


def writes(run) -> float:
    place = ctypes.c_double(0.0)
    run.ctypes(ctypes.addressof(place))
    return place.value


def files(folder) -> list:
    return sorted(folder.rglob("*.nbc"))


def test_kept_code_is_loaded(folder) -> None:
    assert [writes(made(2.0)), len(files(folder))] == [2.0, 1]
    again = made(2.0)
    assert [again.cache_hits, writes(again)] == [1, 2.0]


def test_there_is_no_index_that_two_processes_could_disagree_on(folder) -> None:
    made(2.0)
    assert [path.suffix for path in folder.rglob("*") if path.is_file()] == [".nbc"]


def test_code_of_other_sources_is_not_taken_and_makes_room(folder) -> None:
    made(2.0)
    (older,) = files(folder)
    assert writes(made(3.0)) == 3.0
    (newer,) = files(folder)
    assert newer != older


def flipped(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


@pytest.mark.parametrize(
    "damage", [flipped, lambda data: data[: len(data) // 2], lambda _: b"", lambda d: d[:40]]
)
def test_a_damaged_file_is_compiled_anew(folder, damage) -> None:
    made(2.0)
    (path,) = files(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    again = made(2.0)
    assert [again.cache_hits, writes(again)] == [0, 2.0]
    assert made(2.0).cache_hits == 1


def test_a_full_disk_is_a_warning(folder, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    notices.say_once.cache_clear()
    with pytest.warns(cdg_torch.CDGWarning, match="cannot be kept in .*No space left"):
        run = made(2.0)
    assert writes(run) == 2.0
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_kernel_s_files_are_named_after_the_storage_type(folder) -> None:
    entry_for(np.float32)
    (path,) = files(folder)
    assert "run_float32" in path.name
