"""Mutation testing: faults are planted in the sources, and the tests must notice them.

Three strata, of all but what draws, prints, trains and measures (``experiments``, ``bench``,
``cli``). *Arithmetic* is what computes: all of its mutants are tried, given the time. *Checks* are
themselves tests of the others, at cases that they choose: a mutant that has one look elsewhere
lives by right, so their score is lower and says less (literals are left alone there). *Library* is
the rest. Mutants are tried in a seeded random order, so whatever has been tried when a run is cut
is a fair sample of its stratum, and the score's Wilson interval means what it says. The score
counts every survivor against the tests; the second one leaves out what :data:`SURVIVORS` explains
as equivalent, and among checks what only moves or loosens them.

Why not mutmut or cosmic-ray: both start pytest anew for every mutant, and importing torch, SymPy
and the tests costs seconds, thousands of times over. Here one process has imported everything and
forks (:mod:`arena`), and a mutant meets only the tests that execute its line. The NumPy and
PyTorch code is mutated in place; the CPU kernels, which Numba would take seconds to compile anew,
run as the Python that they are (:mod:`interpreted`); the GPU kernels run in Triton's interpreter.

    python -m tests.deep.mutation --records FILE              # resumable; --minutes to cut it
    python -m tests.deep.mutation --records FILE --again      # meet the survivors again
    python -m tests.deep.mutation --records FILE --summary    # scores, survivors, no run
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Annotated

import typer
from rich.console import Console

from tests.deep.arena import Arena, Coverage, Setting, Verdict, cover
from tests.deep.figures import Figure, Measured, machine, save, score, table, timed
from tests.deep.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).parent / "survivors.md"
PACKAGES = ("cdg_theory", "cdg_torch")
# Any text; with this one, the samples begin as they did before checks were told from the library.
SEED = "9 rest"
# So many mutants meet the tests at a time; each has a processor core and a gigabyte.
ABREAST = 2

KERNELS = (
    "cdg_torch/solve/cpu/single.py",
    "cdg_torch/solve/cpu/double.py",
    "cdg_torch/solve/cpu/tiles.py",
)
STRATA = {
    "arithmetic": (
        "cdg_theory/discrete/*.py",
        "cdg_theory/rounding/bounds*.py",
        "cdg_theory/certificates/oracle.py",
        *KERNELS[:2],
        "cdg_torch/solve/gpu/programs.py",
        "cdg_torch/solve/coefficients.py",
        "cdg_torch/solve/reference.py",
        "cdg_torch/gradient.py",
        "cdg_torch/geometry.py",
        "cdg_torch/sharded.py",
    ),
    "checks": (
        "cdg_theory/certificates/draws.py",
        "cdg_theory/certificates/search.py",
        "cdg_theory/proofs/*.py",
        "cdg_torch/lab/verify/*.py",
    ),
    "library": ("cdg_theory/*.py", "cdg_torch/*.py"),
}
LEFT_OUT = ("cdg_torch/lab/train/*", "cdg_torch/lab/bench/*", "cdg_torch/lab/cli/*")
# Tests that do not meet mutants: they start other programs, or train, which takes too long.
UNUSED = {
    "test_attach_compile.py": "compiles C++",
    "test_attach_recipes.py": "imports whole training frameworks",
    "test_demo_outputs.py": "trains",
    "test_imports_light.py": "starts other programs",
    "test_sharded_torchrun.py": "starts other programs",
    "test_experiments_*.py": "trains",
    "test_deep_*.py": "is about this folder",
}
PRELOADED = (
    "numpy", "scipy.sparse.linalg", "scipy.linalg", "scipy.fft", "scipy.stats", "scipy.integrate",
    "sympy", "flint", "hypothesis", "hypothesis.extra.numpy", "pytest", "torch", "torch.func",
    "torch.distributed", "torch.distributed.tensor", "torch.distributed.tensor.debug",
    "torch.distributed.fsdp", "torch.utils.data", "rich.progress", "rich.table", "typer",
    "typer.testing", "numba", "llvmlite.binding", "triton", "triton.language",
)  # fmt: skip
COPIED = ("cdg_theory", "cdg_torch", "tests", "docs", "pyproject.toml")
# Triton reads its kernels from their file; Numba keeps what it made of lanes on disk, unless a file
# changes.
KERNEL_TESTS = ("tests/test_kernels_cpu_", "tests/gradient/test_ends_of_float64.py::")
FROM_FILE = {
    "cdg_torch/solve/gpu/programs.py": "tests/kernels/test_gpu_interpreted.py::",
    "cdg_torch/solve/cpu/vectors.py": KERNEL_TESTS,
    "cdg_torch/solve/cpu/compiled.py": KERNEL_TESTS,
}
# A mutant meets so many seconds of the tests that run it.
CAP = 16.0
# Compiling the kernels, where an imported mutant makes Numba do so.
COMPILING = 90.0
GOALS = {"arithmetic": 0.95, "checks": 0.90, "library": 0.90}
# So many mutants of each are tried in the hour of all parts together.
SAMPLES = {"arithmetic": 400, "checks": 200, "library": 400}
# The first word of a survivor's reason, and what it says of several of them.
KINDS = {
    "equivalent": "equivalent",
    "check": "that make a check look elsewhere, or less closely",
    "search": "that make a search or a cache do more or less than it needs",
    "elsewhere": "that only other machines or compiled code can tell",
}
# The kinds that the second score leaves out.
EXCUSED = {
    "arithmetic": ("equivalent",),
    "checks": ("equivalent", "check", "search"),
    "library": ("equivalent",),
}


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one mutant, and the digest of the file that it was made of."""

    path: str
    name: str
    stratum: str
    operator: str
    line: int
    digest: str
    status: str
    by: str
    ran: int
    chosen: int
    way: str
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether the tests noticed; to be out of time counts."""
        return self.status in {"killed", "timeout"}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stratum_of(path: str) -> str:
    """Return the stratum of a source file, empty if it has none."""
    if any(fnmatch(path, pattern) for pattern in LEFT_OUT):
        return ""
    return next(
        (s for s, patterns in STRATA.items() if any(fnmatch(path, p) for p in patterns)), ""
    )


def population(root: Path = ROOT) -> dict[str, list[Mutant]]:
    """Return all mutants of each stratum, in the seeded order in which they are tried."""
    found: dict[str, list[Mutant]] = {stratum: [] for stratum in STRATA}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            path = str(file.relative_to(root))
            if stratum := stratum_of(path):
                all_ = mutants(file.read_text(encoding="utf-8"), path)
                # A check at another case is no fault.
                found[stratum] += [m for m in all_ if stratum != "checks" or not m.is_case]
    for several in found.values():
        # By name, so that a change of one file leaves the order of the others' mutants alone.
        several.sort(key=lambda m: _digest(f"{SEED} {m.path} {m.name}"))
    return found


def _settings(root: Path) -> dict[str, Setting]:
    tests = [f"tests/{file.name}" for file in sorted((root / "tests").glob("test_*.py"))]
    used = [t for t in tests if not any(fnmatch(t, f"tests/{pattern}") for pattern in UNUSED)]
    kernels = [t for t in used if t.startswith("tests/test_kernels_cpu_")]
    modules = [
        str(file.relative_to(root))
        for package in PACKAGES
        for file in sorted((root / package).rglob("*.py"))
        if stratum_of(str(file.relative_to(root))) and ">>>" in file.read_text(encoding="utf-8")
    ]
    return {
        "plain": Setting(root, (*used, *modules), PACKAGES, COPIED, PRELOADED, start=COMPILING),
        "kernels": Setting(
            root, tuple(kernels), PACKAGES, COPIED, PRELOADED, ("tests.deep.interpreted:interpret",)
        ),
    }


def _mapped(
    name: str, setting: Setting, folder: Path, report: Callable[[str, int, int], None]
) -> Coverage:
    """Return what each test executes, from ``folder`` where its files have not changed since."""
    cache = folder / f"coverage-{name}.json"
    files = {
        test: _digest((setting.root / test).read_text(encoding="utf-8")) for test in setting.tests
    }
    sources = _digest(
        "".join(
            file.read_text(encoding="utf-8")
            for package in setting.packages
            for file in sorted((setting.root / package).rglob("*.py"))
        )
    )
    known: dict[str, str] = {}
    old = None
    note = folder / f"coverage-{name}-files.json"
    if cache.exists() and note.exists():
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["sources"] == sources:
            known, old = noted["files"], Coverage.load(cache)
    new = tuple(test for test, digest in files.items() if known.get(test) != digest)
    if new or old is None:
        found, bad = cover(replace(setting, tests=new), report)
        if bad:
            typer.echo(f"{name}: not used, as they fail or are skipped: {', '.join(bad)}", err=True)
        old = found if old is None else old.joined(found, [*new, *(set(known) - set(files))])
        old.save(cache)
        note.write_text(json.dumps({"sources": sources, "files": files}), encoding="utf-8")
    return old


class Hunt:
    """The arenas of one run: ``abreast`` sets of them, for as many mutants at a time."""

    def __init__(
        self,
        folder: Path,
        report: Callable[[str, int, int], None],
        root: Path = ROOT,
        abreast: int = ABREAST,
    ) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # Read when Triton is imported, which happens before the tests' own settings are read.
        os.environ.setdefault("TRITON_INTERPRET", "1")
        self.root = root
        self.folder, self.report = folder, report
        self.settings = _settings(root)
        self.coverage: dict[str, Coverage] = {}
        self.sets: list[dict[str, Arena]] = [{} for _ in range(abreast)]
        self._free: SimpleQueue[dict[str, Arena]] = SimpleQueue()
        for arenas in self.sets:
            self._free.put(arenas)
        self._starting = Lock()

    def _arena(self, path: str, arenas: dict[str, Arena]) -> Arena:
        name = "kernels" if path in KERNELS else "plain"
        if name not in arenas:
            setting = self.settings[name]
            with self._starting:
                if name not in self.coverage:
                    self.coverage[name] = _mapped(name, setting, self.folder, self.report)
            arenas[name] = Arena(setting, self.coverage[name], from_file=FROM_FILE)
        return arenas[name]

    def _meet(self, mutant: Mutant, stratum: str, cap: float) -> Record:
        source = (self.root / mutant.path).read_text(encoding="utf-8")
        arenas = self._free.get()
        try:
            verdict: Verdict = self._arena(mutant.path, arenas).meet(mutant, source, cap=cap)
        finally:
            self._free.put(arenas)
        return Record(
            mutant.path,
            mutant.name,
            stratum,
            mutant.operator,
            mutant.lines[0],
            _digest(source),
            **asdict(verdict),
        )

    def meet(self, several: Iterable[tuple[Mutant, str]], cap: float) -> Iterator[Record]:
        """Let mutants, each with its stratum, meet the tests; yield their records in this order."""
        # The threads only wait for the arenas, which are processes of their own. Those fork from
        # them, and an executor's thread is joined when its process ends: by itself, in a fork.
        with ThreadPool(len(self.sets)) as pool:
            yield from pool.imap(lambda item: self._meet(*item, cap), several)

    def close(self) -> None:
        """End all processes."""
        for arenas in self.sets:
            for arena in arenas.values():
                arena.close()


def explained(file: Path = SURVIVORS) -> dict[tuple[str, str], str]:
    """Return the reasons of the list of survivors, by file and mutant."""
    reasons, path = {}, ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            path = line[3:].strip().strip("`")
        elif found := re.fullmatch(r"- `(.+?)` — (.+)", line.strip()):
            reasons[path, found[1]] = found[2]
    return reasons


def load(file: Path) -> dict[tuple[str, str], Record]:
    """Return the last record of each mutant."""
    if not file.exists():
        return {}
    records = (Record(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines())
    return {(record.path, record.name): record for record in records}


@dataclass(frozen=True, slots=True)
class Score:
    """The counts of one stratum.

    ``kinds`` counts survivors by the kind of reason that the list gives; ``unexplained`` names
    those that it does not have.
    """

    stratum: str
    population: int
    tried: int
    killed: int
    timeouts: int
    unreached: int
    kinds: dict[str, int]
    unexplained: tuple[str, ...]

    @property
    def judged(self) -> int:
        """Those that a test could and should have noticed."""
        return self.tried - sum(self.kinds[kind] for kind in EXCUSED[self.stratum])

    def figure(self, seconds: float) -> Figure:
        """Return the figure: both scores, and the first survivors that nobody has explained."""
        kinds = [f"{n} {KINDS[kind]}" for kind, n in self.kinds.items() if n]
        lived = ", ".join([*kinds, f"{len(self.unexplained)} not explained"])
        excused = " or ".join(KINDS[kind] for kind in EXCUSED[self.stratum])
        found = (
            f"killed {score(self.killed, self.tried)} tried, {self.population:,} there are; "
            f"{self.timeouts} by running out of time; {self.unreached} in lines that no test runs. "
            f"Lived: {lived}. Without those {excused}, killed {score(self.killed, self.judged)}"
        )
        if self.unexplained:
            found += f". Not explained: {'; '.join(self.unexplained[:5])}"
        goal = GOALS[self.stratum]
        promise = f"the tests notice at least {goal:.0%} of the faults planted in {self.stratum}"
        return Figure("mutation", promise, found, self.killed >= goal * self.judged, seconds)


def summary(records: Collection[Record], populations: dict[str, list[Mutant]]) -> list[Score]:
    """Return the counts by stratum, of mutants that the sources still have."""
    reasons = explained()
    there = {(m.path, m.name): s for s, all_ in populations.items() for m in all_}
    scores = []
    for stratum, all_ in populations.items():
        own = [r for r in records if there.get((r.path, r.name)) == stratum]
        alive = [(r.path, r.name) for r in own if not r.killed]
        kinds = Counter(reasons[key].split(":")[0] for key in alive if key in reasons)
        scores.append(
            Score(
                stratum,
                len(all_),
                len(own),
                len(own) - len(alive),
                sum(record.status == "timeout" for record in own),
                sum(record.status == "unreached" for record in own),
                {kind: kinds[kind] for kind in KINDS},
                tuple(f"{path} {name}" for path, name in alive if (path, name) not in reasons),
            )
        )
    return scores


def run(*, effort: float, report: Callable[[str, int, int], None]) -> list[Figure]:
    """Try a sample of each stratum, :data:`SAMPLES` at full effort, and return the figures."""
    populations = population()
    figures = []
    with tempfile.TemporaryDirectory() as folder, closing(Hunt(Path(folder), report)) as hunt:
        for stratum, all_ in populations.items():
            with timed() as seconds:
                chosen = all_[: max(2, round(SAMPLES[stratum] * effort))]
                records = []
                for record in hunt.meet(((mutant, stratum) for mutant in chosen), cap=CAP):
                    records.append(record)
                    report(f"mutants of {stratum}", len(records), len(chosen))
                (found,) = (s for s in summary(records, populations) if s.stratum == stratum)
                figures.append(found.figure(seconds()))
    return figures


def main(
    records: Annotated[Path, typer.Option(help="JSON lines; a run goes on where it ends")],
    stratum: Annotated[str, typer.Option(help=f"{', '.join(STRATA)} or all")] = "all",
    minutes: Annotated[float, typer.Option(help="stop after so long")] = 1e9,
    sample: Annotated[int, typer.Option(help="try so many of each at most")] = 10**9,
    cap: Annotated[float, typer.Option(help="seconds of tests per mutant")] = CAP,
    only: Annotated[str, typer.Option(help="only files like this pattern")] = "*",
    again: Annotated[bool, typer.Option(help="only mutants that survived")] = False,
    summarize: Annotated[bool, typer.Option("--summary", help="print scores, try nothing")] = False,
    figures: Annotated[Path | None, typer.Option(help="with --summary: write the figures")] = None,
) -> None:
    """Try mutants in their seeded order, and keep what became of each."""
    populations = population()
    known = load(records)
    if summarize:
        _show(known.values(), populations, figures)
        return
    todo = []
    for name, all_ in populations.items():
        if stratum not in {name, "all"}:
            continue
        for mutant in all_[:sample]:
            record = known.get((mutant.path, mutant.name))
            wanted = record is None if not again else record is not None and not record.killed
            if wanted and fnmatch(mutant.path, only):
                todo.append((mutant, name))
    # All strata at once, in proportion: a run that is cut has tried some of each.
    places = Counter()
    sizes = Counter(name for _, name in todo)
    order = []
    for mutant, name in todo:
        places[name] += 1
        order.append((places[name] / sizes[name], mutant, name))
    order.sort(key=lambda item: item[0])

    records.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    hunt = Hunt(records.parent, _say)
    try:
        with records.open("a", encoding="utf-8") as file:
            for done, record in enumerate(hunt.meet(((m, name) for _, m, name in order), cap)):
                file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
                file.flush()
                if not record.killed:
                    typer.echo(f"{record.status} {record.path}:{record.line} {record.name}")
                _say("mutants", done + 1, len(order))
                if time.monotonic() > end:
                    break
    finally:
        hunt.close()


def _say(what: str, done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        typer.echo(f"{what}: {done} of {total}", err=True)


def _show(
    records: Collection[Record], populations: dict[str, list[Mutant]], file: Path | None
) -> None:
    spent: Counter[str] = Counter()
    for record in records:
        spent[record.stratum] += record.seconds
    scores = summary(records, populations)
    figures = tuple(found.figure(spent[found.stratum]) for found in scores)
    Console().print(table(figures))
    if file is not None:
        save(file, {"mutation": Measured(figures, effort=1.0, machine=machine())})
    for found in scores:
        for survivor in found.unexplained:
            typer.echo(f"not explained: {survivor}")
    files = Counter((record.path, record.killed) for record in records)
    for path in sorted({record.path for record in records}):
        typer.echo(f"{path}: {files[path, True]} killed, {files[path, False]} not")


if __name__ == "__main__":
    typer.run(main)
