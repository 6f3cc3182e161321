"""Training runs in parallel processes; finished runs are kept and never repeated."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdg_torch.lab.train import store
from cdg_torch.lab.train.claims import Claims
from cdg_torch.lab.train.runs import Record, Run


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_devices() -> list[str]:
    """Return every GPU, or the CPU if there is none."""
    import torch

    count = torch.cuda.device_count()
    return [f"cuda:{index}" for index in range(count)] or ["cpu"]


def _start_worker() -> None:
    """Use one thread, and end with the parent: a killed harness leaves no process training."""
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _train(run: Run, device: str) -> Record:
    from cdg_torch.lab.train.training import train_run

    return train_run(run, device)


def train_with_one_thread(run: Run, device: str) -> Record:
    """Train in a process that others have started, as the workers here do."""
    import torch

    torch.set_num_threads(1)
    return _train(run, device)


class _Here(Executor):
    """Do in this process, at once, what is handed in."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start here never see it: it is for their parent."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Workers(ProcessPoolExecutor):
    """Processes for training."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _without_interrupts():
            return super().submit(fn, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Pool:
    """Where runs are done, how many at a time, and on which devices; by default those here."""

    executor: Executor
    size: int
    devices: tuple[str, ...] = ()


@contextmanager
def worker_pool(workers: int | None = None) -> Iterator[Pool]:
    """Open a pool of training processes, each with one thread; this process if ``workers`` is 0.

    Processes start when the first runs are handed in. By default there are as many as cores, or
    GPUs. An error or Ctrl-C ends them at once, in the middle of their runs.
    """
    if workers is None:
        devices = available_devices()
        workers = default_workers() if devices == ["cpu"] else len(devices)
    if workers == 0:
        yield Pool(_Here(), 1)
        return
    # spawn, not fork: a forked process inherits torch's threads in an unusable state.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with _Workers(workers, mp_context=context, initializer=_start_worker) as executor:
        try:
            yield Pool(executor, workers)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise


class _Records:
    """The records of a file that other processes may write to as well."""

    def __init__(self, path: Path) -> None:
        self.path, self.held, self._seen = path, dict[str, Record](), 0

    def look(self) -> None:
        """Read what others have written since."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size != self._seen:
            self.held, self._seen = store.read_checked(self.path), size

    def add(self, record: Record) -> None:
        """Write a record."""
        self._seen += store.append(self.path, record)
        self.held[record["key"]] = record


def execute(
    runs: Iterable[Run],
    path: Path,
    pool: Pool,
    *,
    on_record: Callable[[Record], None] | None = None,
    on_shared: Callable[[], None] | None = None,
) -> dict[str, Record]:
    """Do the runs that the file does not hold yet; return the records of all, by key.

    Each record is on disk before the next is waited for. Processes that are given the same file
    share the work: a run that another one has under way is left to it, and done here only if
    that one ends without a record.

    Parameters
    ----------
    runs
        What to do; runs with equal keys are done once.
    path
        The JSON lines file, made if it is missing.
    pool
        Where to train, see :func:`worker_pool`.
    on_record
        Called in this process as records arrive, once for every run: also for those found in the
        file, and those of other processes.
    on_shared
        Called once, if runs are left to another process.

    Raises
    ------
    OSError
        If the file cannot be written: before the first run.
    ValueError
        If it holds anything but records of this version.
    """
    wanted = {run.key: run for run in runs}
    records = _Records(path)
    records.look()
    waiting = dict(wanted)

    def tell() -> None:
        for key in [key for key in waiting if key in records.held]:
            del waiting[key]
            if on_record is not None:
                on_record(records.held[key])

    tell()
    if waiting:
        with Claims(path) as claims:
            for _ in _rounds(waiting, records, pool, claims, on_shared):
                tell()
    return {key: records.held[key] for key in wanted}


def _rounds(
    waiting: dict[str, Run],
    records: _Records,
    pool: Pool,
    claims: Claims,
    on_shared: Callable[[], None] | None,
) -> Iterator[None]:
    """Train what nobody else has claimed; yield whenever there may be news in the records."""
    devices = pool.devices or tuple(available_devices())
    mine: dict[Future[Record], tuple[str, str]] = {}
    while waiting:
        busy = {key for key, _ in mine.values()}
        for key, run in waiting.items():
            if len(mine) == pool.size:
                break
            if key in busy or not claims.take(key):
                continue
            records.look()
            if key in records.held:  # by somebody who was done with it just before
                claims.leave(key)
                continue
            loads = Counter(device for _, device in mine.values())
            device = min(devices, key=loads.__getitem__)
            mine[pool.executor.submit(_train, run, device)] = key, device
        if not mine:
            missing = next((key for key in waiting if key not in records.held), None)
            if missing is not None:
                if on_shared is not None:
                    on_shared()
                    on_shared = None
                claims.wait(missing)
                claims.leave(missing)
                records.look()
        done, _ = wait(mine, return_when=FIRST_COMPLETED) if mine else ((), ())
        for future in done:
            records.add(future.result())
            key, _ = mine.pop(future)
            claims.leave(key)
        yield
