"""The measurements as data, and the same tables for the terminal and for the docs."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch

from cdg_torch.lab.output import ResultTable

#: Told as the work goes on: what is measured, how much of it is done, of how much.
Watcher = Callable[[str, int, int], None]

# The columns of words in every table.
WORDS = (0, 1)

# If others keep more of a core busy, the figures say that they are not those of a quiet machine.
BUSY = 0.2


@dataclass(slots=True)
class Cost:
    """One candidate on one workload: ratio to the floor (quartiles), milliseconds, extra MiB.

    ``host_milliseconds`` is how long a call on a GPU keeps the host, which may then go on.
    """

    workload: str
    group: str
    name: str
    low: float
    median: float
    high: float
    milliseconds: float
    mebibytes: float | None = None
    host_milliseconds: float | None = None


@dataclass(frozen=True, slots=True)
class StepShare:
    """One metric's transform over one forward and backward pass (quartiles)."""

    batch: int
    size: int
    metric: str
    low: float
    median: float
    high: float
    milliseconds: float
    step_milliseconds: float


@dataclass(frozen=True, slots=True)
class StepOverhead:
    """What a metric adds to a step over small tensors, over the plain step (quartiles); host time.

    And the plain step's own time and what is added, in microseconds.
    """

    tensors: int
    kind: str
    low: float
    median: float
    high: float
    plain_microseconds: float
    added_microseconds: float


@dataclass(frozen=True, slots=True)
class FirstUse:
    """A part of the first use in a process: the processor's seconds (quartiles), and the wall's."""

    part: str
    low: float
    median: float
    high: float
    wall: float


def _cores_busy(seconds: float = 1.0) -> float:
    """Return how many cores are at work while this process sleeps.

    If that is unknown, the load average; without one either, NaN.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan

    def idle() -> int:
        fields = stat.read_text(encoding="ascii").split("\n", 1)[0].split()
        return int(fields[4]) + int(fields[5])  # idle, and waiting for a disk

    before, began = idle(), time.monotonic()
    time.sleep(seconds)
    ticks = (time.monotonic() - began) * os.sysconf("SC_CLK_TCK")
    return max(0.0, (os.cpu_count() or 1) - (idle() - before) / ticks)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were taken on; ``load`` says how many cores others kept busy."""

    processor: str
    threads: int
    load: float
    python: str
    torch: str
    numba: str
    gpu: str | None = None

    @classmethod
    def here(cls, device: str = "cpu") -> Machine:
        """Return a description of this machine."""
        from importlib.metadata import version

        cpuinfo = Path("/proc/cpuinfo")
        lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        processor = f"{names[0]}, {len(names)} cores" if names else platform.processor()
        threads = torch.get_num_threads()
        versions = platform.python_version(), torch.__version__, version("numba")
        gpu = None
        if device == "cuda":
            gpu = f"{torch.cuda.get_device_name()}, Triton {version('triton')}"
        return cls(processor, threads, _cores_busy(), *versions, gpu)


@dataclass(slots=True)
class Measurements:
    """Everything that one run measured."""

    command: str
    machine: Machine
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    numbers: dict[str, int] = field(default_factory=dict)
    tensors: dict[str, int] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    rows: list[Cost] = field(default_factory=list)
    shares: list[StepShare] = field(default_factory=list)
    overheads: list[StepOverhead] = field(default_factory=list)
    first_uses: list[FirstUse] = field(default_factory=list)
    # Candidate -> n -> nanoseconds per number.
    scaling: dict[str, dict[int, float]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def tables(self) -> list[ResultTable]:
        """Return the tables of what was measured."""
        tables = [
            self._costs(workload) for workload in dict.fromkeys(r.workload for r in self.rows)
        ]
        if self.shares:
            names = ("ResNet-18", "metric", "% of forward + backward", "quartiles", "ms", "of ms")
            shares = [
                (
                    f"batch {s.batch} of {s.size}×{s.size}",
                    s.metric,
                    f"{100 * s.median:.2f}",
                    f"{100 * s.low:.2f} – {100 * s.high:.2f}",
                    f"{s.milliseconds:.3f}",
                    f"{s.step_milliseconds:.1f}",
                )
                for s in self.shares
            ]
            tables.append(ResultTable(names, shares, "Share of a training step", WORDS))
        if self.overheads:
            tables.append(self._overheads())
        if self.first_uses:
            tables.append(self._first_uses())
        if self.scaling:
            counts = sorted({n for by_n in self.scaling.values() for n in by_n})
            times = [
                (
                    name,
                    *(f"{by_n[n]:#.2g}".removesuffix(".") if n in by_n else "" for n in counts),
                    f"{max(by_n.values()) / min(by_n.values()):.2f}",
                )
                for name, by_n in self.scaling.items()
            ]
            title = "Time per number as n grows, size fixed: nanoseconds"
            columns = ("n =", *map(str, counts), "slowest / fastest")
            tables.append(ResultTable(columns, times, title))
        return tables

    def _overheads(self) -> ResultTable:
        names = ("step", "tensors", "added / plain step", "quartiles", "µs added", "of µs")
        rows = [
            (
                o.kind,
                str(o.tensors),
                f"{o.median:.2f}",
                f"{o.low:.2f} – {o.high:.2f}",
                f"{o.added_microseconds:.0f}",
                f"{o.plain_microseconds:.0f}",
            )
            for o in self.overheads
        ]
        return ResultTable(names, rows, "What a metric adds to a step, on the host")

    def _first_uses(self) -> ResultTable:
        names = ("part", "s of the processor", "quartiles", "s by the clock")
        rows = [
            (f.part, f"{f.median:.2f}", f"{f.low:.2f} – {f.high:.2f}", f"{f.wall:.2f}")
            for f in self.first_uses
        ]
        return ResultTable(names, rows, "First use in a process")

    def _costs(self, workload: str) -> ResultTable:
        rows = [row for row in self.rows if row.workload == workload]
        columns: dict[str, Callable[[Cost], str]] = {
            "kind": lambda row: row.group,
            "method": lambda row: row.name,
            "× floor": lambda row: f"{row.median:.2f}" if row.median < 10 else f"{row.median:.0f}",
            "quartiles": lambda row: f"{row.low:.2f} – {row.high:.2f}",
            "ms": lambda row: f"{row.milliseconds:.3f}",
        }
        if any(row.mebibytes is not None for row in rows):
            columns["extra MiB"] = lambda row: (
                "" if row.mebibytes is None else f"{row.mebibytes:.0f}"
            )
        if any(row.host_milliseconds is not None for row in rows):
            columns["host ms"] = lambda row: f"{row.host_milliseconds:.2f}"
        title = (
            f"{workload}: {self.tensors[workload]} gradients, "
            f"{self.numbers[workload] / 1e6:.1f} M numbers, float32; "
            f"floor {self.floors[workload]:.3f} ms"
        )
        cells = [[cell(row) for cell in columns.values()] for row in rows]
        return ResultTable(tuple(columns), cells, title, WORDS)

    def to_markdown(self) -> str:
        """Return all tables as Markdown, under a line that says where and when.

        The first table is open, the others are folded: most readers want one network.
        """
        m = self.machine
        where = (
            f"`{self.command}`, {self.date}; {f'{m.gpu}; ' if m.gpu else ''}"
            f"{m.processor}, {m.threads} threads; "
            f"Python {m.python}, torch {m.torch}, Numba {m.numba}."
        )
        if m.load > BUSY:
            where += (
                f" **The machine was busy with other work ({m.load:.1f} cores at the "
                "start): ratios are rough, and milliseconds are too many.**"
            )
        first, *others = self.tables()
        folded = [
            f"<details>\n<summary>{table.title}</summary>\n\n{table.markdown()}\n</details>\n"
            for table in others
        ]
        return "\n".join([where + "\n", f"**{first.title}**\n\n{first.markdown()}", *folded])
