"""Training is killed, the disk is full, a rank dies: nothing is lost, nothing hangs.

Everything runs in processes that a clean server forks, so that a kill costs no import of torch.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cdg_torch.lab.train import store
from tests.deep import faulty
from tests.deep.figures import LITTLE, Figure, Report, timed

ROOT = Path(__file__).parents[2]
SEED = 2008
# With what the jobs would else import one by one.
PRELOADED = ["tests.deep.faulty", "cdg_torch.solve.cpu.run_cpu", "torch._dynamo"]
HARNESS = [
    "cdg_torch.lab.train.training",
    "scipy.stats",
    "sklearn.datasets",
    "torchmetrics.classification",
]


def start(work: Callable[..., None], *arguments: object) -> multiprocessing.Process:
    """Start a function of ``faulty`` in a process of its own."""
    context = multiprocessing.get_context("forkserver")
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


@dataclass(frozen=True, slots=True)
class Job:
    """Something that can be killed and started again.

    ==============  ===================================================================
    field           meaning
    ==============  ===================================================================
    ``promise``     what must hold
    ``work``        the job, a function of a folder; started again, it goes on there
    ``progress``    how much of the job a folder holds, from 0 to 1
    ``result``      what must not depend on kills
    ==============  ===================================================================
    """

    promise: str
    work: Callable[[Path], None]
    progress: Callable[[Path], float]
    result: Callable[[Path], object]


@dataclass(slots=True)
class Kills:
    """What became of a job that was killed many times."""

    moments: list[float] = field(default_factory=list)
    jobs: int = 0
    while_writing: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def found(self) -> str:
        """What happened, in words."""
        inside = sum(0 < moment < 1 for moment in self.moments)
        text = f"{len(self.moments)} kills in {self.jobs} jobs, {inside} with a part of it on disk"
        if self.moments:
            text += f" ({min(self.moments):.0%} to {max(self.moments):.0%} of it)"
        if self.while_writing:
            text += f", {self.while_writing} in the middle of a write"
        return f"{text}; {self.wrong[0] if self.wrong else 'nothing lost, nothing different'}"


def kill_and_resume(job: Job, kills: int, report: Callable[[int], None]) -> Kills:
    """Kill a job so many times; each is finished in the end, and compared to an undisturbed one.

    Raises
    ------
    RuntimeError
        If the undisturbed one fails.
    """
    rng, outcome = random.Random(SEED), Kills()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        undisturbed = home / "undisturbed"
        undisturbed.mkdir()
        with timed() as seconds:
            code = finish(start(job.work, undisturbed))
            whole = seconds()
        if code != 0:
            msg = f"the undisturbed job ended with {code}"
            raise RuntimeError(msg)
        expected = job.result(undisturbed)
        while len(outcome.moments) < kills:
            folder = home / str(outcome.jobs)
            folder.mkdir()
            for _ in range(min(rng.randint(1, 4), kills - len(outcome.moments))):
                process = start(job.work, folder)
                # A share of the job to come, then a moment: at rest and at work, reading, writing.
                # One job in five is killed while it starts.
                least = rng.uniform(job.progress(folder) - 0.25, 1)
                while process.is_alive() and job.progress(folder) < least:
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, 0.1) * whole)
                process.kill()
                if finish(process) == -signal.SIGKILL:
                    outcome.moments.append(job.progress(folder))
                    outcome.while_writing += any(folder.glob("*.part"))
                    report(len(outcome.moments))
                else:  # it was done already
                    break
            code = finish(start(job.work, folder))
            outcome.jobs += 1
            if code != 0 or job.result(folder) != expected:
                outcome.wrong.append(f"job {outcome.jobs} (seed {SEED}) differs, exit code {code}")
            shutil.rmtree(folder)
    return outcome


JOBS = (
    Job(
        "`cdg train`, killed at random moments and started again, leaves the records of an "
        "undisturbed run, in the same order, each once",
        faulty.harness,
        faulty.harness_progress,
        faulty.harness_result,
    ),
    Job(
        "a training loop with a checkpoint per step (model, optimizer, handle, schedule), killed "
        "at random moments and resumed, ends with the weights of an undisturbed one, bit for bit",
        faulty.loop,
        faulty.loop_progress,
        faulty.loop_result,
    ),
)
# Loops that resume wrongly. That they are told from the right one is what makes it a check.
FORGETFUL = (
    Job("the momentum", faulty.forgetful_loop, faulty.loop_progress, faulty.loop_result),
    Job("the schedule", faulty.fixed_loop, faulty.loop_progress, faulty.loop_result),
)


def killed(effort: float, report: Report) -> list[Figure]:
    """Kill both kinds of training, then the ones that forget something."""
    figures = []
    each = max(1, round(25 * effort))
    for job in JOBS:
        if effort < 0.1 and job.work is faulty.harness:
            figures.append(Figure("faults", job.promise, LITTLE, None, 0.0))
            continue
        with timed() as seconds:
            outcome = kill_and_resume(job, each, lambda done: report("kills", done, each))
        figures.append(Figure("faults", job.promise, outcome.found, not outcome.wrong, seconds()))
    if effort >= 0.1:
        with timed() as seconds:
            unseen = [job.promise for job in FORGETFUL if not kill_and_resume(job, 2, _mute).wrong]
        found = f"not noticed: {', '.join(unseen)}" if unseen else "both noticed"
        promise = "a loop that forgets the momentum, or the schedule, at a resume is noticed"
        figures.append(Figure("faults", promise, found, not unseen, seconds()))
    return figures


def _mute(done: int) -> None:
    del done


# ---- a disk that takes no more


def short_of_room(effort: float, report: Report) -> Figure:
    """Let a file grow so far and no further, at drawn numbers of bytes, while records are added."""
    rng, cases = random.Random(SEED), max(5, round(100 * effort))
    whole = [
        {"key": str(i), "results": {"curve": [rng.random() for _ in range(i % 7)], "name": "µ" * i}}
        for i in range(20)
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wrong, cut = [], 0
    with timed() as seconds, tempfile.TemporaryDirectory() as name:
        complete = Path(name, "complete.jsonl")
        for record in whole:
            store.append(complete, record)
        expected = complete.read_bytes()
        for case in range(cases):
            report("file size limits", case, cases)
            path, limit = Path(name, f"{case}.jsonl"), rng.randrange(len(expected))
            written, said = 0, ""
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                for record in whole:
                    store.append(path, record)
                    written += 1
            except OSError as error:
                said = str(error)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            held = path.read_bytes() if path.exists() else b""
            cut += held != expected[:limit]
            lines = b"".join(expected.splitlines(keepends=True)[:written])
            clear = str(path) in said and "File too large" in said and "Make room" in said
            for record in whole[written:]:
                store.append(path, record)
            if held != lines or not clear or path.read_bytes() != expected:
                wrong.append(f"limit {limit}: {said or 'no error'}")
            path.unlink()
    found = f"{cases} limits on the size of the file, {cut} inside a record; " + (
        wrong[0] if wrong else "a clear error each time, the records before it intact"
    )
    promise = "a record that the disk does not take whole leaves the file as it was"
    return Figure("faults", promise, found, not wrong, seconds())


def full_disk(effort: float, report: Report) -> Figure:
    """Run the harness on a small file system of its own that fills up; then read-only; then not."""
    promise = (
        "`cdg train` on a full or read-only disk ends with an error that says so; the records "
        "before it are intact, and with more room it goes on to the same results"
    )
    if effort < 0.1:
        return Figure("faults", promise, LITTLE, None, 0.0)
    report("a full disk", 0, 1)
    with timed() as seconds, tempfile.TemporaryDirectory() as name:
        # A mount namespace of its own: what is mounted there is gone with the process.
        command = ["unshare", "--mount", sys.executable, "-m", "tests.deep.full_disk", name]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
            )
        except FileNotFoundError as error:
            return Figure("faults", promise, str(error), None, seconds())
    if "not permitted" in done.stderr or "must be superuser" in done.stderr:
        return Figure("faults", promise, done.stderr.strip()[-200:], None, seconds())
    if done.returncode != 0:
        return Figure("faults", promise, done.stderr.strip()[-400:], False, seconds())
    said = json.loads(done.stdout)
    return Figure("faults", promise, said["found"], said["holds"], seconds())


# ---- a rank that dies


def lost_rank(how: str, world: int, at: int, timeout: float) -> tuple[list[str], float]:
    """Let a rank of a sharded job die or hang; return what is wrong, and the longest wait."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        victim = world - 1
        ranks = [
            start(faulty.sharded, folder, rank, world, victim, at, how, timeout)
            for rank in range(world)
        ]
        wrong: list[str] = []
        waited = 0.0
        for rank, process in enumerate(ranks[:victim]):
            # Starting up is not waiting: importing nothing, it takes a few seconds at most.
            code = finish(process, timeout + 60)
            if code is None:
                wrong.append(f"rank {rank} of {world} hangs after rank {victim} {how}")
                continue
            path = folder / f"{rank}.json"
            outcome = json.loads(path.read_text()) if path.exists() else {}
            if code != 3 or "Error" not in outcome.get("error", ""):
                wrong.append(f"rank {rank} ended with {code}: {outcome}")
            elif not outcome["intact"]:
                wrong.append(f"rank {rank} of {world}: half a step was taken")
            waited = max(waited, outcome.get("seconds", 0.0))
        ranks[victim].kill()
        ranks[victim].join()
        return wrong, waited


def lost_ranks(effort: float, report: Report) -> list[Figure]:
    """Lose a rank at several steps of two and three ranks; then one that only hangs."""
    figures = []
    cases = [(world, at) for world in (2, 3) for at in range(3)][: max(1, round(6 * effort))]
    with timed() as seconds:
        wrong, longest = [], 0.0
        for done, (world, at) in enumerate(cases):
            report("ranks killed", done, len(cases))
            more, waited = lost_rank("dies", world, at, timeout=60.0)
            wrong, longest = wrong + more, max(longest, waited)
    found = f"{len(cases)} jobs of 2 and 3 ranks; " + (
        wrong[0] if wrong else f"every survivor ended within {longest:.1f} s, weights untouched"
    )
    promise = "when a rank of a sharded job is killed, the others end with an error"
    figures.append(Figure("faults", promise, found, not wrong, seconds()))
    promise = "when a rank hangs, the others end with an error at the process group's timeout"
    if effort < 0.1:
        return [*figures, Figure("faults", promise, LITTLE, None, 0.0)]
    timeout = 5.0
    with timed() as seconds:
        report("a rank that hangs", 0, 1)
        wrong, waited = lost_rank("hangs", 2, 1, timeout=timeout)
        # The clock of gloo starts with the operation; a loaded machine is a little late.
        if not wrong and waited > 3 * timeout:
            wrong.append(f"waited {waited:.1f} s")
    found = wrong[0] if wrong else f"timeout {timeout:.0f} s: ended after {waited:.1f} s"
    figures.append(Figure("faults", promise, found, not wrong, seconds()))
    return figures


def run(*, effort: float, report: Report) -> list[Figure]:
    """Kill, fill, and lose a rank."""
    multiprocessing.set_forkserver_preload(PRELOADED + HARNESS * (effort >= 0.1))
    return [
        *killed(effort, report),
        short_of_room(effort, report),
        full_disk(effort, report),
        *lost_ranks(effort, report),
    ]
