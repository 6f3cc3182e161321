"""Mutation testing: faults are planted in the sources, and the tests must notice them.

mutmut plants them and decides which tests meet them: it keeps every mutant of a function beside
the original, notes once which test runs which function, and forks for each mutant. It works on a
copy of the repository (:func:`stage`) with two changes. Functions in caches, properties and
context managers, which mutmut passes over for their decorator, get it after their definition
instead. And :data:`CONTROL` is planted: one function whose test notices mutants, and one whose
test does not; a run in which mutmut confuses them is no measurement.

mutmut cannot reach *kernels*: Numba and Triton compile the file's own text, and would compile a
dispatcher between mutants. There, mutmut's own mutations are written into the file, one at a time,
and a new process compiles it and runs the kernels' tests (:func:`mutants_of`, :func:`meet`).

Mutants are drawn at random with a seed, so the score's interval means what it says. It counts
every survivor against the tests, whether or not a test could tell it from the original.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue

from tests.deep import formal, slips
from tests.deep.figures import Figure, Report, score, timed
from tests.deep.mutant_plugin import UNUSABLE

ROOT = Path(__file__).parents[2]
SEED = "9"
ABREAST = 2
COPIED = ("cdg_theory", "cdg_torch", "tests", "docs", "*.toml", "*.md", "*.cff", "*.py", "Makefile")

STRATA = {
    "the arithmetic": (
        "cdg_theory/discrete/*", "cdg_theory/rounding/*", "cdg_torch/solve/*",
        "cdg_torch/gradient.py", "cdg_torch/geometry.py", "cdg_torch/sharded.py",
    ),
    "the rest of the library": ("cdg_theory/*", "cdg_torch/*"),
}  # fmt: skip
# The files that a compiler reads, with what launches them, and the tests that run them.
KERNELS = {
    "the CPU kernels": ("cdg_torch/solve/cpu/*.py", "tests/kernels/test_cpu_*.py"),
    "the GPU kernels": ("cdg_torch/solve/gpu/*.py", "tests/kernels/test_gpu_interpreted.py"),
}
# How many are tried at full effort, and how many of them the tests must notice.
SAMPLES = {
    "the arithmetic": (300, 0.90),
    "the rest of the library": (300, 0.80),
    "the CPU kernels": (60, 0.80),
    "the GPU kernels": (40, 0.80),
}
# A mutant meets so many seconds of the tests that run its function, and so many tests.
CAP, MOST = 10.0, 80

CONTROL = '''"""Planted by the mutation run: see tests/deep/mutation.py."""


def noticed(a, b):
    """Return a sum."""
    return a + b


def unnoticed(a, b):
    """Return a sum."""
    return a + b
'''
CONTROL_TEST = """from {package}.planted import noticed, unnoticed


def test_planted():
    assert noticed(1, 2) == 3
    unnoticed(1, 2)
"""
NOTICED = ("killed", "timeout", "segfault")
WRAPPED = re.compile(r"(lru_cache|cache|property|contextmanager)\b")


@dataclass(slots=True)
class Tried:
    """What became of the mutants of one stratum: so many of each outcome, and who lived."""

    population: int
    outcomes: Counter[str] = field(default_factory=Counter)
    survivors: list[str] = field(default_factory=list)

    def add(self, outcome: str, change: str) -> None:
        """Count one, made by a change that is written ``FILE: - old + new``."""
        self.outcomes[outcome] += 1
        if outcome not in NOTICED:
            self.survivors.append(f"{change}{' (no test runs it)' * (outcome == 'no tests')}")

    def figure(self, stratum: str, seconds: float, more: str = "") -> Figure:
        """Return the figure, with the survivors as its details."""
        tried, goal = self.outcomes.total(), SAMPLES[stratum][1]
        killed = sum(self.outcomes[outcome] for outcome in NOTICED)
        files = Counter(survivor.split(":")[0] for survivor in self.survivors)
        found = (
            f"killed {score(killed, tried)} tried, {self.population:,} there are; "
            f"{self.outcomes['timeout']} by running out of time; "
            f"{self.outcomes['no tests']} in functions that no test runs{more}"
        )
        if files:
            found += f". Lived: {', '.join(f'{n} in {file}' for file, n in files.most_common())}"
        promise = f"the tests notice at least {goal:.0%} of the faults planted in {stratum}"
        details = tuple(sorted(self.survivors))
        return Figure("mutation", promise, found, killed >= goal * tried, seconds, details)


def _order(name: str) -> str:
    return hashlib.sha256(f"{SEED} {name}".encode()).hexdigest()


def _change(diff: list[str]) -> str:
    """Return what a diff takes away and adds, on one line."""
    lines = [line for line in diff if re.match(r"[-+](?![-+]{2} )", line)]
    return " ".join(f"{line[0]} {line[1:].strip()}" for line in lines)


# ---- by mutmut


def undecorated(source: str) -> str:
    """Return a source in which what wraps a function is applied after its definition."""
    tree, lines = ast.parse(source), source.splitlines(keepends=True)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: -node.lineno):
        wrappers = function.decorator_list
        if len(wrappers) == 1 and WRAPPED.match(name := ast.unparse(wrappers[0])):
            after = f"{' ' * function.col_offset}{function.name} = {name}({function.name})\n"
            lines[function.end_lineno - 1] += after  # type: ignore[operator]
            lines[wrappers[0].lineno - 1 : wrappers[0].end_lineno] = []
    return "".join(lines)


def stage(folder: Path, root: Path = ROOT) -> None:
    """Copy what the tests need."""
    for pattern in COPIED:
        for path in root.glob(pattern):
            if path.is_dir():
                ignored = shutil.ignore_patterns("_build", "__pycache__", ".ipynb_checkpoints")
                shutil.copytree(path, folder / path.name, ignore=ignored)
            else:
                shutil.copy(path, folder)


def prepare(folder: Path, package: str, tests: str) -> None:
    """Let mutmut reach decorated functions of a staged copy, and plant the control."""
    for file in folder.glob("cdg_*/**/*.py"):
        file.write_text(undecorated(file.read_text("utf-8")), "utf-8")
    (folder / package / "planted.py").write_text(CONTROL)
    (folder / tests / "test_planted.py").write_text(CONTROL_TEST.format(package=package))


def mutmut(
    folder: Path, command: str, *words: str, say: Callable[[str], None] | None = None
) -> str:
    """Run a command of mutmut's in a staged copy; return what it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", command, *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    with process:
        for line in process.stdout or ():  # a carriage return ends a line, too
            said.append(line)
            if say is not None:
                say(line)
    if process.returncode:
        msg = f"mutmut {command} ended with {process.returncode}: {''.join(said[-60:])}"
        raise RuntimeError(msg)
    return "".join(said)


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    """Return each mutant's file and outcome, by its name."""
    from mutmut.stats import status_by_exit_code

    found = {}
    for meta in sorted((folder / "mutants").rglob("*.meta")):
        path = meta.relative_to(folder / "mutants").as_posix().removesuffix(".meta")
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        found |= {name: (path, status_by_exit_code[code]) for name, code in codes.items()}
    return found


def shorten(folder: Path) -> int:
    """Leave each function the tests that tell most: the quickest of every test function first.

    Those that fail among mutants are left out; how many is returned.
    """
    file, unusable = folder / "mutants" / "mutmut-stats.json", folder / "mutants" / UNUSABLE
    stats = json.loads(file.read_text())
    seconds, bad = stats["duration_by_test"], set()
    if unusable.exists():
        bad = set(unusable.read_text().splitlines())
    for function, tests in stats["tests_by_mangled_function_name"].items():
        # pytest finds a name that it has to escape only the first time that a process collects.
        usable = [test for test in tests if test not in bad and "\\u" not in test]
        by_time = sorted(usable, key=lambda test: (seconds[test], test))
        quickest = set({test.split("[")[0]: test for test in reversed(by_time)}.values())
        spent, chosen = 0.0, []
        for test in sorted(by_time, key=lambda test: test not in quickest):
            if not chosen or (spent + seconds[test] <= CAP and len(chosen) < MOST):
                chosen.append(test)
                spent += seconds[test]
        stats["tests_by_mangled_function_name"][function] = chosen
    file.write_text(json.dumps(stats))
    return len(bad)


def start(folder: Path, package: str) -> None:
    """Make all mutants and note what each test runs, while the control's mutants are tried."""
    mutmut(folder, "run", f"{package}.planted.*", "--max-children", "1")
    control = {n: s for n, (_, s) in outcomes(folder).items() if n.startswith(f"{package}.planted")}
    expected = {n: "survived" if "unnoticed" in n else "killed" for n in control}
    if not control or control != expected:
        msg = f"the planted functions: {control}, and should be {expected}"
        raise RuntimeError(msg)


def by_mutmut(effort: float, report: Report) -> Iterator[Figure]:
    """Yield the figures of the strata that mutmut can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with timed() as seconds:
            report("mutants are made, and the tests that run them noted", 0, 1)
            stage(folder)
            prepare(folder, "cdg_theory", "tests/theory")
            start(folder, "cdg_theory")
            more = f"; {shorten(folder)} tests left out, which fail among dispatchers"
            starting = seconds()
        strata: dict[str, list[str]] = {stratum: [] for stratum in STRATA}
        for mutant, (path, _) in outcomes(folder).items():
            matching = (s for s, files in STRATA.items() if any(fnmatch(path, p) for p in files))
            if not path.endswith("planted.py"):
                strata[next(matching)].append(mutant)
        for stratum, names in strata.items():
            with timed() as seconds:
                chosen = sorted(names, key=_order)[: max(2, round(SAMPLES[stratum][0] * effort))]
                before = sum(status != "not checked" for _, status in outcomes(folder).values())

                def say(line: str, before: int = before, total: int = len(chosen)) -> None:
                    if found := re.search(r"(\d+)/\d+ ", line):
                        report("mutants", max(0, int(found[1]) - before), total)

                mutmut(folder, "run", "--max-children", str(ABREAST), *chosen, say=say)
                tried, became = Tried(len(names)), outcomes(folder)
                for mutant in chosen:
                    path, status = became[mutant]
                    diff = "" if status in NOTICED else mutmut(folder, "show", mutant)
                    tried.add(status, f"{path}: {_change(diff.splitlines())}")
                yield tried.figure(stratum, starting + seconds(), more)
                starting = 0.0


# ---- kernels


def mutants_of(source: str) -> list[Callable[[], str]]:
    """Return mutmut's mutations of a file, of decorated functions too: what makes each file."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper
    from mutmut.mutation.file_mutation import MutationVisitor
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import get_ignored_lines

    class Everywhere(MutationVisitor):
        def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
            decorated = isinstance(node, cst.FunctionDef)
            return not decorated and super()._skip_node_and_children(node)

    wrapper = MetadataWrapper(cst.parse_module(source))
    with chdir(ROOT):  # where mutmut looks for its settings
        visitor = Everywhere(mutation_operators, get_ignored_lines("", source, wrapper))
    module = wrapper.visit(visitor)

    def text(old: cst.CSTNode, new: cst.CSTNode) -> str:
        return module.deep_replace(old, new).code  # type: ignore[arg-type,union-attr]

    return [partial(text, m.original_node, m.mutated_node) for m in visitor.mutations]


def meet(folder: Path, tests: list[str], seconds: float) -> str:
    """Run tests in a new process, for so long at most; return what mutmut would call the end."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return "killed" if process.wait(seconds) else "survived"
    except subprocess.TimeoutExpired:
        return "timeout"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def of_kernels(stratum: str, effort: float, report: Report) -> Figure:
    """Return the figure of one kind of kernels."""
    sources, pattern = KERNELS[stratum]
    everything = [
        (path.relative_to(ROOT), number, make)
        for path in sorted(ROOT.glob(sources))
        for number, make in enumerate(mutants_of(path.read_text("utf-8")))
    ]
    everything.sort(key=lambda mutant: _order(f"{mutant[0]} {mutant[1]}"))
    chosen = everything[: max(2, round(SAMPLES[stratum][0] * effort))]
    tests = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))
    free: SimpleQueue[Path] = SimpleQueue()
    tried = Tried(len(everything))
    with tempfile.TemporaryDirectory() as name, timed() as seconds:
        for number in range(ABREAST):
            folder = Path(name, str(number))
            folder.mkdir()
            stage(folder)
            free.put(folder)
        report(f"{stratum}, as they are", 0, 1)
        if meet(folder, tests, 600.0) != "survived":
            msg = f"{' '.join(tests)} do not pass on the sources as they are"
            raise RuntimeError(msg)
        patience = 60 + 4 * seconds()

        def attempt(mutant: tuple[Path, int, Callable[[], str]]) -> tuple[str, str]:
            path, _, make = mutant
            original, text = (ROOT / path).read_text("utf-8"), make()
            folder = free.get()
            (folder / path).write_text(text, "utf-8")
            try:
                outcome = meet(folder, tests, patience)
            finally:
                (folder / path).write_text(original, "utf-8")
                free.put(folder)
            diff = difflib.unified_diff(original.splitlines(), text.splitlines(), lineterm="", n=0)
            return outcome, f"{path}: {_change(list(diff))}"

        with ThreadPool(ABREAST) as pool:
            for done, (outcome, change) in enumerate(pool.imap(attempt, chosen)):
                tried.add(outcome, change)
                report(f"mutants of {stratum}", done + 1, len(chosen))
        return tried.figure(stratum, seconds())


def run(*, effort: float, report: Report) -> list[Figure]:
    """Try a sample of each stratum, :data:`SAMPLES` at full effort."""
    kernels = [of_kernels(stratum, effort, report) for stratum in KERNELS]
    ledgers = [slips.judge(effort, report), formal.judge(effort, report)]
    return [*by_mutmut(effort, report), *kernels, *ledgers]
