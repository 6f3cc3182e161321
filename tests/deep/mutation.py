"""Mutation testing: faults are planted in the sources, and the tests must notice them.

Two strata. *Arithmetic* is what computes: all of its mutants are tried, given the time. *The rest*
is everything else but what draws, prints, trains and measures (``experiments``, ``bench``,
``cli``): a seeded sample, without the literals by which a check chooses its cases. Mutants are
tried in a seeded random order, so whatever has been tried when a run is cut is a fair sample of its
stratum, and the score's Wilson interval means what it says. The score counts every survivor against
the tests; beside it stands the score without those that :data:`SURVIVORS` explains as equivalent.

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
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.deep.arena import Arena, Coverage, Setting, Verdict, cover
from tests.deep.figures import Figure, Measured, machine, save, score, table, timed
from tests.deep.mutants import Mutant, mutants

__all__ = ["STRATA", "Hunt", "Record", "run", "summary"]

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).parent / "survivors.md"
PACKAGES = ("cdg_theory", "cdg_torch")
SEED = 9

KERNELS = ("cdg_torch/kernels/cpu.py", "cdg_torch/kernels/double.py", "cdg_torch/kernels/drive.py")
STRATA = {
    "arithmetic": (
        "cdg_theory/discrete/*.py",
        "cdg_theory/rounding*.py",
        "cdg_theory/certificates/oracle.py",
        *KERNELS[:2],
        "cdg_torch/kernels/gpu.py",
        "cdg_torch/kernels/tables.py",
        "cdg_torch/reference.py",
        "cdg_torch/transform.py",
        "cdg_torch/geometry.py",
        "cdg_torch/sharded.py",
    ),
    "rest": ("cdg_theory/*.py", "cdg_torch/*.py"),
}
# Checks choose the cases they look at: another choice is no fault.
CHECKS = (
    "cdg_theory/certificates/draws.py",
    "cdg_theory/certificates/search.py",
    "cdg_theory/proofs/*",
    "cdg_torch/verification/*",
)
LEFT_OUT = ("cdg_torch/experiments/*", "cdg_torch/bench/*", "cdg_torch/cli/*")
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
FROM_FILE = {
    "cdg_torch/kernels/gpu.py": "tests/test_kernels_gpu_interpreted.py",
    "cdg_torch/kernels/lanes.py": "tests/test_kernels_cpu_lockstep.py",
    "cdg_torch/kernels/compiled.py": "tests/test_kernels_cpu_lockstep.py",
}
# Compiling the kernels, where an imported mutant makes Numba do so.
COMPILING = 90.0
GOALS = {"arithmetic": 0.95, "rest": 0.90}
# The first word of a survivor's reason, and what it says of several of them.
KINDS = {
    "equivalent": "equivalent",
    "check": "that make a check look elsewhere, or less closely",
    "search": "that make a search or a cache do more or less than it needs",
    "elsewhere": "that only other machines or compiled code can tell",
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
                checks = any(fnmatch(path, pattern) for pattern in CHECKS)
                all_ = mutants(file.read_text(encoding="utf-8"), path)
                found[stratum] += [m for m in all_ if not (checks and m.is_case)]
    for stratum, several in found.items():
        # By name, so that a change of one file leaves the order of the others' mutants alone.
        several.sort(key=lambda m, s=stratum: _digest(f"{SEED} {s} {m.path} {m.name}"))
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
    """The arenas and the records of one run."""

    def __init__(
        self, folder: Path, report: Callable[[str, int, int], None], root: Path = ROOT
    ) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # Read when Triton is imported, which happens before the tests' own settings are read.
        os.environ.setdefault("TRITON_INTERPRET", "1")
        self.root = root
        self.folder, self.report = folder, report
        self.settings = _settings(root)
        self.arenas: dict[str, Arena] = {}

    def _arena(self, path: str) -> Arena:
        name = "kernels" if path in KERNELS else "plain"
        if name not in self.arenas:
            setting = self.settings[name]
            coverage = _mapped(name, setting, self.folder, self.report)
            self.arenas[name] = Arena(setting, coverage, from_file=FROM_FILE)
        return self.arenas[name]

    def meet(self, mutant: Mutant, stratum: str, cap: float) -> Record:
        """Let one mutant meet the tests."""
        source = (self.root / mutant.path).read_text(encoding="utf-8")
        verdict: Verdict = self._arena(mutant.path).meet(mutant, source, cap=cap)
        return Record(
            mutant.path,
            mutant.name,
            stratum,
            mutant.operator,
            mutant.lines[0],
            _digest(source),
            **asdict(verdict),
        )

    def close(self) -> None:
        """End all processes."""
        for arena in self.arenas.values():
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

    ``excused`` counts survivors by the kind of reason that the list gives; ``unexplained`` names
    those that it does not have.
    """

    stratum: str
    population: int
    tried: int
    killed: int
    timeouts: int
    unreached: int
    excused: dict[str, int]
    unexplained: tuple[str, ...]

    @property
    def judged(self) -> int:
        """Those that a test could and should have noticed."""
        return self.tried - sum(self.excused.values())

    def figure(self, seconds: float) -> Figure:
        """Return the figure: both scores, and the first survivors that nobody has explained."""
        excused = ", ".join(f"{n} {KINDS[kind]}" for kind, n in self.excused.items() if n) or "none"
        found = (
            f"killed {score(self.killed, self.tried)} tried, {self.population:,} there are; "
            f"{self.timeouts} by running out of time; {self.unreached} in lines that no test runs. "
            f"Excused: {excused}. Of the others killed {score(self.killed, self.judged)}"
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
    """Try a sample of each stratum, 400 mutants at full effort, and return the figures."""
    populations = population()
    figures = []
    with tempfile.TemporaryDirectory() as folder, closing(Hunt(Path(folder), report)) as hunt:
        for stratum, all_ in populations.items():
            with timed() as seconds:
                chosen = all_[: max(2, round(400 * effort))]
                records = []
                for done, mutant in enumerate(chosen):
                    records.append(hunt.meet(mutant, stratum, cap=8.0))
                    report(f"mutants of {stratum}", done + 1, len(chosen))
                (found,) = (s for s in summary(records, populations) if s.stratum == stratum)
                figures.append(found.figure(seconds()))
    return figures


def main(
    records: Annotated[Path, typer.Option(help="JSON lines; a run goes on where it ends")],
    stratum: Annotated[str, typer.Option(help="arithmetic, rest or all")] = "all",
    minutes: Annotated[float, typer.Option(help="stop after so long")] = 1e9,
    sample: Annotated[int, typer.Option(help="try so many of the rest at most")] = 10**9,
    cap: Annotated[float, typer.Option(help="seconds of tests per mutant")] = 8.0,
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
        for mutant in all_[: sample if name == "rest" else None]:
            record = known.get((mutant.path, mutant.name))
            wanted = record is None if not again else record is not None and not record.killed
            if wanted and fnmatch(mutant.path, only):
                todo.append((mutant, name))
    # Both strata at once, in proportion: a run that is cut has tried some of each.
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
            for done, (_, mutant, name) in enumerate(order):
                if time.monotonic() > end:
                    break
                record = hunt.meet(mutant, name, cap)
                file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
                file.flush()
                if not record.killed:
                    typer.echo(f"{record.status} {record.path}:{record.line} {record.name}")
                _say("mutants", done + 1, len(order))
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
