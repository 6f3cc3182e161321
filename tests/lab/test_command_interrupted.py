"""Ctrl-C is answered at once, in words; finished runs are kept, and no process goes on training."""

import os
import signal
import subprocess
import sys

import pytest

from cdg_torch.lab.train import store
from cdg_torch.lab.train.harness import worker_pool
from tests.tools.commands import ROOT

SPEC = """
name = "endless"
data = "digits"
options = { train = 1000, validation = 8 }
model = "tiny-cnn"
rates = [0.03, 0.1]
select_seeds = 2
final_seeds = 2
methods = [{ name = "SGD" }]
"""

# One run is done; the next lasts for ever, and says that it has begun.
PROGRAM = """
import os, signal, sys
from cdg_torch.lab.cli import main
from cdg_torch.lab.train import harness
from tests.tools.records import record

def train(run, device):
    if run.seed == 10_000 and run.lr == 0.03:
        return record(run, 0.5)
    os.write(1, b"begun\\n")
    while True:
        signal.pause()

harness._train = train
if __name__ == "__main__":
    main()
"""


def start(folder, program: str, workers: int) -> subprocess.Popen:
    (folder / "program.py").write_text(program)
    (folder / "spec.toml").write_text(SPEC)
    arguments = ["train", "spec.toml", "--output", "out", "--workers", str(workers)]
    return subprocess.Popen(
        [sys.executable, "program.py", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Shells let what runs in the background ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_training_stops_in_words(tmp_path, workers) -> None:
    with start(tmp_path, PROGRAM, workers) as process:
        assert process.stdout.readline() == b"begun\n"
        # As a terminal does: to the command and to all processes that it started.
        os.killpg(process.pid, signal.SIGINT)
        # The pipe is at its end when the last of them is gone. Older Typer ends the line there.
        assert process.stdout.read() in {b"", b"\n"}
        said = process.stderr.read().decode().splitlines()
    assert process.returncode == 130
    assert said == [
        "",
        "interrupted: stopping; a second Ctrl-C ends at once",
        "1 of 6 runs are done and kept in out/endless.jsonl; those under way are given up",
    ]
    assert len(store.read(tmp_path / "out" / "endless.jsonl")) == 1


# What will not end by itself.
STUCK = """
import signal
from cdg_torch.lab.cli import main
from cdg_torch.lab.train import harness

def train(run, device):
    try:
        print("begun", flush=True)
        signal.pause()
    finally:
        print("stuck", flush=True)
        signal.pause()

harness._train = train
main()
"""


def test_a_second_one_ends_the_process_as_it_is(tmp_path) -> None:
    with start(tmp_path, STUCK, 0) as process:
        for line in (b"begun\n", b"stuck\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGINT)
    assert process.returncode == -signal.SIGINT


def test_processes_that_train_do_not_hear_it() -> None:
    with worker_pool(1) as pool:
        blocked = pool.executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
