"""The threads that share a list of tensors: plain Python threads, as the kernels hold no lock.

Numba's own threading layers are either unsafe to call from several Python threads at once or
unsafe after a fork; an executor is neither, once a forked child starts a new one.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

__all__ = ["share"]

_lock = threading.Lock()
_executor: tuple[int, ThreadPoolExecutor] | None = None


def _forget() -> None:
    # A fork copies neither the executor's threads nor the owner of a lock.
    global _executor, _lock
    _executor, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def _submit(
    work: Callable[[int, int], None], ranges: Sequence[tuple[int, int]]
) -> list[Future[None]]:
    global _executor
    # Under the lock, so that no other caller replaces the executor meanwhile.
    with _lock:
        if _executor is None or _executor[0] < len(ranges):
            if _executor is not None:
                _executor[1].shutdown(wait=False)  # it still does what it was given
            _executor = len(ranges), ThreadPoolExecutor(len(ranges), thread_name_prefix="cdg")
        return [_executor[1].submit(work, *range_) for range_ in ranges]


def share(work: Callable[[int, int], None], ranges: Sequence[tuple[int, int]]) -> None:
    """Call ``work`` on every range at once: the first one here, the others on threads.

    All of them have ended when this returns or raises.
    """
    first, *others = ranges
    futures = _submit(work, others) if others else []
    try:
        work(*first)
    finally:
        wait(futures)
    for future in futures:
        future.result()
