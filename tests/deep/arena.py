"""Where mutants meet the tests: a process that has imported everything forks once for each mutant.

An arena imports what costs time once. A mutant then costs a fork and the tests that execute its
line, the quickest of every test function first, until one fails. There are two ways in:

* ``swap``: the arena has collected the tests. The fork replaces the code of the mutated function
  in place (every function object that runs the old code), and runs the chosen tests: milliseconds.
  It serves changes inside functions that did not run while the tests were imported: what they would
  have made then is not there to be stale, and no cache of the library holds anything.
* ``import``: all other changes (module level, defaults, functions that run at import, code that a
  compiler reads from its file). The arena has imported other people's packages only. The mutated
  file is written into a copy of the sources, and the fork imports and collects from there.

Tests that start ranks fork them here, so that those run the mutant, too. Time is limited in seconds
of processor time, so that neither a busy nor a frozen machine kills a mutant; a mutant that waits
for ever is ended by the wall clock, counted in ticks.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.deep.mutants import Mutant, tree_of

PYTEST = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:sugar", "-p", "no:xdist"]
# What was imported beforehand is no longer rewritten: a warning, and warnings are errors.
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
TICK = 0.25


@dataclass(frozen=True, slots=True)
class Setting:
    """Which tests meet the mutants: a repository, its test files or folders, and preparations.

    ==============  ==================================================================
    field           meaning
    ==============  ==================================================================
    ``root``        the repository
    ``tests``       test files, and modules with doctests, relative to it
    ``packages``    the packages that are mutated
    ``copied``      the files and folders that the tests need, for the way of ``import``
    ``preload``     other people's modules: what costs time to import, paid once
    ``prepare``     functions, as ``module:function``, that run before the tests are
                    imported; they are handed the root
    ``start``       seconds that the way of ``import`` may take beside the tests
    ==============  ==================================================================
    """

    root: Path
    tests: tuple[str, ...]
    packages: tuple[str, ...]
    copied: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    start: float = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a mutant ended: killed, timeout, survived, or unreached (no test is seen to run it).

    ``by`` is the test that failed, ``ran`` of ``chosen`` tests ran, ``way`` is swap or import.
    """

    status: str
    by: str
    ran: int
    chosen: int
    way: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What each test executes: test name → processor seconds, file → line → tests.

    ``imported`` holds, by file, the lines that run before the first test does.
    """

    tests: dict[str, float]
    lines: dict[str, dict[int, list[str]]]
    imported: dict[str, list[int]]

    def save(self, file: Path) -> None:
        """Write to a file of JSON."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Coverage:
        """Read what :meth:`save` wrote."""
        raw = json.loads(file.read_text(encoding="utf-8"))
        lines = {
            path: {int(line): tests for line, tests in by_line.items()}
            for path, by_line in raw["lines"].items()
        }
        return cls(raw["tests"], lines, raw["imported"])

    def ran_at_import(self, mutant: Mutant) -> bool:
        """Whether the mutated lines run before the first test."""
        first, last = mutant.lines
        return any(first <= line <= last for line in self.imported.get(mutant.path, ()))

    def reach(self, mutant: Mutant) -> set[str]:
        """Return the tests that are seen to execute a mutant."""
        first, last = mutant.lines
        by_line = self.lines.get(mutant.path, {})
        return {test for line in range(first, last + 1) for test in by_line.get(line, ())}

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Return the tests that a mutant should meet, the most telling order first.

        Those that execute it. A line that runs at import concerns every test that executes
        anything of its file; those that execute most of the file come first. What torch.compile
        runs is not seen: where no test is, those count that come as near as the line before.
        """
        by_line = self.lines.get(mutant.path, {})
        direct = self.reach(mutant)
        if not direct:
            before = [line for line, tests in by_line.items() if tests and line < mutant.lines[0]]
            direct = set(by_line[max(before)]) if before else set()
        chosen = self._ordered(direct)
        if not mutant.function or self.ran_at_import(mutant):
            reach: dict[str, int] = {}
            for tests in by_line.values():
                for test in tests:
                    reach[test] = reach.get(test, 0) + 1
            chosen += self._ordered(set(reach) - direct)
        return chosen

    def tests_in(self, files: str | tuple[str, ...]) -> list[str]:
        """Return all tests whose names begin so, or so, the most telling order first."""
        return self._ordered({test for test in self.tests if test.startswith(files)})

    def joined(self, other: Coverage, replaced: Sequence[str]) -> Coverage:
        """Return this coverage with the tests of some files replaced by another's."""
        gone = {test for test in self.tests if test.split("::")[0] in replaced}
        lines: dict[str, dict[int, list[str]]] = {}
        for part, dropped in ((self.lines, gone), (other.lines, set())):
            for path, by_line in part.items():
                for line, tests in by_line.items():
                    known = lines.setdefault(path, {}).setdefault(line, [])
                    known += [test for test in tests if test not in dropped]
        imported = {
            path: sorted({*self.imported.get(path, ()), *other.imported.get(path, ())})
            for path in {*self.imported, *other.imported}
        }
        kept = {test: cost for test, cost in self.tests.items() if test not in gone}
        return Coverage({**kept, **other.tests}, lines, imported)

    def _ordered(self, tests: set[str]) -> list[str]:
        """Order tests: the quickest of every test function, then all others, quick ones first."""
        by_time = sorted(tests, key=lambda test: (self.tests[test], test))
        first = set({test.split("[")[0]: test for test in reversed(by_time)}.values())
        return sorted(by_time, key=lambda test: test not in first)

    def affordable(self, tests: list[str], cap: float) -> tuple[list[str], float]:
        """Return those that take ``cap`` seconds together, and what they take; one at least.

        Half is for the quickest of every test function, the other half for the others.
        """
        functions: set[str] = set()
        chosen, spent, halves = [], 0.0, {True: 0.0, False: 0.0}
        for test in tests:
            cost = self.tests[test] + 0.003
            is_first = test.split("[")[0] not in functions
            functions.add(test.split("[")[0])
            if not chosen or halves[is_first] + cost <= cap / 2:
                halves[is_first] += cost
                spent += cost
                chosen.append(test)
        return chosen, spent


# In the forks


def _quiet() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _forked_ranks(around: Callable[[Any], Any] = lambda work: work) -> None:
    """Let tests that start ranks fork them from here."""
    ranks = sys.modules.get("tests.tools.ranks")
    if ranks is None:
        return
    import torch.multiprocessing as mp

    def start_processes(work: Any, args: Any, nprocs: int, start_method: str) -> Any:  # noqa: ARG001
        return mp.start_processes(around(work), args, nprocs=nprocs, start_method="fork")

    ranks.mp = types.SimpleNamespace(start_processes=start_processes)


def _forget(packages: Sequence[str]) -> None:
    """Empty every cache of the library's own functions."""
    for thing in gc.get_objects():
        if type(thing) is functools._lru_cache_wrapper:
            module = getattr(thing, "__module__", None) or ""
            if module.split(".")[0] in packages:
                thing.cache_clear()


class _Referee:
    """A pytest plugin that runs chosen tests until one fails."""

    def __init__(self, chosen: Sequence[str] = ()) -> None:
        self.chosen = chosen
        self.failed = self.why = ""
        self.ran = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed, self.why = report.nodeid, report.longreprtext[-1000:]

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed, self.why = report.nodeid, report.longreprtext[-1000:]

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        there = {item.nodeid: item for item in items}
        items[:] = [there[name] for name in self.chosen if name in there]

    def play(self, items: Sequence[Any]) -> None:
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self.ran += 1
            if self.failed:
                return


def _swap(code: types.CodeType, file: str, functions: dict[Any, list[Any]]) -> int:
    """Give every live function of ``file`` its code from ``code``; return how many changed."""
    changed = 0
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            for function in functions.get((file, inner.co_qualname, inner.co_firstlineno), ()):
                function.__code__ = inner
                changed += 1
            changed += _swap(inner, file, functions)
    return changed


def _functions(files: set[str]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType and thing.__code__.co_filename in files:
            code = thing.__code__
            key = code.co_filename, code.co_qualname, code.co_firstlineno
            found.setdefault(key, []).append(thing)
    return found


# The arena


@dataclass(slots=True)
class _Request:
    """A mutant, what it is made of, its tests; without ``index`` the sources as they are."""

    path: str
    index: int | None
    source: str
    tests: list[str]
    limit: float


def _in_fork(work: Callable[[], dict[str, Any]], limit: float) -> dict[str, Any]:
    """Return what ``work`` returns in a fork, or how the fork ended."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        os.setsid()
        seconds = int(limit + time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        try:
            answer = work()
        except BaseException:  # whatever it is, the mutant made it
            answer = {"status": "killed", "by": traceback.format_exc(limit=-2)[-300:]}
        os.write(theirs, json.dumps(answer).encode())
        os._exit(0)
    os.close(theirs)
    text, ticks = b"", 0.0
    patience = 20 + 10 * limit
    while True:
        before = time.monotonic()
        if select.select([ours], [], [], TICK)[0]:
            piece = os.read(ours, 1 << 16)
            if not piece:
                break
            text += piece
        # A machine that was frozen meanwhile has not made the mutant wait.
        ticks += min(time.monotonic() - before, 2 * TICK)
        if ticks > patience:
            break
    os.close(ours)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, ended = os.waitpid(pid, 0)
    if text:
        return json.loads(text)
    out_of_time = ticks > patience or (
        os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGXCPU
    )
    if out_of_time:
        return {"status": "timeout", "by": ""}
    return {"status": "killed", "by": f"the process ended with status {ended}"}


def _next(pipe: Any) -> _Request | None:
    """Return the next request; None, too, once whoever asks is no more."""
    asker = os.getppid()
    while not pipe.poll(1.0):
        if os.getppid() != asker:
            return None
    return pipe.recv()


def _set_up(setting: Setting) -> None:
    os.chdir(setting.root)
    sys.path.insert(0, str(setting.root))
    sys.dont_write_bytecode = True
    for name in setting.prepare:
        module, function = name.split(":")
        getattr(importlib.import_module(module), function)(setting.root)


class _Collected(_Referee):
    """The arena for swaps: a pytest session that never runs its own tests."""

    def __init__(self, setting: Setting, pipe: Any) -> None:
        super().__init__()
        self.setting, self.pipe = setting, pipe

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        pass

    def pytest_runtestloop(self, session: Any) -> bool:
        items = {item.nodeid: item for item in session.items}
        root = self.setting.root
        files = {
            str(file) for name in self.setting.packages for file in root.rglob(f"{name}/**/*.py")
        }
        _forked_ranks()
        _forget(self.setting.packages)
        functions = _functions(files)
        gc.collect()
        gc.freeze()
        self.pipe.send("ready")
        while (request := _next(self.pipe)) is not None:
            self.pipe.send(self.answer(request, items, functions))
        return True

    def answer(self, request: _Request, items: dict[str, Any], functions: Any) -> dict[str, Any]:
        file = str(self.setting.root / request.path)

        def work() -> dict[str, Any]:
            code = compile(tree_of(request.source, request.index), file, "exec")
            try:
                found = _swap(code, file, functions)
            except ValueError:  # other free variables
                found = 0
            if not found:
                return {"status": "no swap", "by": ""}
            self.play([items[name] for name in request.tests if name in items])
            status = "killed" if self.failed else "survived"
            return {"status": status, "by": self.failed, "ran": self.ran, "why": self.why}

        return _in_fork(work, request.limit)


def _serve_swaps(setting: Setting, pipe: Any) -> None:
    _quiet()
    _set_up(setting)
    import pytest

    pytest.main([*PYTEST, *setting.tests], plugins=[_Collected(setting, pipe)])
    pipe.send("gone")
    os._exit(0)


def _serve_imports(setting: Setting, pipe: Any) -> None:
    _quiet()
    copy = Path(
        tempfile.mkdtemp(prefix="mutants-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    )
    try:
        for name in setting.copied:
            there = setting.root / name
            if there.is_dir():
                ignored = shutil.ignore_patterns("_build", "*.ipynb_checkpoints", "*.nbi", "*.nbc")
                shutil.copytree(there, copy / name, ignore=ignored)
            elif there.exists():
                shutil.copy(there, copy / name)
        _set_up(replace(setting, root=copy))
        for name in setting.preload:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        import pytest

        gc.collect()
        gc.freeze()
        pipe.send("ready")
        while (request := _next(pipe)) is not None:
            import ast

            file = copy / request.path
            text = ast.unparse(tree_of(request.source, request.index))

            def work(request: _Request = request) -> dict[str, Any]:
                referee = _Referee(request.tests)

                class Loop:
                    def pytest_runtestloop(self, session: Any) -> bool:
                        _forked_ranks()
                        if not referee.failed:
                            referee.play(session.items)
                        return True

                wanted = list(dict.fromkeys(name.split("::")[0] for name in request.tests))
                pytest.main([*PYTEST, "-x", *wanted], plugins=[Loop(), referee])
                package = sys.modules.get(setting.packages[0])
                if package is not None:
                    assert str(package.__file__).startswith(str(copy)), package.__file__
                if not referee.failed and referee.ran == 0:
                    referee.failed = "no test could be collected"
                status = "killed" if referee.failed else "survived"
                return {
                    "status": status,
                    "by": referee.failed,
                    "ran": referee.ran,
                    "why": referee.why,
                }

            file.write_text(text, encoding="utf-8")
            try:
                answer = _in_fork(work, request.limit)
            finally:
                file.write_text(request.source, encoding="utf-8")
            pipe.send(answer)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    os._exit(0)


class Arena:
    """Both ways in, started when they are first needed."""

    def __init__(
        self,
        setting: Setting,
        coverage: Coverage,
        *,
        from_file: Mapping[str, str | tuple[str, ...]] = types.MappingProxyType({}),
        grace: float = 5.0,
    ) -> None:
        """Take a setting and what its tests execute.

        ``from_file`` names files that a compiler reads by itself, and how the names of the tests
        that run them begin;
        ``grace`` is what a mutant may take, in seconds, beside four times what its tests do.
        """
        self.setting, self.coverage, self.from_file = setting, coverage, from_file
        self.grace = grace
        self._pipes: dict[str, Any] = {}
        self._trusted: set[tuple[str, str | tuple[str, ...] | None]] = set()

    def _pipe(self, way: str) -> Any:
        if way not in self._pipes:
            context = get_context("fork")
            ours, theirs = context.Pipe()
            target = {"swap": _serve_swaps, "import": _serve_imports}[way]
            context.Process(target=target, args=(self.setting, theirs), daemon=False).start()
            ready = ours.recv()
            if ready != "ready":
                msg = f"the {way} arena did not start"
                raise RuntimeError(msg)
            self._pipes[way] = ours
        return self._pipes[way]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes.values():
            with contextlib.suppress(OSError):
                pipe.send(None)
        self._pipes.clear()

    def meet(self, mutant: Mutant, source: str, *, cap: float) -> Verdict:
        """Let a mutant meet its tests, up to ``cap`` seconds of them (but one test at least)."""
        start = time.monotonic()
        tests = self.from_file.get(mutant.path)
        named = self.coverage.tests_for(mutant) if tests is None else self.coverage.tests_in(tests)
        chosen, expected = self.coverage.affordable(named, cap)
        if not chosen:
            return Verdict("unreached", "", 0, 0, "", 0.0)
        limit = self.grace + 4 * expected
        by_import = not mutant.function or self.coverage.ran_at_import(mutant)
        way = "import" if by_import or mutant.path in self.from_file else "swap"
        request = _Request(mutant.path, mutant.index, source, chosen, limit)
        answer = self._ask(way, request, tests)
        if answer["status"] == "no swap":
            way = "import"
            answer = self._ask(way, request, tests)
        seen = tests is not None or by_import or self.coverage.reach(mutant)
        return Verdict(
            answer["status"] if answer["status"] != "survived" or seen else "unreached",
            answer["by"],
            answer.get("ran", 0),
            len(named),
            way,
            round(time.monotonic() - start, 2),
        )

    def _ask(
        self, way: str, request: _Request, tests: str | tuple[str, ...] | None
    ) -> dict[str, Any]:
        """Let a mutant meet its tests one way; the first time, its sources as they are, too."""
        if way == "import":
            request = replace(request, limit=request.limit + self.setting.start)
        pipe = self._pipe(way)
        if (way, tests) not in self._trusted:
            pipe.send(replace(request, index=None))
            answer = pipe.recv()
            if answer["status"] not in {"survived", "no swap"}:
                self.close()
                msg = f"{request.path} meets its tests as it is, and is {answer}"
                raise RuntimeError(msg)
            if answer["status"] == "survived":
                self._trusted.add((way, tests))
        pipe.send(request)
        return pipe.recv()


# What each test executes


class _Mapper:
    """A pytest plugin that runs every test once and notes what it executes."""

    def __init__(self, tracer: Any, progress: Callable[[int, int], None]) -> None:
        self.tracer, self.progress = tracer, progress
        self.seconds: dict[str, float] = {}
        self.bad: set[str] = set()
        self.elsewhere: dict[str, dict[str, list[int]]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:
            self.bad.add(report.nodeid)

    def pytest_runtestloop(self, session: Any) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            _forked_ranks(functools.partial(self._traced, folder))
            for done, item in enumerate(session.items):
                following = session.items[done + 1] if done + 1 < len(session.items) else None
                self.tracer.switch_context(item.nodeid)
                before = _processor_seconds()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                self.seconds[item.nodeid] = round(_processor_seconds() - before, 4)
                for file in Path(folder).iterdir():
                    for name, lines in json.loads(file.read_text()).items():
                        self.elsewhere.setdefault(item.nodeid, {}).setdefault(name, []).extend(
                            lines
                        )
                    file.unlink()
                self.progress(done + 1, len(session.items))
        return True

    def _traced(self, folder: str, work: Any) -> Any:
        @functools.wraps(work)
        def on_rank(rank: int, *arguments: Any) -> Any:
            self.tracer.switch_context("on a rank")
            try:
                return work(rank, *arguments)
            finally:
                data = self.tracer.get_data()
                data.set_query_context("on a rank")
                lines = {name: data.lines(name) for name in data.measured_files()}
                Path(folder, str(rank)).write_text(json.dumps(lines))

        return on_rank


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _map(setting: Setting, pipe: Any) -> None:
    _quiet()
    _set_up(setting)
    import coverage
    import pytest

    tracer = coverage.Coverage(
        data_file=None,
        config_file=False,
        include=[str(setting.root / name / "*") for name in setting.packages],
    )
    tracer.start()
    tracer.switch_context("at import")
    mapper = _Mapper(tracer, lambda done, total: pipe.send((done, total)))
    code = pytest.main([*PYTEST, *setting.tests], plugins=[mapper])
    tracer.stop()
    data = tracer.get_data()
    tests = {name: cost for name, cost in mapper.seconds.items() if name not in mapper.bad}
    lines: dict[str, dict[int, list[str]]] = {}
    imported: dict[str, list[int]] = {}
    for file in data.measured_files():
        path = str(Path(file).relative_to(setting.root))
        for line, contexts in data.contexts_by_lineno(file).items():
            if "at import" in contexts:
                imported.setdefault(path, []).append(line)
            lines.setdefault(path, {})[line] = [name for name in contexts if name in tests]
    for test, files in mapper.elsewhere.items():
        for file, numbers in files.items():
            path = str(Path(file).relative_to(setting.root))
            for line in set(numbers):
                known = lines.setdefault(path, {}).setdefault(line, [])
                if test in tests and test not in known:
                    known.append(test)
    pipe.send((Coverage(tests, lines, imported), sorted(mapper.bad), int(code)))
    os._exit(0)


def cover(setting: Setting, report: Callable[[str, int, int], None]) -> tuple[Coverage, list[str]]:
    """Return what every test executes, and the tests that do not pass or were skipped.

    Raises
    ------
    RuntimeError
        If no test passes.
    """
    context = get_context("fork")
    ours, theirs = context.Pipe()
    context.Process(target=_map, args=(setting, theirs)).start()
    theirs.close()
    while len(message := ours.recv()) == 2:
        report("what each test executes", *message)
    coverage, bad, code = message
    if not coverage.tests:
        msg = f"no test passed in {setting.root}: pytest ended with {code}; run it there to see why"
        raise RuntimeError(msg)
    return coverage, bad
