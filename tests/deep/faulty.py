"""What the processes do that are killed, run out of disk, or lose a rank; see faults.

Imported once by a server that forks: each job starts in a fraction of a second.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import init_device_mesh

import cdg_torch
from cdg_torch import Metric
from cdg_torch.lab.cli import app
from tests.tools.small_training import METRIC, batches, loss_of, network

SPEC = """
name = "faults"
data = "digits"
options = { train = 48, validation = 24 }
model = "tiny-cnn"
rates = [0.03, 0.1]
epochs = 2
select_seeds = 2
final_seeds = 3
methods = [
    { name = "SGD" },
    { name = "Sobolev", metric = { fluctuation = 0.0, derivative = 0.3 } },
    { name = "Adam", optimizer = "adam", metric = { fluctuation = 4.0 } },
]
"""
RUNS = 3 * (2 * 2 + 3)
STEPS = 60


def quietly() -> None:
    """Use one thread, and print nothing."""
    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())


# ---- the experiments' harness, as the command line runs it


def harness(folder: Path) -> None:
    """Run ``cdg train`` on the spec, with the results in the folder."""
    quietly()
    spec = folder / "spec.toml"
    if not spec.exists():
        spec.write_text(SPEC)
    app(["train", str(spec), "--output", str(folder), "--workers", "0"], standalone_mode=False)


def records(folder: Path) -> bytes:
    """Return the bytes of the harness's results."""
    path = folder / "faults.jsonl"
    return path.read_bytes() if path.exists() else b""


def harness_progress(folder: Path) -> float:
    """Return the share of the runs that are on disk."""
    return records(folder).count(b"\n") / RUNS


def harness_result(folder: Path) -> object:
    """Return the keys and the repeatable part of every record, in the order of the file."""
    rows = [json.loads(line) for line in records(folder).splitlines()]
    return [(row["key"], row["run"], row["results"]) for row in rows]


# ---- a training loop of one's own, with a checkpoint after every step


class Training:
    """A model, its optimizer with a metric that moves, and how far it has come."""

    def __init__(self) -> None:
        self.model = network()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        handle = cdg_torch.attach(self.optimizer, self.model, METRIC)
        schedule = cdg_torch.CosineMetric(handle, steps=STEPS)
        self.parts: dict[str, Any] = {"model": self.model, "optimizer": self.optimizer}
        self.parts |= {"handle": handle, "schedule": schedule}
        self.done = 0

    def save(self, path: Path) -> None:
        """Write everything beside the old checkpoint, then put it in its place."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            torch.save({"done": self.done, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def load(self, path: Path, without: str = "") -> None:
        """Go on from a checkpoint; ``without`` a part, as a mistaken loop would."""
        state = torch.load(path, weights_only=True)
        self.done = state["done"]
        for name, part in self.parts.items():
            if name != without:
                part.load_state_dict(state[name])

    def step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Take one step; the batch depends on the number of the step alone."""
        self.optimizer.zero_grad()
        loss_of(self.model, batch).backward()
        self.optimizer.step()
        self.parts["schedule"].step()
        self.done += 1


def loop(folder: Path, without: str = "") -> None:
    """Train to the end, from the checkpoint if there is one; but forget the part named."""
    quietly()
    training, path = Training(), folder / "checkpoint.pt"
    if path.exists():
        training.load(path, without)
    for batch in batches(STEPS)[training.done :]:
        training.step(batch)
        training.save(path)


def loop_progress(folder: Path) -> float:
    """Return the share of the steps that the checkpoint holds."""
    path = folder / "checkpoint.pt"
    return torch.load(path, weights_only=True)["done"] / STEPS if path.exists() else 0.0


def loop_result(folder: Path) -> object:
    """Return every number of the final checkpoint, bit for bit."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    weights = {name: tensor.numpy().tobytes() for name, tensor in state["model"].items()}
    momentum = [
        entry["momentum_buffer"].numpy().tobytes() for entry in state["optimizer"]["state"].values()
    ]
    return state["done"], weights, momentum, state["handle"], state["schedule"]


# ---- a disk that is full, or may not be written to


def harness_in_trouble(folder: Path) -> None:
    """Run the harness, and leave what it ends with beside the folder's name, as text."""
    message = "no error"
    try:
        harness(folder)
    except BaseException as error:
        message = f"{'' if isinstance(error, OSError) else 'no OSError, but '}{error!r}"
    folder.with_suffix(".said").write_text(message)


# ---- several ranks


def sharded(
    folder: Path, rank: int, world: int, victim: int, at: int, how: str, timeout: float
) -> None:
    """Train sharded; at some step the victim dies, hangs or (``how="no"``) does neither.

    A survivor leaves the name of its error, the seconds it waited, and whether its weights are
    those before the step that failed.
    """
    quietly()
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/rendezvous",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=timeout),
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten())
    fully_shard(model, mesh=init_device_mesh("cpu", (world,)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    cdg_torch.attach(optimizer, model, Metric.sobolev(0.3))
    images = torch.randn(2, 3, 8, 8)
    outcome = {"error": "none", "seconds": 0.0, "intact": True}
    for step in range(6):
        model(images).square().mean().backward()
        before = [p.to_local().detach().clone() for p in model.parameters()]
        if rank == victim and step == at and how != "no":
            # Beaten at the worst moment: the others are inside the step, waiting for its numbers.
            if how == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(3600)
        began = time.monotonic()
        try:
            optimizer.step()
        except RuntimeError as error:
            after = [p.to_local() for p in model.parameters()]
            intact = all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
            waited = time.monotonic() - began
            outcome = {"error": repr(error), "seconds": waited, "intact": intact}
            break
        optimizer.zero_grad()
    Path(folder, f"{rank}.json").write_text(json.dumps(outcome))
    # An orderly farewell would wait for the dead.
    os._exit(0 if outcome["error"] == "none" else 3)
