"""``python -m tests.tools.emulated 90 fp32 …``: the GPU kernels, compiled, run as PTX on the CPU.

In a process of its own, since Triton reads TRITON_INTERPRET when a kernel is defined. Lists are
planned and launched as on a GPU; their gradients lie at addresses that no memory has. Prints JSON:
of every kernel how many bytes of machine code it has, where threads race, and of every list the
largest error in eps.
"""

import json
import sys
from functools import partial

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from cdg_torch.solve.columns import Part
from cdg_torch.solve.gpu import run_gpu
from tests.tools.kernel_cases import MEMBERS
from tests.tools.kernel_errors import error_in_eps, gradient_of_size, oracle
from tests.tools.ptx import Memory, Program, parsed

NAMES = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16"}
DTYPES = {name[1:]: dtype for dtype, name in NAMES.items()}
RAW = {2: torch.int16, 4: torch.int32}
# From one tensor to the next; a result that lies apart is halfway.
FIRST, APART = 1 << 45, 1 << 44


class Emulated:
    """A kernel that is launched as Triton's, and runs as PTX."""

    capability, order = 90, 1

    def __init__(self, kernel, memory, found):
        self.kernel, self.memory, self.found, self.kept = kernel, memory, found, {}

    def __getitem__(self, grid):
        return partial(self.launch, grid[0])

    def compiled(self, tag, constants, options):
        key = (tag.dtype, *constants.values())
        if key not in self.kept:
            types = {"tag": NAMES[tag.dtype], "coefficients": "*fp64", "states": "*fp64"}
            signature = {n: types.get(n, "*i64") for n in self.kernel.arg_names}
            signature |= {"block_count": "i32"} | dict.fromkeys(constants, "constexpr")
            source = ASTSource(self.kernel, signature, constants)
            target = GPUTarget("cuda", self.capability, 32)
            made = triton.compile(source, target=target, options=options)
            self.found["sizes"][f"{self.kernel.fn.__name__} {constants}"] = len(made.asm["cubin"])
            self.kept[key] = parsed(made.asm["ptx"])
        return self.kept[key]

    def launch(self, programs, *given, **named):
        names = self.kernel.arg_names
        constants = {name: value for name, value in named.items() if name in names}
        options = {name: value for name, value in named.items() if name not in names}
        free, arguments = [name for name in names if name not in constants], []
        for name, value in zip(free, given, strict=True):
            arguments.append(value if name == "block_count" else value.data_ptr())
            if name == "states":
                end = value.data_ptr() + value.nbytes
                self.memory.allow(range(value.data_ptr(), end, value.itemsize), value.itemsize)
            elif name not in {"tag", "block_count"}:
                self.memory.put_row(value.data_ptr(), value.numpy())
        code = self.compiled(given[0], constants, options)
        warps = [*range(options["num_warps"])][:: self.order]
        for index in range(programs):
            races = Program(code, self.memory, arguments, index, warps).run()
            self.found["races"] += [f"{self.kernel.fn.__name__} {where}" for where in races]


def places_of(first, g, strides):
    """Return the addresses of a tensor's numbers."""
    axes = [np.arange(n) * stride * g.itemsize for n, stride in zip(g.shape, strides, strict=True)]
    places = np.zeros((), np.int64)
    for axis in axes:
        places = np.add.outer(places, axis)
    return (first + places).ravel().tolist()


def largest_error(memory, dtype, cases, *, apart):
    """Return the largest error in eps of a list of (member, shape, strides, axis)."""
    parts, sources, targets = [], [], []
    tensors = [gradient_of_size(shape, dtype, i) for i, (_, shape, _, _) in enumerate(cases)]
    for i, (g, (member, shape, strides, dim)) in enumerate(zip(tensors, cases, strict=True)):
        strides = tuple(strides or g.stride())
        parts.append(Part(tuple(shape), strides, MEMBERS[member], dim, 1))
        sources.append((i + 1) * FIRST)
        targets.append(sources[-1] + APART * apart)
        memory.put(places_of(sources[-1], g, strides), g.view(RAW[g.itemsize]).numpy())
        memory.allow(places_of(targets[-1], g, strides), g.itemsize)
    plan = run_gpu.launch_plan(parts, dtype, torch.device("cpu"), 1)
    plan.run(np.array(targets), np.array(sources))
    errors = []
    for g, part, first in zip(tensors, parts, targets, strict=True):
        held = np.array([memory.held[place] for place in places_of(first, g, part.strides)])
        raw = held.astype(f"u{g.itemsize}").view(f"i{g.itemsize}").reshape(g.shape)
        exact = oracle(g, part.metric, part.dim)
        errors.append(error_in_eps(torch.from_numpy(raw).view(dtype), exact, part.dim))
    return max(errors)


def main(capability, dtype, lists):
    """Print what became of the lists; the first one in place."""
    Emulated.capability = int(capability)
    memory, found = Memory(), {"sizes": {}, "races": [], "errors": []}
    run_gpu.walks = Emulated(run_gpu.walks, memory, found)
    for kernels in (run_gpu._SWEPT, run_gpu._CUT):
        for kind, (kernel, more) in kernels.items():
            kernels[kind] = Emulated(kernel, memory, found), more
    for i, cases in enumerate(json.loads(lists)):
        Emulated.order = -1 if i % 2 else 1
        found["errors"].append(largest_error(memory, DTYPES[dtype], cases, apart=i % 2 == 1))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
