"""The torchrun example of the docs runs as written, and ends alike on one process and on three."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.tools.commands import python
from tests.tools.needs_torch import needs_torch

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "sharding.md"


def run(command: str) -> str:
    """Run a line of the page with this Python's torchrun."""
    program, *words = shlex.split(command)
    assert program == "torchrun"
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return python("-W", "error", "-m", "torch.distributed.run", *words, env=env, timeout=240)


@pytest.mark.slow
@needs_torch("2.9", "FSDP2 on CPUs adds up float32 gradients that it should average")
def test_the_example_ends_with_the_same_weights() -> None:
    block = re.search(r"```shell\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    outputs = [run(line) for line in block[1].splitlines()]
    processes, losses, sums = [], [], []
    for output in outputs:
        assert "acts on 2 of 6 tensors" in output
        losses.append([float(loss) for loss in re.findall(r"loss ([\d.]+)", output)])
        count, total = re.findall(r"(\d+) processes, .* ([\d.]+)", output)[0]
        processes.append(int(count))
        sums.append(float(total))
    assert processes == [1, 3]
    assert all(last < first / 2 for first, last in losses)
    # Twenty steps in float32, 7978 weights whose rounding errors mostly cancel: all printed
    # digits agree but for the last.
    assert abs(sums[0] - sums[1]) <= 0.002
