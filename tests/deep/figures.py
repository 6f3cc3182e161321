"""What the deep checks find: a promise, what was measured, and whether it holds."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from time import perf_counter
from typing import Any

from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).parents[2]
Report = Callable[[str, int, int], None]
"""What a part is handed to say how far it is: what it does, how many are done, of how many."""

LITTLE = "left out: it takes a tenth of the effort or more"
"""Why a promise was not tried in a run of little effort."""

PARTS = {
    "mutation": "Faults planted in the sources are noticed by the tests",
    "fuzz": "Drawn inputs: right answers, clear refusals, nothing modified",
    "edges": "Extreme weights, lengths and values",
    "soak": "Long use: no growth, no drift, nothing left behind",
    "threads": "Threads and processes",
    "faults": "Killed, out of disk, a rank lost",
    "versions": "Other versions, and missing packages",
    "security": "Files are data; importing does nothing else",
}
"""Each part and what it shows, in the order of the summary; each is a module of this folder."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise and what was found.

    ``promise`` is in plain words, ``found`` has counts, and the smallest reproducer of a failure.
    ``holds`` is None where the promise was not tried, and ``found`` says why. ``details`` are
    listed below the table: the mutants that lived.
    """

    part: str
    promise: str
    found: str
    holds: bool | None
    seconds: float
    details: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One or two words."""
        return {True: "holds", False: "BROKEN", None: "not run"}[self.holds]

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            msg = f"part must be one of {', '.join(PARTS)}, got {self.part!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one part, with how much was done and where."""

    figures: tuple[Figure, ...]
    effort: float
    machine: str


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds since the block was entered."""
    start = perf_counter()
    yield lambda: perf_counter() - start


def score(successes: int, trials: int) -> str:
    """Return a proportion with its Wilson interval, to be read.

    Examples
    --------
    >>> score(9, 10)
    '9 of 10 (90.0 %; 95 % interval 59.6 to 98.2 %)'
    """
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return (
        f"{successes:,} of {trials:,} ({100 * successes / trials:.1f} %; "
        f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} %)"
    )


def judged(
    part: str, promise: str, found: str, wrong: Sequence[str], seconds: float = 0.0
) -> Figure:
    """Return a figure that holds if nothing is wrong; if something is, the shortest is told."""
    if wrong:
        found += f"; {len(wrong)} wrong, for one: {min(wrong, key=len)}"
    return Figure(part, promise, found, not wrong, seconds)


def elsewhere(
    module: str, *words: str, say: Callable[[int], None] | None = None, under: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a module of this folder in a process of its own; return the JSON object it prints last.

    Lines before it are numbers of steps that are done, handed to ``say``. ``under`` is a command
    to run it under.
    """
    command = [*under, sys.executable, "-m", f"tests.deep.{module}", *words]
    with (
        TemporaryFile("w+") as errors,
        Popen(command, stdout=PIPE, stderr=errors, text=True, cwd=ROOT) as process,
    ):
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if say is not None and line.strip().isdigit():
                say(int(line))
        if process.wait() or not lines:
            errors.seek(0)
            said = errors.read()[-2000:]
            msg = f"{module} {' '.join(words)} ended with {process.returncode}: {said}"
            raise RuntimeError(msg)
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def machine() -> str:
    """Return what the figures depend on besides the sources."""
    import numpy
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, NumPy {numpy.__version__}"
    )


def table(figures: Sequence[Figure]) -> Table:
    """Return the summary for a terminal."""
    rows = Table(title="What was promised, and what was found", show_lines=True)
    for heading in ("part", "promise", "found", "", "s"):
        rows.add_column(heading, justify="right" if heading == "s" else "left")
    for figure in figures:
        colour = {True: "green", False: "bold red", None: "yellow"}[figure.holds]
        rows.add_row(
            figure.part,
            escape(figure.promise),
            escape(figure.found),
            f"[{colour}]{figure.verdict}[/]",
            f"{figure.seconds:,.0f}",
        )
    return rows


def markdown(parts: Mapping[str, Measured]) -> list[str]:
    """Return one table per part as lines of Markdown; a part without figures says so."""
    lines: list[str] = []
    for part, claim in PARTS.items():
        lines += [f"### {claim}", "", f"`python tests/deep {part}`", ""]
        measured = parts.get(part)
        if measured is None:
            lines += ["Not measured.", ""]
            continue
        lines += ["| promise | found | |", "| --- | --- | --- |"]
        lines += [
            f"| {_cell(x.promise)} | {_cell(x.found)} | {x.verdict} |" for x in measured.figures
        ]
        seconds = sum(figure.seconds for figure in measured.figures)
        share = "" if measured.effort == 1 else f", {measured.effort:.0%} of the full amount"
        for x in measured.figures:
            if x.details:
                head = f":::{{dropdown}} The {len(x.details)} that lived: {x.promise}"
                lines += ["", head, "```text", *x.details, "```", ":::"]
        lines += ["", f"*{seconds:,.0f} s{share}; {measured.machine}.*", ""]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def load(path: Path) -> dict[str, Measured]:
    """Return the figures of a file by part; an empty dict if there is no file."""
    if not path.exists():
        return {}
    parts = json.loads(path.read_text(encoding="utf-8"))
    for name, part in parts.items():
        rows = ({**row, "details": tuple(row.get("details", ()))} for row in part["figures"])
        part["figures"] = tuple(Figure(name, **row) for row in rows)
    return {name: Measured(**part) for name, part in parts.items()}


def save(path: Path, parts: Mapping[str, Measured]) -> None:
    """Write figures; parts that the file holds already and that are not given stay there."""
    kept = {**load(path), **parts}
    content = {}
    for name in filter(kept.__contains__, PARTS):
        part = asdict(kept[name])
        for row in part["figures"]:
            del row["part"]
            row["seconds"] = round(row["seconds"], 1)
            if not row["details"]:
                del row["details"]
        content[name] = {key: part[key] for key in ("effort", "machine", "figures")}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
