"""Measure what a step costs with and without a metric on an ordered head.

Run from the project's root: python docs/results/step_cost.py
Trains all methods of a task in turns, twenty steps each, in one process with one thread, and counts
the CPU's time, which other programs do not change. Writes step_cost.inc beside this file.
"""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.ordered.prepare import ordered_task
from cdg_torch.lab.train.ordered.treatment import Treatment
from cdg_torch.lab.train.runs import Run
from cdg_torch.lab.train.task import Task

HERE = Path(__file__).parent
ROUNDS, STEPS = 60, 20
METHODS = {
    "SGD": Treatment(),
    "H⁰": Treatment(metric="h0", strength=4.0),
    "first order, full": Treatment(metric="first", strength=6.0, matched=True, decay=1e-3),
    "second order, full": Treatment(metric="second", strength=6.0, matched=True, decay=1e-3),
    "penalty, second order": Treatment(metric="second", strength=6.0, acts=False, penalty=1e-5),
    "spread targets": Treatment(spread=2.0),
}
TASKS = ("shoe-angles", "note-pitches", "noisy-spectra", "sparse-curves")


def seconds(task: Task, indices: list[torch.Tensor]) -> float:
    """Return the CPU's time for a step, a mean over a few."""
    start = time.process_time()
    for index in indices:
        task.step(index)
    return (time.process_time() - start) / len(indices)


def measure(data: str) -> dict[str, list[float]]:
    """Return the times of each method's steps, round by round."""
    run = Run(
        data=data, options={}, model="perceptron", method=Method(name="SGD"), lr=1e-3, seed=0,
        batch=32, epochs=8,
    )  # fmt: skip
    tasks = {}
    for name, how in METHODS.items():
        method = Method(name=name, ordered=None if how.is_plain else how)
        tasks[name] = ordered_task(replace(run, method=method), "cpu")
    found: dict[str, list[float]] = {name: [] for name in tasks}
    count = len(tasks["SGD"].dataset.train)
    for _ in range(ROUNDS):
        indices = list(torch.randint(count, (STEPS, run.batch)))
        for name, task in tasks.items():
            found[name].append(seconds(task, indices))
    return {name: own[5:] for name, own in found.items()}


def main() -> None:
    """Write the table."""
    torch.set_num_threads(1)
    times = {data: measure(data) for data in TASKS}
    lines = []
    for name in METHODS:
        cells = [name]
        for data in TASKS:
            own, base = times[data][name], times[data]["SGD"]
            ratio = median(a / b for a, b in zip(own, base, strict=True))
            cells.append(f"{1000 * median(own):.2f} ({ratio:.2f})")
        lines.append(cells)
    names = ("method", *(data.replace("-", " ") for data in TASKS))
    text = ResultTable(names, lines).markdown()
    (HERE / "step_cost.inc").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
