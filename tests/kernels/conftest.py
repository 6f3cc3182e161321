"""Triton's interpreter scans as a GPU does: runs are composed with runs, all columns at once.

Its own scan goes number by number: it takes most of the tests' time, and would not see a
composition that is right for one more row, and wrong for a run of them.
"""

import importlib.util
import os

import numpy as np
import pytest


def scan_runs(self, inputs):
    """Return an inclusive scan: each run is doubled until it reaches the first row."""
    scanned = [np.moveaxis(each.handle.data, self.axis, 0) for each in inputs]
    types = [each.dtype for each in inputs]
    length = 1
    while length < len(scanned[0]):
        # Of all rows, since a shape must be a power of two; those at the top have no run above.
        above = [np.roll(x, length, axis=0) for x in scanned]
        made = self.combine_fn.fn(*map(self.to_tensor, above + scanned, types * 2))
        scanned = [
            np.concatenate([x[:length], each.handle.data[length:]])
            for x, each in zip(scanned, made, strict=True)
        ]
        length *= 2
    return [
        self.to_tensor(np.ascontiguousarray(np.moveaxis(x, 0, self.axis)), kind)
        for x, kind in zip(scanned, types, strict=True)
    ]


@pytest.fixture(autouse=True)
def composed_runs(monkeypatch) -> None:
    """Replace the interpreter's scan, where it is in use."""
    if os.environ.get("TRITON_INTERPRET") == "1" and importlib.util.find_spec("triton"):
        from triton.runtime.interpreter import ScanOps

        monkeypatch.setattr(ScanOps, "generic_scan", scan_runs)
