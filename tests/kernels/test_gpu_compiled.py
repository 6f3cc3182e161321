"""The GPU kernels compile, and what they compile to is right: its PTX runs on the CPU, T5, T7.

Triton's interpreter accepts more than the compiler, and has neither threads nor addresses: here
offsets leave 32 bits, warps take turns from the first and from the last, and no two threads may
race for a number. What a GPU's assembler makes of the PTX is made, and not run.
"""

import json
import os

import pytest

from tests.tools.commands import python
from tests.tools.kernel_cases import GENERAL, GENERAL_CYCLE, H0, L2, SOBOLEV, SOBOLEV_CYCLE
from tests.tools.kernel_errors import NARROW

pytest.importorskip("triton", reason="Triton is not installed")

FAR = 2**31 + 7
PAIRS, PAIRS_CYCLE = "spline", "spline periodic unit"


def lists(first, second):
    """Return lists of (member, shape, strides, axis); columns in segments have two lengths."""
    walked, short = (L2, H0, SOBOLEV, SOBOLEV_CYCLE), (GENERAL, GENERAL_CYCLE, PAIRS, PAIRS_CYCLE)
    # Columns side by side, rows far apart: the last tile is not full.
    flat = [(member, (n, 70), (FAR, 1), 0) for member in walked for n in (1, 2, 67)]
    flat += [(member, (513, 9), (FAR, 1), 0) for member in (GENERAL_CYCLE, PAIRS_CYCLE)]
    flat += [(member, (first, 9), (FAR, 1), 0) for member in short]
    # Columns far apart; and runs of them.
    apart = [(member, (67, 3), (1, FAR), 0) for member in walked]
    apart += [(member, (2, 513, 2), None, 1) for member in (GENERAL, PAIRS)]
    apart += [(member, (2, second, 2), (FAR, 2, 1), 1) for member in short]
    return [flat, apart]


@pytest.mark.slow
# Columns in segments have four lengths, which take seconds each to compile: two of them. Each
# architecture and each storage type, but not each pair of them.
@pytest.mark.parametrize(
    ("capability", "dtype", "lengths"),
    [(90, "fp32", (61, 500)), (80, "bf16", (120, 250)), (90, "fp16", (490, 50))],
)
def test_every_kernel_becomes_machine_code_and_its_ptx_is_right(
    capability, dtype, lengths, tmp_path
) -> None:
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    asked = (str(capability), dtype, json.dumps(lists(*lengths)))
    # On a machine that others share, minutes.
    printed = python("-m", "tests.tools.emulated", *asked, env=environment, timeout=1800)
    found = json.loads(printed)
    names = [name.split()[0] for name in found["sizes"]]
    kernels = {"walks": 6, "sweeps": 2, "pairs": 2, "segments": 2, "pair_segments": 2}
    assert {name: names.count(name) for name in names} == kernels
    assert min(found["sizes"].values()) > 1000
    assert not found["races"]
    assert max(found["errors"]) <= NARROW
