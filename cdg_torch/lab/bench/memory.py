"""The extra memory of a candidate: peak resident memory above what was resident before.

Each runs in a process of its own, since memory that one call has freed would hide what the
next one takes. Linux only: elsewhere there is no resettable high-water mark.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from cdg_torch.lab.bench.candidates import CANDIDATES
from cdg_torch.lab.bench.workloads import gradients

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _resident(field: str) -> float:
    """Return a field of the process's status, in MiB."""
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def _measure(group: str, name: str) -> float:
    prepare = next(c.prepare for c in CANDIDATES["cpu"] if (c.group, c.name) == (group, name))
    # Compile and import beforehand, on gradients of no size worth naming.
    small = prepare([torch.randn(4, 100), torch.randn(4, 3, 3, 3)])
    if small is not None:
        small()
    grads = gradients("ResNet-18")
    call = prepare(grads)
    assert call is not None
    before = _resident("VmRSS")
    _RESET.write_text("5", encoding="ascii")
    call()
    return max(0.0, _resident("VmHWM") - before)


def extra_mebibytes(group: str, name: str, *, threads: int) -> float | None:
    """Return the extra memory of a candidate on ResNet-18's gradients, None if unknown."""
    if not _RESET.exists():
        return None
    program = (
        "import torch; from cdg_torch.lab.bench import memory; "
        f"torch.set_num_threads({threads}); print(memory._measure({group!r}, {name!r}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return float(found.stdout) if found.returncode == 0 else None
