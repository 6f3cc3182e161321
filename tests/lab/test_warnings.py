"""Every warning is of one category, at the user's line; what is small warns of nothing."""

import ast
import os
import re
import subprocess

import pytest

import cdg_torch
from tests.lab.test_the_house import MODULES, ROOT, tree
from tests.tools.commands import python

README = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1]
NUMBA = {
    "with Numba": "",
    "without Numba": """
import importlib.util, sys
sys.modules["numba"], found = None, importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else found(name, *rest)
""",
}
TRAINING = """
import torch, cdg_torch
model = torch.nn.Conv2d(64, 64, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
cdg_torch.attach(optimizer, model, cdg_torch.Metric.sobolev(1.0))
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)  # wraps the step once more
for _ in range(3):
    model(torch.ones(1, 64, 4, 4)).sum().backward()
    optimizer.step()
"""


UNWRITABLE = """
from numba.core import caching; caching.CompileResultCacheImpl._locator_classes = []
"""


def run(program, tmp_path, *options) -> str:
    """Run a program that is kept in a file, and return what it says, warnings included."""
    file = tmp_path / "training.py"
    file.write_text(program)
    streams = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRITON_INTERPRET": "0"}
    return python(*options, str(file), env=environment, **streams)


@pytest.mark.parametrize("numba", NUMBA)
def test_the_lines_of_the_readme_pass_where_warnings_are_errors(numba, tmp_path) -> None:
    assert "acts on 1 of 4 tensors" in run(NUMBA[numba] + README, tmp_path, "-W", "error")


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (
            NUMBA["without Numba"],
            r"plain PyTorch is used, which is slower: numba .*; pip install '.*\[fast\]'",
        ),
        (UNWRITABLE, "the compiled CPU kernels cannot be cached: .* set NUMBA_CACHE_DIR"),
    ],
    ids=["without Numba", "no place to write"],
)
def test_one_warning_of_the_library_s_own_at_the_user_s_line(before, message, tmp_path) -> None:
    program = before + TRAINING
    (step,) = (i for i, line in enumerate(program.splitlines(), 1) if "optimizer.step" in line)
    said = re.findall(
        r"^(.*)training\.py:(\d+): (\w+): (.*)$", run(program, tmp_path), re.MULTILINE
    )
    ((_, line, category, text),) = said
    assert (int(line), category) == (step, cdg_torch.CDGWarning.__name__)
    assert re.match(message, text)


@pytest.mark.parametrize("module", MODULES)
def test_there_is_one_place_to_warn_from(module) -> None:
    calls = [
        ast.unparse(node.func) for node in ast.walk(tree(module)) if isinstance(node, ast.Call)
    ]
    warning = {"warnings.warn", "warnings.warn_explicit", "warn", "warn_explicit"}
    assert (module == "cdg_torch.notices") == (not warning.isdisjoint(calls))
