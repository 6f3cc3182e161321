r"""The threads that share a list of tensors: torch's own, which wait for work already.

After an operation, the threads of torch's OpenMP pool keep their cores busy for some milliseconds,
so that the next operation finds them awake. Threads of our own would have to share the cores with
them just then, right after the backward pass. So the kernels run on that very pool:
``GOMP_parallel``, the entry point that compilers put in the place of ``#pragma omp parallel``, is
taken from the OpenMP runtime that is in force, whichever it is.

A forked child inherits no pool (nor can torch use it there), and some builds of torch have none. A
few plain Python threads serve then, as the kernels hold no lock. All of them are safe to use from
several Python threads at once, which Numba's own threading layers are not.
"""

from __future__ import annotations

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

# A C function void(void*), as ctypes calls it: without Python's global lock.
Entry = Any

_lock = threading.Lock()
_executor: tuple[int, ThreadPoolExecutor] | None = None
_is_forked = False


def _forget() -> None:
    # A fork copies neither an executor's threads, nor torch's, nor the owner of a lock.
    global _executor, _lock, _is_forked
    _executor, _lock, _is_forked = None, threading.Lock(), True


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forget)


@cache
def _parallel() -> Callable[[Entry, int, int, int], None] | None:
    """Return ``GOMP_parallel(function, data, threads, flags)`` of the OpenMP in force, if any."""
    # First what the whole process sees, where a runtime that was loaded beforehand comes before
    # torch's own. Then torch: a symbol is looked up in a library and in those it depends on.
    for library in (None, str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")):
        try:
            function = ctypes.CDLL(library).GOMP_parallel
        except (OSError, AttributeError, TypeError):  # TypeError: None on Windows
            continue
        function.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
        function.restype = None
        return function
    return None


def _submit(entry: Entry, data: int, count: int) -> list[Future[None]]:
    global _executor
    # Under the lock, so that no other caller replaces the executor meanwhile.
    with _lock:
        if _executor is None or _executor[0] < count:
            if _executor is not None:
                _executor[1].shutdown(wait=False)  # it still does what it was given
            _executor = count, ThreadPoolExecutor(count, thread_name_prefix="cdg")
        return [_executor[1].submit(entry, data) for _ in range(count)]


def share(entry: Entry, data: int, threads: int) -> None:
    """Call ``entry(data)`` on up to ``threads`` threads at once, this one among them.

    The calls divide the work among themselves: any number of them, even one, does all of it. All of
    them have ended when this returns.
    """
    parallel = None if _is_forked else _parallel()
    if threads == 1:
        entry(data)
    elif parallel is not None:
        parallel(entry, data, threads, 0)
    else:
        futures = _submit(entry, data, threads - 1)
        entry(data)
        wait(futures)
