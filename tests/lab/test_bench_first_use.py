"""``cdg bench --first-use`` times fresh processes: one that compiles, and one after it."""

import json

import pytest

from cdg_torch.lab.bench import first_use, measurements
from tests.tools.commands import cdg


@pytest.fixture
def clocks(monkeypatch):
    """Let processes be measured without being started; return the folders they were given."""
    folders = []

    def marks(folder, threads):
        folders.append((folder, threads))
        # The second process in a folder finds what the first has compiled.
        first = 0.5 if folders.count((folder, threads)) == 2 else 4.0
        return [(0.0, 0.0), (8.0, 2.0), (9.0, 2.25), (10.0, 3.0), (10.0 + 2 * first, 3.0 + first)]

    monkeypatch.setattr(first_use, "_marks", marks)
    monkeypatch.setattr(measurements, "_cores_busy", lambda: 0.0)
    return folders


def test_it_writes_the_parts_and_no_pictures(clocks, tmp_path) -> None:
    cdg("bench", "--first-use", "--quick", "--threads", "1", "--output", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"first-use.json", "first-use.inc"}
    found = json.loads((tmp_path / "first-use.json").read_text(encoding="utf-8"))
    assert found["command"] == "cdg bench --quick --threads 1 --first-use"
    parts = {one["part"]: (one["median"], one["wall"]) for one in found["first_uses"]}
    assert parts == {
        "import torch": (2.0, 8.0),
        "import cdg_torch": (0.25, 1.0),
        "first step, compiling": (4.0, 8.0),
        "first step, compiled before": (0.5, 1.0),
    }
    table = (tmp_path / "first-use.inc").read_text(encoding="utf-8")
    assert "| first step, compiling | 4.00 | 4.00 – 4.00 | 8.00 |" in table
    assert [threads for _, threads in clocks] == [1, 1]


def test_every_round_begins_with_an_empty_folder(clocks) -> None:
    record = measurements.Measurements("cdg bench", measurements.Machine.here())
    first_use.measure_first_use(record, 3, lambda *_: None)
    folders = [folder for folder, _ in clocks]
    assert len(set(folders)) == 3
    assert folders[::2] == folders[1::2]


def test_a_fresh_process_says_what_its_clocks_say(tmp_path) -> None:
    marks = first_use._marks(str(tmp_path), 1)
    assert len(marks) == 5
    assert marks == sorted(marks)
    assert [*tmp_path.rglob("*.nbc")]  # compiled, and kept there
