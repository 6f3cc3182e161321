"""Files are data, and importing does nothing else: read off the sources, and watched at run time.

What a rule forbids is planted first: a rule that does not catch its own example fails.
"""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.deep import pins
from tests.deep.figures import ROOT, Figure, Report, elsewhere, judged, timed

PACKAGES = ("cdg_theory", "cdg_torch")


@dataclass(frozen=True, slots=True)
class Rule:
    """Names that sources may not use, where they may all the same, and an example.

    A name with () is forbidden to be called. ``unless`` is a keyword argument that makes a call of
    the name harmless, with its value.
    """

    what: str
    names: str
    planted: str
    unless: tuple[str, object] | None = None
    allowed: dict[str, str] = field(default_factory=dict)


RULES = (
    Rule(
        "nothing unpickles",
        "pickle cPickle dill cloudpickle shelve marshal joblib torch.package",
        "import pickle as p\np.loads(b'')",
    ),
    Rule(
        "torch.load reads weights only",
        "torch.load torch.serialization.load torch.jit.load",
        "import torch as t\nt.load('x', weights_only=not True)",
        unless=("weights_only", True),
    ),
    Rule(
        "numpy.load takes no pickles",
        "numpy.load",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        unless=("allow_pickle", False),
    ),
    Rule(
        "nothing evaluates text",
        "eval exec compile __import__ builtins codeop runpy sympy.parse_expr sympy.parsing",
        "def f(text):\n    return eval(text)",
    ),
    Rule(
        "SymPy is not handed text",  # which it would evaluate
        "sympy.sympify sympy.core.sympify sympy.S()",
        "import sympy as sp\nsp.sympify('x')",
        unless=("strict", True),
    ),
    Rule(
        "no other program is started",
        "subprocess pty os.system os.popen os.fork os.forkpty os.posix_spawn os.posix_spawnp "
        "os.execv os.execl os.execve os.execvp os.spawnv os.spawnl os.startfile",
        "import os\nos.system('true')",
        allowed={
            "cdg_torch/lab/bench/memory.py": "this same Python, to measure the memory of a process",
            "cdg_torch/lab/bench/first_use.py": "this same Python, to time a fresh process",
            "cdg_torch/lab/train/data/notes.py": "FluidSynth, when the task of pitch is trained",
            "cdg_theory/formal/kernel.py": "Coq, when `cdg verify --formal` asks for it",
        },
    ),
    Rule(
        "no connection is opened",
        "socket ssl http urllib ftplib smtplib xmlrpc requests httpx aiohttp webbrowser torch.hub "
        "huggingface_hub",
        "from urllib import request\nrequest.urlopen('http://localhost')",
    ),
    Rule(
        "no archive is unpacked, no YAML read",
        "tarfile zipfile shutil.unpack_archive yaml",
        "import shutil\nshutil.unpack_archive('x.tar')",
        allowed={
            "cdg_torch/lab/train/networks/reading.py": "the names in a zip file, to say what it is"
        },
    ),
)


def _dotted(node: ast.AST, origins: dict[str, str]) -> str | None:
    """Return what a name or a chain of attributes stands for; None for what a file defines."""
    if isinstance(node, ast.Name):
        return origins.get(node.id, node.id if hasattr(builtins, node.id) else None)
    if isinstance(node, ast.Attribute):
        head = _dotted(node.value, origins)
        return head and f"{head}.{node.attr}"
    return None


@functools.cache
def uses(source: str) -> tuple[tuple[str, int, ast.Call | None], ...]:
    """Return every dotted name that a source imports or uses, its line, and its call if any."""
    nodes = list(ast.walk(ast.parse(source)))
    calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
    origins: dict[str, str] = {}
    found: list[tuple[str, int, ast.Call | None]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.append((alias.name, node.lineno, None))
                head = alias.name.partition(".")[0]
                origins[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found.append((f"{node.module}.{alias.name}", node.lineno, None))
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and (name := _dotted(node, origins)):
            call = calls.get(id(node))
            found.append((name, node.lineno, call))
            if name == "importlib.import_module" and call is not None:
                words = [word.value for word in call.args[:1] if isinstance(word, ast.Constant)]
                found += [(str(word), node.lineno, None) for word in words]
    return tuple(found)


def broken(rule: Rule, source: str) -> list[int]:
    """Return the lines of a source that break a rule."""
    lines = set()
    for name, line, call in uses(source):
        called = f"{name}()" if call is not None else name
        if any(bad in {name, called} or name.startswith(f"{bad}.") for bad in rule.names.split()):
            given = [(word.arg, word.value) for word in call.keywords] if call is not None else []
            said = [(name, x.value) for name, x in given if isinstance(x, ast.Constant)]
            # 1 is not True here.
            if not any(pair == rule.unless and type(pair[1]) is bool for pair in said):
                lines.add(line)
    return sorted(lines)


def read_off() -> Iterator[Figure]:
    """Look for each rule in every source, after its planted example."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    for rule in RULES:
        with timed() as seconds:
            lines = {path: broken(rule, text) for path, text in files.items()}
            wrong = [f"{path}:{lines[path][0]}" for path in lines if lines[path]]
            wrong = [place for place in wrong if place.partition(":")[0] not in rule.allowed]
            # An exception that nothing needs any more would hide the next file of that name.
            wrong += [f"{path} needs no exception" for path in rule.allowed if not lines.get(path)]
            if not broken(rule, rule.planted):
                wrong.append(f"the planted {rule.planted!r} is not seen")
        found = f"{len(files)} files, none; the planted one caught"
        if rule.allowed:
            reasons = ", ".join(f"{path} ({why})" for path, why in rule.allowed.items())
            found = f"{len(files)} files, allowed in {reasons}; the planted one caught"
        yield judged("security", f"{rule.what} (read off the sources)", found, wrong, seconds())


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


def watched(effort: float, report: Report) -> Iterator[Figure]:
    """Import and use every public module under an audit hook; then what is planted."""
    with timed() as seconds:
        report("a watched process", 0, 2)
        found = elsewhere("watched", "all" if effort >= 0.1 else "theory")
        yield judged(
            "security",
            "importing and using the library starts no program, opens no connection, "
            "unpickles and evaluates nothing (watched by an audit hook)",
            f"{found['modules']} modules imported, {found['uses']} uses",
            found["events"],
            seconds(),
        )
    with timed() as seconds:
        report("what is planted", 1, 2)
        events = elsewhere("watched", "plant", *PLANTED.values())["events"]
        missed = [
            f"not seen: {name}" for name, seen in zip(PLANTED, events, strict=True) if not seen
        ]
        text = f"{len(PLANTED)} planted"
        yield judged("security", "the hook sees what it watches for", text, missed, seconds())


def run(*, effort: float, report: Report) -> list[Figure]:
    """Check the sources, a watched process, and the pins; `fuzz` hands over files that run code."""
    report("sources", 0, 1)
    return [*read_off(), *watched(effort, report), pins.judge()]
