"""Threads and processes: the same bits as one thread alone, whoever calls and from where."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import cdg_torch
from cdg_torch import Metric
from tests.deep.figures import Figure, Report, timed

METRICS = (
    Metric.reweighted_h0(4.0),
    Metric.sobolev(0.5),
    Metric(1.0, 0.5, 0.2, boundary="periodic"),
    Metric.sobolev(0.5, boundary="periodic", spacing="unit"),
)
TRAINERS, STEPS, ROUNDS, EPOCHS = 8, 60, 40, 12
# A hang is a failure: no job of this part takes as long as this.
PATIENCE = 120.0


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(seed: int, steps: int) -> list[bytes]:
    """Return the weights after some steps, bit for bit; the network is large enough to be shared.

    Gradients are drawn, not computed: what torch's convolutions do with threads is theirs.
    """
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(24, 64, 3), nn.ConvTranspose2d(64, 24, 3), nn.Conv1d(8, 8, 1))
    for p in model.parameters():
        p.data = torch.randn(p.shape, generator=generator)
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if seed % 2:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    handle = cdg_torch.attach(optimizer, model, METRICS[seed % len(METRICS)])
    for step in range(steps):
        for p in model.parameters():
            p.grad = torch.randn(p.shape, generator=generator)
        if step == steps // 2:
            handle.metric = METRICS[(seed + 1) % len(METRICS)]
        optimizer.step()
    return [p.detach().numpy().tobytes() for p in model.parameters()]


def _gradients(seed: int) -> list[bytes]:
    """Return gradients in a metric of a list of tensors, large and small, of three types.

    All but the library's call is NumPy's: in a forked child torch's own threads are gone, and what
    torch would share among them would wait for ever (it says so itself).
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in [(64, 50, 3, 3), (33, 1000), (5, 7), (256, 64)]:
        g = rng.standard_normal(shape)
        halves = (g.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        arrays += [g, g.astype(np.float32), halves]
    tensors = [
        torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        if array.dtype == np.uint16
        else torch.from_numpy(array)
        for array in arrays
    ]
    cdg_torch.riemannian_gradients_(tensors, METRICS[seed % len(METRICS)])
    return [array.tobytes() for array in arrays]


def _in_threads(call: Callable[[int], Any], count: int) -> list[Any]:
    """Return what a function makes of 0, 1, …, each in a thread of its own, all started at once."""
    barrier = threading.Barrier(count)

    def started_together(seed: int) -> Any:
        barrier.wait(PATIENCE)
        return call(seed)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(started_together, seed) for seed in range(count)]
        return [future.result(PATIENCE) for future in futures]


def _optimizers(effort: float, report: Report) -> Figure:
    rounds, steps = max(1, int(ROUNDS * effort)), max(6, int(STEPS * min(1.0, effort)))
    wrong = done = 0
    with timed() as seconds, _torch_threads(1):
        alone = [_train(seed, steps) for seed in range(TRAINERS)]
        for count in [1, 2, 3] * rounds:
            torch.set_num_threads(count)
            together = _in_threads(partial(_train, steps=steps), TRAINERS)
            wrong += sum(a != b for a, b in zip(alone, together, strict=True))
            done += TRAINERS
            report("optimizers in threads", done, 3 * rounds * TRAINERS)
    return Figure(
        "threads",
        f"{TRAINERS} optimizers train in {TRAINERS} Python threads at once, with 1, 2 and 3 of "
        "torch's threads each: the weights are those of training one after the other, bit for bit",
        f"{done:,} trainings of {steps} steps, {wrong} different",
        wrong == 0,
        seconds(),
    )


def _thread_counts(effort: float, report: Report) -> Figure:
    rounds = max(2, int(10 * ROUNDS * effort))
    wrong = done = 0
    stop = threading.Event()
    before = torch.get_num_threads()

    def shake() -> None:
        # torch.set_num_threads is for the whole process: here it changes under the callers.
        rng = np.random.default_rng(0)
        while not stop.is_set():
            torch.set_num_threads(int(rng.integers(1, 6)))

    with timed() as seconds:
        torch.set_num_threads(1)
        alone = [_gradients(seed) for seed in range(4)]
        for count in (1, 2, 3, 5, 8, 64):
            torch.set_num_threads(count)
            wrong += sum(_gradients(seed) != alone[seed] for seed in range(4))
            done += 4
        shaker = threading.Thread(target=shake)
        shaker.start()
        try:
            for number in range(rounds):
                together = _in_threads(_gradients, 4)
                wrong += sum(a != b for a, b in zip(alone, together, strict=True))
                done += 4
                report("numbers of threads", number, rounds)
        finally:
            stop.set()
            shaker.join()
            torch.set_num_threads(before)
    return Figure(
        "threads",
        "torch.set_num_threads, before a call or by another thread during one, changes no bit of "
        "the result",
        f"{done:,} lists of 12 gradients, {wrong} different",
        wrong == 0,
        seconds(),
    )


class _Smoothed(Dataset[bytes]):
    """A data set whose items call the library, in whatever process they are asked for."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> bytes:
        return b"".join(_gradients(index))


def _loaders(effort: float, report: Report) -> Figure:
    epochs = max(1, int(EPOCHS * effort))
    wrong = done = 0
    data = _Smoothed(8)
    with timed() as seconds, _torch_threads(2):
        # Here first, on threads: a forked worker inherits what they have left.
        expected = [data[index] for index in range(len(data))]
        for epoch in range(epochs):
            for context in ("fork", "spawn") if epoch % 4 == 0 else ("fork",):
                loader = DataLoader(
                    data,
                    batch_size=None,
                    num_workers=2,
                    multiprocessing_context=context,
                    timeout=PATIENCE,
                )
                with warnings.catch_warnings():
                    # Python warns that a process with threads forks; this is about that.
                    warnings.simplefilter("ignore")
                    for item, wanted in zip(loader, expected, strict=True):
                        wrong += item != wanted
                        done += 1
                # And the parent goes on, while its children are gone.
                wrong += data[epoch % 8] != expected[epoch % 8]
            report("data loaders", epoch, epochs)
    return Figure(
        "threads",
        "Workers of a DataLoader, forked after the library has run on threads, or spawned, call "
        "it and get the same bits; the parent goes on; nothing hangs",
        f"{done:,} items from {epochs} epochs of 2 workers, {wrong} different",
        wrong == 0,
        seconds(),
    )


def _forked(pipe: Any, depth: int) -> None:
    """Answer with gradients from here, and from a child of this process as well."""
    torch.set_num_threads(1 + depth)
    results = [_gradients(depth)]
    if depth:
        results += _from_process("fork", depth - 1)
    pipe.send(results)


def _from_process(context: str, depth: int) -> list[Any]:
    """Return what a process sends, or nothing where it hangs or dies."""
    start = multiprocessing.get_context(context)
    ours, theirs = start.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = start.Process(target=_forked, args=(theirs, depth))
        process.start()
    theirs.close()
    try:
        found = ours.recv() if ours.poll(PATIENCE / (2 - depth)) else []
    except EOFError:
        found = []
    process.kill()
    process.join()
    return list(found)


def _processes(effort: float, report: Report) -> Figure:
    rounds = max(1, int(ROUNDS * effort / 2))
    wrong = done = 0
    with timed() as seconds, _torch_threads(3):
        alone = [_gradients(seed) for seed in range(4)]
        for number in range(rounds):
            # Fork while other threads are inside the library.
            stop = threading.Event()

            def work(stop: threading.Event = stop) -> None:
                while not stop.is_set():
                    _gradients(3)

            thread = threading.Thread(target=work)
            thread.start()
            try:
                found = _from_process("fork", 1)
            finally:
                stop.set()
                thread.join()
            wrong += found != [alone[1], alone[0]]
            done += 2
            report("forks", number, rounds)
        found = _from_process("spawn", 1)
        wrong += found != [alone[1], alone[0]]
        done += 2
    return Figure(
        "threads",
        "A process forked while another thread is inside the library, its own child, and a "
        "spawned one get the same bits, with other numbers of threads",
        f"{done:,} processes, {wrong} different or silent",
        wrong == 0,
        seconds(),
    )


IMPORTS = """
import sys, threading
sys.path.insert(0, {root!r})
barrier = threading.Barrier(6)
found = []
def first(seed):
    barrier.wait()
    import torch, cdg_torch
    from tests.deep.threads import _gradients
    found.append((seed % 2, _gradients(seed % 2)))
threads = [threading.Thread(target=first, args=(seed,)) for seed in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
same = [len({{str(g) for s, g in found if s == k}}) for k in (0, 1)]
print(len(found), same)
"""


def _first_calls(effort: float, report: Report) -> Figure:
    """Import, and compile or load the kernels, in six threads at once."""
    rounds = max(1, int(6 * effort))
    root = str(Path(__file__).parents[2])
    found = []
    with timed() as seconds:
        for number in range(rounds):
            done = subprocess.run(
                [sys.executable, "-c", IMPORTS.format(root=root)],
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
            found.append(done.stdout.strip() or done.stderr[-500:])
            report("first calls", number, rounds)
    wrong = [answer for answer in found if answer != "6 [1, 1]"]
    return Figure(
        "threads",
        "The first call of a process may come from six threads at once: all get the same bits",
        f"{rounds} processes" + (f"; one said {wrong[0]!r}" if wrong else ", all the same"),
        not wrong,
        seconds(),
    )


def run(*, effort: float, report: Report) -> list[Figure]:
    """Train in threads, change their number, fork, spawn, and start all at once."""
    parts = (_optimizers, _thread_counts, _loaders, _processes, _first_calls)
    return [part(effort, report) for part in parts]
