"""Long use: memory does not grow, weights do not drift beyond the bound, nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.deep.figures import Figure, Report, timed
from tests.deep.soaked import descend

STEPS, ROUNDS = 100_000, 10_000


def _elsewhere(job: str, count: int, report: Report) -> dict[str, float]:
    """Run a job of :mod:`tests.deep.soaked` in another process; return what it measured."""
    command = [sys.executable, "-m", "tests.deep.soaked", job, str(count)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        measured: dict[str, float] = {}
        for line in process.stdout:
            if line.startswith("{"):
                measured = json.loads(line)
            else:
                report(job, int(line), count)
        errors = process.stderr.read()
    if process.returncode or not measured:
        msg = f"{' '.join(command)} ended with {process.returncode}: {errors[-2000:]}"
        raise RuntimeError(msg)
    return measured


def _memory(effort: float, report: Report) -> Figure:
    steps = max(1000, int(STEPS * effort))
    with timed() as seconds:
        m = _elsewhere("train", steps, report)
    return Figure(
        "soak",
        f"{STEPS:,} steps of training: after a warm-up, resident memory grows by less than "
        f"{m['allowed'] / 1024:,.0f} KiB, no hook is added, and no more than "
        f"{m['blocks_allowed']:.0f} small blocks of memory",
        f"{steps:,} steps: {m['growth'] / 1024:,.0f} KiB, {m['hooks']:+.0f} hooks, "
        f"{m['blocks']:+.0f} small blocks, {m['caches']:.0f} entries in the cache of factors",
        m["growth"] <= m["allowed"]
        and m["hooks"] == 0
        and m["blocks"] <= m["blocks_allowed"]
        and m["caches"] <= 256
        and bool(m["finite"]),
        seconds(),
    )


def _drift(effort: float, report: Report) -> Figure:
    steps = max(200, int(STEPS * effort))
    with timed() as seconds:
        m = descend(steps, lambda done: report("descend", done, steps))
    return Figure(
        "soak",
        "As many steps of descent on a quadratic, float32 and float64: the weights stay within "
        "the derived bound of the trajectory in exact steps of 200 digits",
        f"{steps:,} steps: float32 {m['float32']:.3f} of the bound, float64 {m['float64']:.3f}; "
        f"the bound is {m['bound32']:.2g} and {m['bound64']:.2g} for weights of order 1; "
        f"{m['states32']:.0f} and {m['states64']:.0f} states visited",
        m["float32"] <= 1 and m["float64"] <= 1,
        seconds(),
    )


def _rounds(effort: float, report: Report) -> Figure:
    rounds = max(200, int(ROUNDS * effort))
    with timed() as seconds:
        m = _elsewhere("attach", rounds, report)
    return Figure(
        "soak",
        f"{ROUNDS:,} times attached, used and detached, and as often made and dropped: no hook, "
        f"attribute or handle is left, memory grows by less than {m['allowed'] / 1024:,.0f} KiB",
        f"{rounds:,} rounds: {m['growth'] / 1024:,.0f} KiB, {m['hooks']:+.0f} hooks, "
        f"{m['attributes']:+.0f} attributes, {m['blocks']:+.0f} small blocks, "
        f"{m['handles']:.0f} handles alive",
        m["growth"] <= m["allowed"]
        and m["hooks"] == 0
        and m["attributes"] == 0
        and m["blocks"] <= m["blocks_allowed"]
        and m["handles"] == 0,
        seconds(),
    )


def run(*, effort: float, report: Report) -> list[Figure]:
    """Train long, descend long, attach and detach often."""
    return [part(effort, report) for part in (_memory, _drift, _rounds)]
