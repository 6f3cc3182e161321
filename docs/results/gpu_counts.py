"""Instructions per number of the GPU kernels that scan or sum, counted in their machine code.

``python docs/results/gpu_counts.py`` needs Triton, which brings ``nvdisasm``, and no GPU. Of the
segments the whole program is counted, of the others the loops over rows; with what only a cycle
needs.
"""

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from cdg_torch.solve.coefficients import SUMS
from cdg_torch.solve.columns import COLUMNS
from cdg_torch.solve.gpu import pair_segments, programs, segments

TOOL = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "nvdisasm"
TYPES = {"tag": "*fp32", "coefficients": "*fp64", "states": "*fp64", "block_count": "i32"}
# The classes of instructions that have a limit of their own.
CLASSES = {
    "float64": {"DADD", "DMUL", "DFMA"},
    "conversions": {"F2F", "I2F"},
    "shuffles": {"SHFL"},
    "cache": {"LDG", "STG", "LDS", "STS"},
    "spilled": {"LDL", "STL"},
}
# How many of each a multiprocessor of compute capability 9.0 does per clock; of the cache, bytes.
RATES = {"instructions": 128, "shuffles": 32, "float64": 64, "conversions": 16, "cache": 128}


def listing(kernel, constants, **options) -> tuple[list[str], dict[str, int]]:
    """Return a kernel's instructions, and at which of them each label stands."""
    fixed = {"FIELDS": len(COLUMNS), "FLAT": True, **constants}
    names = {name: TYPES.get(name, "*i64") for name in kernel.arg_names}
    signature = names | dict.fromkeys(fixed, "constexpr")
    source = ASTSource(kernel, signature, fixed)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(compiled.asm["cubin"])
        done = subprocess.run([TOOL, "-c", file.name], capture_output=True, text=True, check=True)
    code, labels = [], {}
    for line in done.stdout.splitlines():
        if label := re.match(r"\s*(\.L_\w+):", line):
            labels[label[1]] = len(code)
        elif found := re.search(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(.*?);", line):
            code.append(found[1])
    return code, labels


def loops(code: list[str], labels: dict[str, int]) -> list[str]:
    """Return what lies in loops: from a label back to which a later branch leads."""
    inside: set[int] = set()
    for end, line in enumerate(code):
        target = re.match(r"BRA.*`\((\.L_\w+)\)", line)
        # A program ends with a branch to itself.
        if target and labels.get(target[1], end) < end:
            inside |= {*range(labels[target[1]], end + 1)}
    return [code[i] for i in sorted(inside)]


def counted(code: list[str], numbers: float) -> dict[str, float]:
    """Return the counts per number, when a thread has so many numbers."""
    found: Counter[str] = Counter(instructions=len(code))
    for line in code:
        name, *marks = line.split()[0].split(".")
        for kind, members in CLASSES.items():
            if name in members:
                width = 16 if "128" in marks else 8 if "64" in marks else 4
                found[kind] += width if kind == "cache" else 1
    return {kind: found[kind] / numbers for kind in (*RATES, "spilled")}


def main() -> None:
    """Print the table."""
    rows, columns = programs.ROWS, programs.SWEEP_COLS
    table = {}
    for name, kernel in {"scan": programs.sweeps, "pairs": programs.pairs}.items():
        found = listing(kernel, {"ROWS": rows, "COLS": columns}, num_warps=1)
        table[name] = counted(loops(*found), rows * columns / 32)
    cut, each = programs.SEGMENTS[SUMS], programs.PER_THREAD
    sizes = {"KIND": SUMS, "SEGMENTS": cut, "COLS": programs.COLS}
    table["sums"] = counted(loops(*listing(programs.walks, sizes, num_warps=cut // each)), each)
    height, threads = segments.SEGMENT_ROWS, segments.THREADS
    kernels = {"n": segments.segments, "pairs, n": pair_segments.pair_segments}
    for name, kernel in kernels.items():
        for count in (segments.SEGMENT_COUNTS[0], segments.SEGMENT_COUNTS[-1]):
            sizes = {"ROWS": height, "SEGMENTS": count, "COLS": threads // count}
            options = {"num_warps": threads // 32, "maxnreg": segments.REGISTERS}
            code, _ = listing(kernel, sizes, **options)
            table[f"{name} <= {count * height}"] = counted(code, height)
    for name, found in table.items():
        clocks = {kind: found[kind] / rate for kind, rate in RATES.items()}
        slowest = max(clocks, key=clocks.__getitem__)
        print(f"{name:>15}", *(f"{kind} {value:.1f}" for kind, value in found.items()), sep="  ")
        print(
            f"{'clocks':>15}", *(f"{kind} {value:.2f}" for kind, value in clocks.items()), sep="  "
        )
        print(f"{'':>15}  {slowest}: {clocks[slowest]:.2f}")


if __name__ == "__main__":
    main()
