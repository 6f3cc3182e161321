"""What the first use costs: the imports, compiling the kernels, loading what was compiled before.

In processes of their own, with a folder for compiled code of their own: empty at first, and then
with what the first process has left there. Wall time, and the processor's, which other programs on
the machine do not lengthen as much. Both leave out what torch itself does for the first time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict

import numpy as np
import torch

from cdg_torch.lab.bench.measurements import FirstUse, Measurements, Watcher

STEPS = {"cold": "first step, compiling", "kept": "first step, compiled before"}

# The weight of a convolution: H⁰, Sobolev and all others have one compiled code.
_PROGRAM = """
import json, time

marks = []

def mark():
    marks.append((time.perf_counter(), time.process_time()))

mark()
import torch
mark()
import cdg_torch
mark()
torch.set_num_threads({threads})
layer = torch.nn.Conv2d(3, 64, 3)
optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for _ in range(2)]
layer(torch.randn(2, 3, 16, 16)).square().sum().backward()
optimizers[0].step()
mark()
cdg_torch.attach(optimizers[1], layer, cdg_torch.Metric.sobolev(1.0))
optimizers[1].step()
mark()
print(json.dumps(marks))
"""


def _marks(folder: str, threads: int) -> list[tuple[float, float]]:
    """Return what the clocks say, of the wall and of the processor, between the parts."""
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(threads=threads)],
        env={**os.environ, "NUMBA_CACHE_DIR": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    marks: list[tuple[float, float]] = json.loads(found.stdout.splitlines()[-1])
    return marks


def measure_first_use(found: Measurements, rounds: int, watch: Watcher) -> None:
    """Time two fresh processes ``rounds`` times: one that compiles, one after it."""
    threads = torch.get_num_threads()
    times: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for done in range(rounds):
        with tempfile.TemporaryDirectory(prefix="cdg-first-use-") as folder:
            for state, step in STEPS.items():
                watch("first use", 2 * done + (state == "kept"), 2 * rounds)
                torch_, own, _, first = np.diff(_marks(folder, threads), axis=0).tolist()
                parts = {"import torch": torch_, "import cdg_torch": own, step: first}
                for part, taken in parts.items():
                    times[part].append(taken)
    watch("first use", 2 * rounds, 2 * rounds)
    for part, samples in times.items():
        wall, processor = np.array(samples).T
        low, median, high = np.quantile(processor, [0.25, 0.5, 0.75]).tolist()
        found.first_uses.append(FirstUse(part, low, median, high, float(np.median(wall))))
