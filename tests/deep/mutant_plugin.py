"""A pytest plugin for runs under mutmut: no cached result outlives a test, and ranks are forks.

What an earlier test has computed would hide a function, and its mutants, from later ones. Proofs
take minutes to repeat: they keep theirs, but start without. Compiled kernels are never mutated
here, and stay. The ranks of :mod:`tests.tools.ranks` come from a clean server of processes, which
knows of no mutant: here they are forked, so that they run the mutant too, and tell which functions
they ran. Tests that do not pass among mutants, none of them at work, are noted and judge nothing.
"""

import functools
import gc
import json
import os
import sys
import types
from pathlib import Path

import pytest

UNUSABLE = Path("unusable.txt")
_caches: list = []


def pytest_collection_finish() -> None:
    """Find and empty the caches of the library's functions, and let ranks be forked."""
    _caches[:] = [
        thing
        for thing in gc.get_objects()
        if type(thing) is functools._lru_cache_wrapper
        and str(getattr(thing, "__module__", "")).startswith("cdg_")
        and ".cpu." not in thing.__module__
    ]
    for function in _caches:
        function.cache_clear()
    if ranks := sys.modules.get("tests.tools.ranks"):
        ranks.mp = types.SimpleNamespace(start_processes=_forked)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Note a test that fails while mutmut only looks which functions it runs, and go on."""
    report = yield
    if report.failed and os.environ["MUTANT_UNDER_TEST"] == "stats":
        with UNUSABLE.open("a") as file:
            file.write(f"{item.nodeid}\n")
        report.outcome, report.longrepr = "skipped", ("", 0, "fails among mutants")
    return report


def pytest_runtest_setup() -> None:
    """Forget what earlier tests computed."""
    for function in _caches:
        if ".proofs." not in function.__module__:
            function.cache_clear()


def _forked(work, arguments, nprocs: int, start_method: str) -> None:  # noqa: ARG001
    import torch.multiprocessing as mp
    from mutmut.state import state

    folder = Path(arguments[-1])

    def on_rank(rank: int, *given) -> None:
        try:
            work(rank, *given)
        finally:
            Path(folder, f"ran-{rank}").write_text(json.dumps(sorted(state()._stats)))

    mp.start_processes(on_rank, arguments, nprocs=nprocs, start_method="fork")
    for file in folder.glob("ran-*"):
        state()._stats.update(json.loads(file.read_text()))
