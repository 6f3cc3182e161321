"""Threads and processes: the same bits as one thread alone, whoever calls and from where."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

import cdg_torch
from cdg_torch import Metric
from tests.deep.figures import ROOT, Figure, Report, judged, timed

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
    rng, arrays, tensors = np.random.default_rng(seed), [], []
    for shape in [(64, 50, 3, 3), (33, 1000), (5, 7), (256, 64)]:
        g = rng.standard_normal(shape)
        single = g.astype(np.float32)
        half = (single.view(np.uint32) >> 16).astype(np.uint16).view(np.int16)
        arrays += [g, single, half]
        tensors += [torch.from_numpy(array) for array in (g, single)]
        tensors.append(torch.from_numpy(half).view(torch.bfloat16))
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


def _differing(found: Sequence[Any], expected: Sequence[Any]) -> list[str]:
    """Return one line for each result that is missing or has other bits."""
    pairs = enumerate(zip_longest(found, expected))
    return [f"number {number} differs" for number, (one, other) in pairs if one != other]


def _optimizers(effort: float, report: Report) -> Figure:
    rounds, steps = max(1, int(ROUNDS * effort)), max(6, int(STEPS * min(1.0, effort)))
    wrong: list[str] = []
    counts = [1, 2, 3] * rounds
    with timed() as seconds, _torch_threads(1):
        alone = [_train(seed, steps) for seed in range(TRAINERS)]
        for done, count in enumerate(counts):
            torch.set_num_threads(count)
            wrong += _differing(_in_threads(partial(_train, steps=steps), TRAINERS), alone)
            report("optimizers in threads", done, len(counts))
    return judged(
        "threads",
        f"{TRAINERS} optimizers train in {TRAINERS} Python threads at once, with 1, 2 and 3 of "
        "torch's threads each: the weights are those of training one after the other, bit for bit",
        f"{len(counts) * TRAINERS:,} trainings of {steps} steps",
        wrong,
        seconds(),
    )


@contextmanager
def _meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do something again and again in another thread."""
    stop = threading.Event()

    def again() -> None:
        while not stop.is_set():
            work()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _thread_counts(effort: float, report: Report) -> Figure:
    rounds, counts = max(2, int(10 * ROUNDS * effort)), (1, 2, 3, 5, 8, 64)
    wrong: list[str] = []
    rng = np.random.default_rng(0)
    with timed() as seconds, _torch_threads(1):
        alone = [_gradients(seed) for seed in range(4)]
        for count in counts:
            torch.set_num_threads(count)
            wrong += _differing([_gradients(seed) for seed in range(4)], alone)
        # torch.set_num_threads is for the whole process: here it changes under the callers.
        with _meanwhile(lambda: torch.set_num_threads(int(rng.integers(1, 6)))):
            for number in range(rounds):
                wrong += _differing(_in_threads(_gradients, 4), alone)
                report("numbers of threads", number, rounds)
    return judged(
        "threads",
        "torch.set_num_threads, before a call or by another thread during one, changes no bit of "
        "the result",
        f"{4 * (len(counts) + rounds):,} lists of 12 gradients",
        wrong,
        seconds(),
    )


def _loaders(effort: float, report: Report) -> Figure:
    epochs = max(1, int(EPOCHS * effort))
    wrong: list[str] = []
    items = 0
    with timed() as seconds, _torch_threads(2), warnings.catch_warnings():
        # Python warns that a process with threads forks; this is about that.
        warnings.simplefilter("ignore")
        # Here first, on threads: a forked worker inherits what they have left.
        expected = [_gradients(index) for index in range(8)]
        options: dict[str, Any] = {"num_workers": 2, "timeout": PATIENCE}
        # Workers call the library, on each item that they are asked for.
        options |= {"batch_size": None, "collate_fn": _gradients}
        for epoch in range(epochs):
            for context in ("fork", "spawn") if epoch % 4 == 0 else ("fork",):
                found = list(DataLoader(range(8), multiprocessing_context=context, **options))
                wrong += _differing(found, expected)
                items += len(found)
                # And the parent goes on, while its children are gone.
                wrong += _differing([_gradients(epoch % 8)], [expected[epoch % 8]])
            report("data loaders", epoch, epochs)
    return judged(
        "threads",
        "Workers of a DataLoader, forked after the library has run on threads, or spawned, call "
        "it and get the same bits; the parent goes on; nothing hangs",
        f"{items:,} items from {epochs} epochs of 2 workers",
        wrong,
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
    wrong: list[str] = []
    with timed() as seconds, _torch_threads(3):
        expected = [_gradients(1), _gradients(0)]
        for number in range(rounds):
            with _meanwhile(lambda: _gradients(3)):  # fork while it is inside the library
                wrong += _differing(_from_process("fork", 1), expected)
            report("forks", number, rounds)
        wrong += _differing(_from_process("spawn", 1), expected)
    return judged(
        "threads",
        "A process forked while another thread is inside the library, its own child, and a "
        "spawned one get the same bits, with other numbers of threads",
        f"{2 * (rounds + 1):,} processes",
        wrong,
        seconds(),
    )


FIRST_CALLS = """
import sys, threading
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
print(len(found), [len({str(g) for s, g in found if s == k}) for k in (0, 1)])
"""


def _first_calls(effort: float, report: Report) -> Figure:
    """Import, and compile or load the kernels, in six threads at once."""
    rounds, wrong = max(1, int(6 * effort)), []
    command: list[str] = [sys.executable, "-c", FIRST_CALLS]
    with timed() as seconds:
        for number in range(rounds):
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
            )
            if done.stdout.strip() != "6 [1, 1]":
                wrong.append(f"one said {done.stdout.strip() or done.stderr[-500:]!r}")
            report("first calls", number, rounds)
    return judged(
        "threads",
        "The first call of a process may come from six threads at once: all get the same bits",
        f"{rounds} processes",
        wrong,
        seconds(),
    )


def run(*, effort: float, report: Report) -> list[Figure]:
    """Train in threads, change their number, fork, spawn, and start all at once."""
    parts = (_optimizers, _thread_counts, _loaders, _processes, _first_calls)
    return [part(effort, report) for part in parts]
