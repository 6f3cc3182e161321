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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path

from cdg_torch.lab.train import store
from tests.deep import faulty
from tests.deep.figures import LITTLE, Figure, Report, elsewhere, judged, timed

SEED = 2008
# With what the jobs would else import one by one.
PRELOADED = ["tests.deep.faulty", "cdg_torch.solve.cpu.run_cpu", "torch._dynamo"]
ENOUGH = "16m"
HARNESS = [
    "cdg_torch.lab.train.training", "scipy.stats", "sklearn.datasets",
    "torchmetrics.classification",
]  # fmt: skip


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
    """Something that can be killed, and started again: it goes on in its folder.

    ``progress`` is the share of it that a folder holds, ``result`` what must not depend on kills.
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
        return f"{text}, {self.while_writing} in the middle of a write"


def kill_and_resume(job: Job, kills: int, report: Callable[[int], None]) -> Kills:
    """Kill a job so many times; each is finished in the end, and compared to an undisturbed one."""
    rng, outcome = random.Random(SEED), Kills()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        undisturbed = home / "undisturbed"
        undisturbed.mkdir()
        with timed() as seconds:
            if (code := finish(start(job.work, undisturbed))) != 0:
                msg = f"the undisturbed job ended with {code}"
                raise RuntimeError(msg)
            whole = seconds()
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


HARNESS_JOB = Job(
    "`cdg train`, killed at random moments and started again, leaves the records of an undisturbed "
    "run, in the same order, each once",
    faulty.harness, faulty.harness_progress, faulty.harness_result,
)  # fmt: skip
LOOP = Job(
    "a training loop with a checkpoint per step (model, optimizer, handle, schedule), killed at "
    "random moments and resumed, ends with the weights of an undisturbed one, bit for bit",
    faulty.loop, faulty.loop_progress, faulty.loop_result,
)  # fmt: skip
# Loops that resume wrongly. That they are told from the right one is what makes it a check.
FORGETFUL = {
    part: replace(LOOP, work=partial(faulty.loop, without=part))
    for part in ("optimizer", "schedule")
}


def killed(effort: float, report: Report) -> Iterator[Figure]:
    """Kill both kinds of training, then the ones that forget something."""
    each = max(1, round(25 * effort))
    for job in (HARNESS_JOB, LOOP):
        if effort < 0.1 and job is HARNESS_JOB:
            yield Figure("faults", job.promise, LITTLE, None, 0.0)
            continue
        with timed() as seconds:
            outcome = kill_and_resume(job, each, lambda done: report("kills", done, each))
        yield judged("faults", job.promise, outcome.found, outcome.wrong, seconds())
    if effort >= 0.1:
        with timed() as seconds:
            wrong = [
                f"not noticed: without the {part}'s state"
                for part, job in FORGETFUL.items()
                if not kill_and_resume(job, 2, lambda _: None).wrong
            ]
        promise = "a loop that forgets the momentum, or the schedule, at a resume is noticed"
        yield judged("faults", promise, f"{len(FORGETFUL)} such loops", wrong, seconds())


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
            left, said = whole.copy(), ""
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                while left:
                    store.append(path, left[0])
                    del left[0]
            except OSError as error:
                said = str(error)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            held = path.read_bytes() if path.exists() else b""
            cut += held != expected[:limit]
            lines = expected.splitlines(keepends=True)[: len(whole) - len(left)]
            clear = all(word in said for word in (str(path), "File too large", "Make room"))
            for record in left:
                store.append(path, record)
            if held != b"".join(lines) or not clear or path.read_bytes() != expected:
                wrong.append(f"limit {limit}: {said or 'no error'}")
    return judged(
        "faults",
        "a record that the disk does not take whole leaves the file as it was",
        f"{cases} limits on the size of the file, {cut} inside a record",
        wrong,
        seconds(),
    )


def mount(folder: Path, options: str) -> None:
    """Mount the file system, or change its options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def said_by(folder: Path) -> str:
    """Run the harness in a process of its own; return what it ends with."""
    said = folder.with_suffix(".said")
    said.unlink(missing_ok=True)
    finish(start(faulty.harness_in_trouble, folder))
    return said.read_text() if said.exists() else "no word"


def fill(home: Path) -> None:
    """Fill the disk, forbid writing, make room; compare with an undisturbed run."""
    multiprocessing.set_forkserver_preload(PRELOADED + HARNESS)
    undisturbed, folder = home / "undisturbed", home / "small"
    undisturbed.mkdir()
    folder.mkdir()
    said_by(undisturbed)
    expected = faulty.harness_result(undisturbed)
    # Two pages: one for the spec, one for some of the records, whose last is cut by the page's end.
    mount(folder, "size=8k")
    (folder / "spec.toml").write_text(faulty.SPEC)
    wrong = []

    full = said_by(folder)
    held = faulty.harness_result(folder)
    if not ("No space left on device" in full and "faults.jsonl" in full and "Make room" in full):
        wrong.append(f"on a full disk: {full}")
    if not 0 < len(held) < len(expected) or held != expected[: len(held)]:
        wrong.append(f"{len(held)} of {len(expected)} records, or others, on a full disk")

    mount(folder, f"remount,ro,size={ENOUGH}")
    before = faulty.records(folder)
    frozen = said_by(folder)
    if not ("Read-only file system" in frozen and "faults.jsonl" in frozen):
        wrong.append(f"on a read-only disk: {frozen}")
    if faulty.records(folder) != before:
        wrong.append("records changed on a read-only disk")

    mount(folder, f"remount,rw,size={ENOUGH}")
    said_by(folder)
    if faulty.harness_result(folder) != expected:
        wrong.append("with more room, other results than undisturbed")
    found = (
        f"a file system of 8 KiB: full after {len(held)} of {len(expected)} records, then "
        f"read-only, then {ENOUGH}: {len(faulty.harness_result(folder))} records"
    )
    json.dump({"found": found, "wrong": wrong}, sys.stdout)


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
        try:
            # A mount namespace of its own: what is mounted there is gone with the process.
            said = elsewhere("faults", name, under=("unshare", "--mount"))
        except FileNotFoundError as error:
            return Figure("faults", promise, str(error), None, seconds())
        except RuntimeError as error:
            here = any(word in str(error) for word in ("not permitted", "must be superuser"))
            return Figure("faults", promise, str(error)[-400:], None if here else False, seconds())
    return judged("faults", promise, said["found"], said["wrong"], seconds())


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


def lost_ranks(effort: float, report: Report) -> Iterator[Figure]:
    """Lose a rank at several steps of two and three ranks; then one that only hangs."""
    cases = list(product((2, 3), range(3)))[: max(1, round(6 * effort))]
    wrong, longest = [], 0.0
    with timed() as seconds:
        for done, (world, at) in enumerate(cases):
            report("ranks killed", done, len(cases))
            more, waited = lost_rank("dies", world, at, timeout=60.0)
            wrong, longest = wrong + more, max(longest, waited)
    found = f"{len(cases)} jobs of 2 and 3 ranks; the last survivor ended after {longest:.1f} s"
    promise = "when a rank of a sharded job is killed, the others end with an error"
    yield judged("faults", promise, found, wrong, seconds())
    promise = "when a rank hangs, the others end with an error at the process group's timeout"
    if effort < 0.1:
        yield Figure("faults", promise, LITTLE, None, 0.0)
        return
    timeout = 5.0
    with timed() as seconds:
        report("a rank that hangs", 0, 1)
        wrong, waited = lost_rank("hangs", 2, 1, timeout=timeout)
        # The clock of gloo starts with the operation; a loaded machine is a little late.
        if waited > 3 * timeout:
            wrong.append("too late")
    found = f"timeout {timeout:.0f} s: ended after {waited:.1f} s"
    yield judged("faults", promise, found, wrong, seconds())


def run(*, effort: float, report: Report) -> list[Figure]:
    """Kill, fill, and lose a rank."""
    multiprocessing.set_forkserver_preload(PRELOADED + HARNESS * (effort >= 0.1))
    return [
        *killed(effort, report),
        short_of_room(effort, report),
        full_disk(effort, report),
        *lost_ranks(effort, report),
    ]


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
