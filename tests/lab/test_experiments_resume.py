"""A harness killed in the middle and started again gives what an undisturbed one gives."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cdg_torch.lab.train import store
from cdg_torch.lab.train.protocol import conduct
from tests.tools import records

EXPERIMENT = replace(
    records.EXPERIMENT,
    options={"train": 40, "validation": 20},
    rates=(0.03, 0.1),
    epochs=6,
    select_seeds=2,
    final_seeds=3,
)

PROGRAM = """
import sys
from pathlib import Path
from test_experiments_resume import EXPERIMENT
from cdg_torch.lab.train.protocol import conduct
if __name__ == "__main__":
    conduct(EXPERIMENT, Path(sys.argv[1]), workers=int(sys.argv[2]))
"""


def repeatable(path: Path) -> dict[str, object]:
    """Return what must not depend on the machine or on interruptions."""
    return {key: (entry["run"], entry["results"]) for key, entry in store.read(path).items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, object]:
    path = tmp_path_factory.mktemp("undisturbed") / "results.jsonl"
    conduct(EXPERIMENT, path, workers=0)
    return repeatable(path)


def start_and_kill(folder: Path, workers: int, count: int) -> tuple[Path, int]:
    """Start a harness in a process of its own and kill it after so many records.

    Returns the path of the results and the process group.
    """
    path, program = folder / "results.jsonl", folder / "program.py"
    program.write_text(PROGRAM)
    search = os.pathsep.join([str(Path(__file__).parent), str(Path.cwd())])
    process = subprocess.Popen(
        [sys.executable, str(program), str(path), str(workers)],
        env={**os.environ, "PYTHONPATH": search},
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, "the harness ended by itself"
        assert time.monotonic() < deadline, "the harness wrote nothing"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return path, process.pid


def is_gone(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_and_resume(tmp_path, undisturbed, workers) -> None:
    path, group = start_and_kill(tmp_path, workers, count=3)
    survived = path.read_bytes()
    assert survived.count(b"\n") < EXPERIMENT.run_count, "killed too late to show anything"
    # Workers notice the death of their parent: nobody is left to train for nobody.
    deadline = time.monotonic() + 20
    while not is_gone(group):
        assert time.monotonic() < deadline, "workers outlive the harness"
        time.sleep(0.05)
    # The worst moment: in the middle of a write.
    path.write_bytes(survived + b'{"key": "cut sh')

    conduct(EXPERIMENT, path, workers=0)

    assert path.read_bytes().startswith(survived)
    keys = [json.loads(line)["key"] for line in path.read_bytes().splitlines()]
    assert len(keys) == len(set(keys)) == EXPERIMENT.run_count
    assert repeatable(path) == undisturbed
