"""What the deep checks find: a promise, what was measured, and whether it holds."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from rich.markup import escape
from rich.table import Table

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

    ==============  ================================================================
    field           meaning
    ==============  ================================================================
    ``part``        one of :data:`PARTS`
    ``promise``     in plain words: "no kernel is more than 8 eps from the exact result"
    ``found``       with counts: "104,312 cases, worst 2.1 eps"; a failure names the
                    smallest reproducer
    ``holds``       whether the promise was kept; None if it was not tried here, and
                    ``found`` says why
    ``seconds``     how long it took
    ``details``     what is listed below the table: the mutants that lived
    ==============  ================================================================
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

    @property
    def seconds(self) -> float:
        """How long the part took."""
        return sum(figure.seconds for figure in self.figures)


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds since the block was entered."""
    start = perf_counter()
    yield lambda: perf_counter() - start


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(9, 10)]
    [0.596, 0.982]
    """
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def score(successes: int, trials: int) -> str:
    """Return a proportion with its Wilson interval, to be read.

    Examples
    --------
    >>> score(9, 10)
    '9 of 10 (90.0 %; 95 % interval 59.6 to 98.2 %)'
    """
    low, high = wilson(successes, trials)
    share = successes / trials
    return (
        f"{successes:,} of {trials:,} ({100 * share:.1f} %; "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
    )


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
        share = "" if measured.effort == 1 else f", {measured.effort:.0%} of the full amount"
        for x in measured.figures:
            if x.details:
                head = f":::{{dropdown}} The {len(x.details)} that lived: {x.promise}"
                lines += ["", head, "```text", *x.details, "```", ":::"]
        lines += ["", f"*{measured.seconds:,.0f} s{share}; {measured.machine}.*", ""]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def load(path: Path) -> dict[str, Measured]:
    """Return the figures of a file by part; an empty dict if there is no file."""
    if not path.exists():
        return {}
    parts = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Measured(
            figures=tuple(
                Figure(part=name, **{**figure, "details": tuple(figure.get("details", ()))})
                for figure in part["figures"]
            ),
            effort=part["effort"],
            machine=part["machine"],
        )
        for name, part in parts.items()
    }


def save(path: Path, parts: Mapping[str, Measured]) -> None:
    """Write figures; parts that the file holds already and that are not given stay there."""
    kept = {**load(path), **parts}
    content = {}
    for name in PARTS:
        if name in kept:
            rows = [asdict(figure) for figure in kept[name].figures]
            for row in rows:
                del row["part"]
                row["seconds"] = round(row["seconds"], 1)
                if not row["details"]:
                    del row["details"]
            content[name] = {
                "effort": kept[name].effort,
                "machine": kept[name].machine,
                "figures": rows,
            }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
