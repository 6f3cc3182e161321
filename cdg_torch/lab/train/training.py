"""The training loop, the same for every method and network: from a run to its record."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import torch

from cdg_torch.lab.train.gan import gan_task
from cdg_torch.lab.train.ordered.prepare import ordered_task
from cdg_torch.lab.train.runs import Record, Run
from cdg_torch.lab.train.supervised import supervised_task

_TASKS = {"dcgan": gan_task, "perceptron": ordered_task}


def train_run(run: Run, device: str = "cpu") -> Record:
    """Train once and return the record.

    The seed decides the initial weights and the order of the batches; with one thread on a CPU
    the record's ``results`` are the same every time, to the last bit. A loss that is not finite
    ends the training: the run counts with the score it then has.
    """
    task = _TASKS.get(run.model, supervised_task)(run, device)
    images = len(task.dataset.train)
    steps = images // run.batch
    curve: list[dict[str, float]] = []
    seconds: list[float] = []
    diverged = False
    for epoch in range(run.epochs):
        order = torch.randperm(images, generator=task.generator).to(device)
        total: Any = 0.0
        start = time.perf_counter()
        # The last, smaller batch is left out: every step has the same noise.
        for index in order[: steps * run.batch].split(run.batch):  # type: ignore[no-untyped-call]
            total += task.step(index)
        mean_loss = float(total) / steps
        seconds.append((time.perf_counter() - start) / steps)
        curve.append({"epoch": epoch + 1, "train_loss": mean_loss, **task.validate()})
        diverged = not math.isfinite(mean_loss)
        if diverged:
            break
    score = max(row["score"] for row in curve) if task.keeps_best else curve[-1]["score"]
    results = {"curve": curve, "validation": score, "diverged": diverged}
    if run.stage == "final":
        results |= task.test()
    return {
        "key": run.key,
        "run": run.as_dict(),
        "results": results,
        "timing": {
            "seconds_per_step": statistics.median(seconds),
            "device": device,
            "torch": torch.__version__,
        },
    }
