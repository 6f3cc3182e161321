"""The GPU kernels compile to machine code, without a GPU: Triton's interpreter accepts more."""

import os

import pytest

from tests.tools.commands import python

pytest.importorskip("triton", reason="Triton is not installed")

# Triton reads TRITON_INTERPRET when a kernel is defined: hence a process of its own.
PROGRAM = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from cdg_torch.solve.columns import COLUMNS
from cdg_torch.solve.gpu import programs as gpu
from cdg_torch.solve.gpu import segments as cut

POINTERS = {"coefficients": "*fp64", "states": "*fp64", "block_count": "i32"}

def compiled(kernel, dtype, warps, constants, **options):
    types = {"tag": dtype, **POINTERS}
    signature = {
        name: "constexpr" if name in constants else types.get(name, "*i64")
        for name in kernel.arg_names
    }
    source = ASTSource(kernel, signature, constants)  # Triton has renamed the third
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    return triton.compile(source, target=target, options={"num_warps": warps, **options})

dtype, *counts = sys.argv[2:]
for flat, count in zip((True, False), counts, strict=True):
    fixed = {"FIELDS": len(COLUMNS), "FLAT": flat}
    found = []
    for kind, segments in gpu.SEGMENTS.items():
        tile = {"KIND": kind, "SEGMENTS": segments, "COLS": gpu.COLS}
        found.append(compiled(gpu.walks, dtype, segments // gpu.PER_THREAD, {**fixed, **tile}))
    tile = {"ROWS": gpu.ROWS, "COLS": gpu.SWEEP_COLS}
    for kernel in (gpu.sweeps, gpu.pairs):
        found.append(compiled(kernel, dtype, 1, {**fixed, **tile}))
    tile = {"ROWS": cut.SEGMENT_ROWS, "SEGMENTS": int(count)}
    tile["COLS"] = cut.THREADS // tile["SEGMENTS"]
    limits = {"warps": cut.THREADS // 32, "maxnreg": cut.REGISTERS}
    found.append(compiled(cut.segments, dtype, constants={**fixed, **tile}, **limits))
    print(*(len(kernel.asm["cubin"]) for kernel in found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
# Columns in segments have four lengths, which take seconds each: one for each layout.
@pytest.mark.parametrize(
    ("dtype", "counts"), [("*fp32", (4, 32)), ("*bf16", (8, 16)), ("*fp16", (32, 4))]
)
def test_every_kernel_becomes_machine_code(capability, dtype, counts, tmp_path) -> None:
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    asked = map(str, (capability, dtype, *counts))
    # On a machine that others share, minutes.
    lines = python("-c", PROGRAM, *asked, env=environment, timeout=900).splitlines()
    sizes = [[int(size) for size in line.split()] for line in lines]
    assert [len(line) for line in sizes] == [6] * 2
    assert min(min(line) for line in sizes) > 1000
