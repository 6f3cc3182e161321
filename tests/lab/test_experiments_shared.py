"""Processes that are given one file of records share its runs: each run is done once."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cdg_torch.lab.train import harness, store
from cdg_torch.lab.train.protocol import conduct
from tests.tools import records
from tests.tools.commands import ROOT

EXPERIMENT = replace(
    records.EXPERIMENT,
    options={"train": 16, "validation": 8},
    rates=(0.03,),
    select_seeds=2,
    final_seeds=2,
)
SELECT = EXPERIMENT.select_runs()

# Claims a run, and does it when it is told to; torch need not be loaded for that.
OTHER = """
import json, sys
from pathlib import Path
from cdg_torch.lab.train import store
from cdg_torch.lab.train.claims import Claims
path, key = Path(sys.argv[1]), sys.argv[2]
with Claims(path) as claims:
    print(claims.take(key), flush=True)
    store.append(path, json.loads(sys.stdin.readline()))
"""


def another(program: str, *arguments: object) -> subprocess.Popen:
    """Start another process with this program."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def elsewhere(tmp_path):
    """Return a file of records, and another process that has claimed the first run in it."""
    path = tmp_path / "shared.jsonl"
    with another(OTHER, path, SELECT[0].key) as other:
        assert other.stdout.readline() == "True\n"
        yield path, other
        other.kill()


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """Return the keys of the runs that this process trains."""
    keys = []

    def train(run, _device):
        keys.append(run.key)
        return records.record(run, 0.5)

    monkeypatch.setattr(harness, "_train", train)
    return keys


def test_what_another_process_does_is_waited_for_and_not_done_twice(elsewhere, trained) -> None:
    path, other = elsewhere
    marked = records.record(SELECT[0], 0.75)
    told = []

    def finish() -> None:
        told.append(trained.copy())
        other.stdin.write(json.dumps(marked) + "\n")
        other.stdin.flush()

    shown = []
    found = conduct(EXPERIMENT, path, workers=0, on_record=shown.append, on_shared=finish)
    # Everything else of the first stage is done before waiting; then the rest.
    assert told == [[run.key for run in SELECT[1:]]]
    assert SELECT[0].key not in trained
    assert len(trained) == EXPERIMENT.run_count - 1
    assert found[0] == marked
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == len(shown) == len(found)
    assert other.wait() == 0


def test_what_a_process_leaves_undone_is_done_here(elsewhere, trained) -> None:
    path, other = elsewhere
    conduct(EXPERIMENT, path, workers=0, on_shared=other.kill)
    assert trained[len(SELECT) - 1] == SELECT[0].key
    assert len(trained) == EXPERIMENT.run_count
    assert store.read(path).keys() == set(trained)


def test_a_line_that_a_killed_process_cut_is_mended_by_who_writes_next(tmp_path) -> None:
    path = tmp_path / "shared.jsonl"
    store.append(path, {"key": "first"})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "cut sh')
    store.append(path, {"key": "second"})
    assert path.read_bytes() == whole + b'{"key": "second"}\n'
    path.write_bytes(whole + b"somebody's notes")
    with pytest.raises(ValueError, match="does not end with a record"):
        store.append(path, {"key": "third"})
    assert path.read_bytes() == whole + b"somebody's notes"


# Locks the file, writes half a line, and the rest of it when told to.
SLOW = """
import os, sys
from cdg_torch.lab.train.claims import lock
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
lock(descriptor)
os.write(descriptor, b'{"key": "slow", ')
print("half", flush=True)
sys.stdin.readline()
os.write(descriptor, b'"a": 1}\\n')
"""


def test_a_line_that_is_being_written_is_waited_for_and_not_cut(tmp_path, monkeypatch) -> None:
    path = tmp_path / "shared.jsonl"
    with another(SLOW, path) as other:
        assert other.stdout.readline() == "half\n"
        lock = store.lock

        def tell_and_lock(descriptor: int) -> None:
            other.stdin.write("go on\n")
            other.stdin.flush()
            lock(descriptor)

        monkeypatch.setattr(store, "lock", tell_and_lock)
        assert store.read(path) == {"slow": {"key": "slow", "a": 1}}
    assert json.loads(path.read_text()) == {"key": "slow", "a": 1}
