"""Files are data, and importing does nothing else: read off the sources, and watched at run time.

What a rule forbids is planted first: a rule that does not catch its own example fails.
"""

from __future__ import annotations

import ast
import builtins
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.deep import pins
from tests.deep.figures import Figure, Report, timed

ROOT = Path(__file__).parents[2]
PACKAGES = ("cdg_theory", "cdg_torch")


@dataclass(frozen=True, slots=True)
class Rule:
    """Names that sources may not use, where they may all the same, and an example.

    A name with () is forbidden to be called. ``unless`` is a keyword argument that makes a call of
    the name harmless, with its value.
    """

    what: str
    names: tuple[str, ...]
    planted: str
    unless: tuple[str, object] | None = None
    allowed: dict[str, str] = field(default_factory=dict)


# fmt: off
RULES = (
    Rule(
        "nothing unpickles",
        (
            "pickle",
            "cPickle",
            "dill",
            "cloudpickle",
            "shelve",
            "marshal",
            "joblib",
            "torch.package",
        ),
        "import pickle as p\np.loads(b'')",
    ),
    Rule(
        "torch.load reads weights only",
        ("torch.load", "torch.serialization.load", "torch.jit.load"),
        "import torch as t\nt.load('x', weights_only=not True)",
        unless=("weights_only", True),
    ),
    Rule(
        "numpy.load takes no pickles",
        ("numpy.load",),
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        unless=("allow_pickle", False),
    ),
    Rule(
        "nothing evaluates text",
        (
            "eval", "exec", "compile", "__import__", "builtins", "codeop", "runpy",
            "sympy.parse_expr", "sympy.parsing",
        ),
        "def f(text):\n    return eval(text)",
    ),
    Rule(
        "SymPy is not handed text",  # which it would evaluate
        ("sympy.sympify", "sympy.core.sympify", "sympy.S()"),
        "import sympy as sp\nsp.sympify('x')",
        unless=("strict", True),
    ),
    Rule(
        "no other program is started",
        (
            "subprocess", "pty", "os.system", "os.popen", "os.fork", "os.forkpty",
            "os.posix_spawn", "os.posix_spawnp", "os.execv", "os.execl", "os.execve", "os.execvp",
            "os.spawnv", "os.spawnl", "os.startfile",
        ),
        "import os\nos.system('true')",
        allowed={
            "cdg_torch/lab/bench/memory.py": "this same Python, to measure the memory of a process"
        },
    ),
    Rule(
        "no connection is opened",
        (
            "socket", "ssl", "http", "urllib", "ftplib", "smtplib", "xmlrpc", "requests", "httpx",
            "aiohttp", "webbrowser", "torch.hub", "huggingface_hub",
        ),
        "from urllib import request\nrequest.urlopen('http://localhost')",
    ),
    Rule(
        "no archive is unpacked, no YAML read",
        ("tarfile", "zipfile", "shutil.unpack_archive", "yaml"),
        "import shutil\nshutil.unpack_archive('x.tar')",
    ),
)
# fmt: on


def _origins(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name of a file stands for, dotted."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _dotted(node: ast.AST, origins: dict[str, str]) -> str | None:
    """Return what a name or a chain of attributes stands for; None for what a file defines."""
    if isinstance(node, ast.Name):
        return origins.get(node.id, node.id if hasattr(builtins, node.id) else None)
    if isinstance(node, ast.Attribute):
        head = _dotted(node.value, origins)
        return head and f"{head}.{node.attr}"
    return None


def _uses(source: str) -> Iterator[tuple[str, int, ast.Call | None]]:
    tree = ast.parse(source)
    origins = _origins(tree)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, None
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno, None
        elif isinstance(node, ast.Name | ast.Attribute):
            name, call = _dotted(node, origins), calls.get(id(node))
            if name is not None:
                yield name, node.lineno, call
            if name == "importlib.import_module" and call is not None:
                for word in call.args[:1]:
                    if isinstance(word, ast.Constant):
                        yield str(word.value), node.lineno, None


@functools.cache
def uses(source: str) -> tuple[tuple[str, int, ast.Call | None], ...]:
    """Return every dotted name that a source imports or uses, its line, and its call if any."""
    return tuple(_uses(source))


def broken(rule: Rule, source: str) -> list[int]:
    """Return the lines of a source that break a rule."""
    lines = []
    for name, line, call in uses(source):
        called = f"{name}()" if call is not None else name
        if not any(bad in {name, called} or name.startswith(f"{bad}.") for bad in rule.names):
            continue
        if rule.unless is not None and call is not None:
            keyword, value = rule.unless
            given = [word.value for word in call.keywords if word.arg == keyword]
            if any(isinstance(x, ast.Constant) and x.value is value for x in given):
                continue
        lines.append(line)
    return sorted(set(lines))


def sources() -> dict[str, str]:
    """Return the text of every file of the packages, by path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def read_off() -> list[Figure]:
    """Look for each rule in every source, after its planted example."""
    files = sources()
    figures = []
    for rule in RULES:
        with timed() as seconds:
            wrong = [
                f"{path}:{line}"
                for path, text in files.items()
                if path not in rule.allowed
                for line in broken(rule, text)
            ]
            # An exception that nothing needs any more would hide the next file of that name.
            stale = [path for path in rule.allowed if not broken(rule, files.get(path, ""))]
            blind = not broken(rule, rule.planted)
        found = f"{len(files)} files, none; the planted one caught"
        if rule.allowed:
            reasons = ", ".join(f"{path} ({why})" for path, why in rule.allowed.items())
            found = f"{len(files)} files, one use: {reasons}; the planted one caught"
        if wrong or stale or blind:
            found = f"{wrong[0]}" if wrong else f"needless exception: {stale}" if stale else "blind"
        promise = f"{rule.what} (read off the sources)"
        figures.append(Figure("security", promise, found, not (wrong or stale or blind), seconds()))
    return figures


# What the rules name, planted into a process that is watched; each must be seen.
PLANTED = {
    "unpickles": "import pickle, decimal; pickle.loads(pickle.dumps(decimal.Decimal(1)))",
    "evaluates text": "eval('1')",
    "starts a program": "import subprocess; subprocess.run(['true'])",
    "starts a program by os.system": "import os; os.system('true')",
    "forks": "import os; pid = os.fork(); os._exit(0) if pid == 0 else os.waitpid(pid, 0)",
    "opens a connection": (
        "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('127.0.0.1', 9))"
    ),
    "resolves a name": "import socket; socket.gethostbyname('localhost')",
}


def watch(*words: str) -> dict:
    """Return what a process reports that is watched while it imports and uses everything.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.deep.watched", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def watched(effort: float, report: Report) -> list[Figure]:
    """Import and use every public module under an audit hook; then what is planted."""
    figures = []
    with timed() as seconds:
        report("a watched process", 0, 2)
        found = watch("all" if effort >= 0.1 else "theory")
        seen = found["events"]
        what = f"{found['modules']} modules imported, {found['uses']} uses"
        figures.append(
            Figure(
                "security",
                "importing and using the library starts no program, opens no connection, "
                "unpickles and evaluates nothing (watched by an audit hook)",
                f"{what}; {seen[0] if seen else 'no such event'}",
                not seen,
                seconds(),
            )
        )
    with timed() as seconds:
        report("what is planted", 1, 2)
        events = watch("plant", *PLANTED.values())["events"]
        missed = [name for name, seen in zip(PLANTED, events, strict=True) if not seen]
        text = f"not seen: {', '.join(missed)}" if missed else f"{len(PLANTED)} planted, all seen"
        figures.append(
            Figure("security", "the hook sees what it watches for", text, not missed, seconds())
        )
    return figures


def run(*, effort: float, report: Report) -> list[Figure]:
    """Check the sources, a watched process, and the pins; `fuzz` hands over files that run code."""
    report("sources", 0, 1)
    return read_off() + watched(effort, report) + pins.run()
