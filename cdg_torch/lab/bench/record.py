"""The measurements as data, and the same tables for the terminal and for the docs."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch

# What is measured, how much of it is done, of how much.
Report = Callable[[str, int, int], None]


# If others keep more of a core busy, the figures say that they are not those of a quiet machine.
BUSY = 0.2


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one workload: ratio to the floor (quartiles), milliseconds, extra MiB.

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
class Share:
    """One metric's transform over one forward and backward pass (quartiles)."""

    batch: int
    size: int
    metric: str
    low: float
    median: float
    high: float
    milliseconds: float
    step_milliseconds: float


def _cores_busy(seconds: float = 1.0) -> float:
    """Return how many cores are at work while this process sleeps; the load average if unknown."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return os.getloadavg()[0]

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


@dataclass(frozen=True, slots=True)
class Table:
    """A title, column names, and rows of text; the first two columns are words."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        rule = [":--" if index < 2 else "--:" for index in range(len(self.columns))]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, rule, *self.rows)]
        return f"**{self.title}**\n\n" + "\n".join(lines) + "\n"


@dataclass(slots=True)
class Record:
    """Everything that one run measured."""

    command: str
    machine: Machine
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    numbers: dict[str, int] = field(default_factory=dict)
    tensors: dict[str, int] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    # Method -> n -> nanoseconds per number.
    scaling: dict[str, dict[int, float]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def tables(self) -> list[Table]:
        """Return the tables: one per workload, the shares of a step, the scaling."""
        tables = []
        for workload in dict.fromkeys(row.workload for row in self.rows):
            rows = [row for row in self.rows if row.workload == workload]
            with_memory = any(row.mebibytes is not None for row in rows)
            with_host = any(row.host_milliseconds is not None for row in rows)
            columns = ("method", "", "× floor", "quartiles", "ms")
            cells: list[tuple[str, ...]] = [
                (
                    row.group,
                    row.name,
                    f"{row.median:.2f}" if row.median < 10 else f"{row.median:.0f}",
                    f"{row.low:.2f} – {row.high:.2f}",
                    f"{row.milliseconds:.3f}",
                    *((_mebibytes(row.mebibytes),) if with_memory else ()),
                    *((f"{row.host_milliseconds:.2f}",) if with_host else ()),
                )
                for row in rows
            ]
            title = (
                f"{workload}: {self.tensors[workload]} gradients, "
                f"{self.numbers[workload] / 1e6:.1f} M numbers, float32; "
                f"floor {self.floors[workload]:.3f} ms"
            )
            names = columns + ("extra MiB",) * with_memory + ("host ms",) * with_host
            tables.append(Table(title, names, tuple(cells)))
        if self.shares:
            names = ("ResNet-18", "metric", "% of forward + backward", "quartiles", "ms", "of ms")
            rows_ = tuple(
                (
                    f"batch {s.batch} of {s.size}×{s.size}",
                    s.metric,
                    f"{100 * s.median:.2f}",
                    f"{100 * s.low:.2f} – {100 * s.high:.2f}",
                    f"{s.milliseconds:.3f}",
                    f"{s.step_milliseconds:.1f}",
                )
                for s in self.shares
            )
            tables.append(Table("Share of a training step", names, rows_))
        if self.scaling:
            counts = sorted({n for by_n in self.scaling.values() for n in by_n})
            columns_ = ("ns per number", "", *(f"n = {n}" for n in counts), "slowest / fastest")
            by_name: tuple[tuple[str, ...], ...] = tuple(
                (
                    name,
                    "",
                    *(f"{by_n[n]:.4f}" if n in by_n else "" for n in counts),
                    f"{max(by_n.values()) / min(by_n.values()):.2f}",
                )
                for name, by_n in self.scaling.items()
            )
            tables.append(Table("Time per number as n grows, size fixed", columns_, by_name))
        return tables

    def to_markdown(self) -> str:
        """Return all tables as Markdown, under a line that says where and when."""
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
        return "\n".join([where + "\n", *(table.markdown() for table in self.tables())])


def _mebibytes(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
