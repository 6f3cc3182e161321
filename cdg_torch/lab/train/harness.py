"""Training runs in parallel processes; finished runs are kept and never repeated."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from cdg_torch.lab.train import store
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


@contextmanager
def worker_pool(workers: int | None = None) -> Iterator[Executor | None]:
    """Open a pool of training processes, each with one thread; None if ``workers`` is 0.

    Processes start when the first runs are handed in. By default there are as many as cores, or
    GPUs.
    """
    if workers is None:
        devices = available_devices()
        workers = default_workers() if devices == ["cpu"] else len(devices)
    if workers == 0:
        yield None
        return
    # spawn, not fork: a forked process inherits torch's threads in an unusable state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def execute(
    runs: Iterable[Run],
    path: Path,
    pool: Executor | None = None,
    *,
    on_record: Callable[[Record], None] | None = None,
) -> dict[str, Record]:
    """Do the runs that the file does not hold yet; return the records of all, by key.

    Each record is on disk before the next is waited for. ``on_record`` is called once for every
    run, also for those found in the file.

    Parameters
    ----------
    runs
        What to do; runs with equal keys are done once.
    path
        The JSON lines file, made if it is missing.
    pool
        Where to train, see :func:`worker_pool`; None trains in this process.
    on_record
        Called in this process as records arrive.
    """
    wanted = {run.key: run for run in runs}
    records = store.read(path)
    if on_record is not None:
        for key in wanted.keys() & records.keys():
            on_record(records[key])
    missing = [run for key, run in wanted.items() if key not in records]
    for record in _trained(missing, pool):
        store.append(path, record)
        records[record["key"]] = record
        if on_record is not None:
            on_record(record)
    return {key: records[key] for key in wanted}


def _trained(runs: list[Run], pool: Executor | None) -> Iterator[Record]:
    """Yield the records of the runs as they are done."""
    devices = available_devices()
    if pool is None:
        for run in runs:
            yield _train(run, devices[0])
        return
    futures = [
        pool.submit(_train, run, devices[index % len(devices)]) for index, run in enumerate(runs)
    ]
    for future in as_completed(futures):
        yield future.result()
