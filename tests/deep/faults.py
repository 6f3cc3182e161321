"""Training is killed, the disk is full, a rank dies: nothing is lost, nothing hangs.

Everything runs in processes that a clean server forks, so that a kill costs no import of torch.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.deep.figures import Figure, Report, timed

ROOT = Path(__file__).parents[2]
SEED = 2008
PRELOADED = ["tests.deep.faulty"]


def start(work: Callable[..., None], *arguments: object) -> multiprocessing.Process:
    """Start a function of ``faulty`` in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def finish(process: multiprocessing.Process, seconds: float = 120.0) -> int | None:
    """Return the exit code of a process; None if it does not end in time, and is killed."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


class Killed:
    """A job that is killed at random moments and started again until it is done, many times over.

    ==============  ===================================================================
    argument        meaning
    ==============  ===================================================================
    ``work``        the job, a function of a folder; started again, it goes on there
    ``progress``    how much of the job a folder holds, from 0 to 1
    ``result``      what must not depend on kills
    ==============  ===================================================================
    """

    def __init__(
        self,
        work: Callable[[Path], None],
        progress: Callable[[Path], float],
        result: Callable[[Path], object],
    ) -> None:
        self.work, self.progress, self.result = work, progress, result
        self.kills: list[float] = []
        self.unfinished = 0
        self.jobs = 0
        self.wrong: list[str] = []

    def undisturbed(self, folder: Path) -> tuple[object, float]:
        """Return the result of a run that nobody kills, and how long it takes."""
        folder.mkdir()
        with timed() as seconds:
            code = finish(start(self.work, folder))
        if code != 0:
            msg = f"the undisturbed run ended with {code}"
            raise RuntimeError(msg)
        return self.result(folder), seconds()

    def run(self, kills: int, report: Callable[[int], None]) -> None:
        """Kill so many times; each job is finished in the end, and compared."""
        rng = random.Random(SEED)
        with tempfile.TemporaryDirectory() as name:
            home = Path(name)
            expected, seconds = self.undisturbed(home / "undisturbed")
            while len(self.kills) < kills:
                folder = home / str(self.jobs)
                folder.mkdir()
                # Up to four kills a job, none of them a sure miss: half the time it would take.
                for _ in range(rng.randint(1, 4)):
                    if len(self.kills) == kills:
                        break
                    process = start(self.work, folder)
                    time.sleep(rng.uniform(0, 0.7) * seconds)
                    if process.is_alive():
                        process.kill()
                        self.kills.append(self.progress(folder))
                        self.unfinished += bool(list(folder.rglob("*.part")))
                    process.join()
                    report(len(self.kills))
                code = finish(start(self.work, folder))
                self.jobs += 1
                if code != 0 or self.result(folder) != expected:
                    self.wrong.append(f"job {self.jobs}, seed {SEED}: exit code {code}")
                shutil.rmtree(folder)

    def figure(self, promise: str, seconds: float) -> Figure:
        """Return the figure."""
        low, high = min(self.kills), max(self.kills)
        inside = sum(0 < x < 1 for x in self.kills)
        found = (
            f"{len(self.kills)} kills in {self.jobs} jobs, {inside} of them in the middle "
            f"(at {low:.0%} to {high:.0%})"
        )
        if self.unfinished:
            found += f", {self.unfinished} while a checkpoint was being written"
        found += f"; {self.wrong[0]}" if self.wrong else "; nothing lost, nothing different"
        return Figure("faults", promise, found, not self.wrong, seconds)
