"""Training runs on a Dask cluster: the same runs, spread over several machines."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cdg_theory
from cdg_torch.extras import optional
from cdg_torch.lab.train.harness import Pool, available_devices, train_with_one_thread

if TYPE_CHECKING:
    from collections.abc import Callable


def _version() -> str:
    return cdg_theory.__version__


class _Cluster(Executor):
    """A cluster's executor, whose results depend on no other run."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn  # the harness hands in nothing but trainings
        return self._executor.submit(train_with_one_thread, *args, **kwargs)


@contextmanager
def cluster_pool(address: str) -> Iterator[Pool]:
    """Open a pool of the workers that a Dask scheduler has.

    Records are written here: the workers need no disk in common, but the data sets, and this
    version of the package.

    Parameters
    ----------
    address
        Of the scheduler, as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ModuleNotFoundError
        If ``distributed`` is not installed.
    OSError
        If nobody answers at the address.
    RuntimeError
        If there is no worker, one has several threads, or one has another version.
    """
    with optional():
        from distributed import Client

    make: Any = Client  # untyped
    with make(address, timeout=10, set_as_default=False) as client:
        threads = client.nthreads()
        if not threads:
            msg = f"the cluster at {address} has no worker; start some: dask worker {address}"
            raise RuntimeError(msg)
        if several := [name for name, count in threads.items() if count > 1]:
            # Trainings in one process would draw from one generator of random numbers.
            msg = (
                f"workers must have one thread each, {several[0]} has {threads[several[0]]}; "
                f"start them with dask worker {address} --nthreads 1"
            )
            raise RuntimeError(msg)
        versions = client.run(_version)
        if others := {name: v for name, v in versions.items() if v != cdg_theory.__version__}:
            name, version = next(iter(others.items()))
            msg = (
                f"the worker {name} has version {version} of channel-directed-gradients, this "
                f"process {cdg_theory.__version__}; install one version everywhere"
            )
            raise RuntimeError(msg)
        devices = client.run(available_devices)
        shared = set.intersection(*map(set, devices.values()))
        executor = client.get_executor(pure=False)
        try:
            yield Pool(_Cluster(executor), len(threads), tuple(sorted(shared)) or ("cpu",))
        finally:
            executor.shutdown(wait=False)
