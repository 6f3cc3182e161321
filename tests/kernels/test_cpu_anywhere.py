"""The CPU kernels serve where nothing can be kept, nothing forks, nothing may be compiled.

Simulated here: a file system without a place to write to, a system without ``fork``, another OpenMP
runtime, a compiler that is switched off or not installed.
"""

import ctypes
import os
import sys

import pytest
import torch

from cdg_torch.solve.cpu import threads
from tests.tools.commands import python

PROGRAM = """
import os, sys, warnings
import torch
{before}
import cdg_torch
g = torch.arange(2.0**14).reshape(2**7, 2**7).sin()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(3):
        k = cdg_torch.riemannian_gradient(g, cdg_torch.Metric.sobolev(0.3))
        cdg_torch.riemannian_gradients_([g.clone()], cdg_torch.Metric.sobolev(0.3))
with cdg_torch.backend("reference"):
    assert torch.allclose(k, cdg_torch.riemannian_gradient(g, cdg_torch.Metric.sobolev(0.3)))
from cdg_torch.solve.backends import choose
print(choose(g), *(str(one.message) for one in said), sep="\\n")
"""


def lines(before, after="", **environment):
    environment = {**os.environ, "TRITON_INTERPRET": "0", **environment}
    return python("-c", PROGRAM.format(before=before) + after, env=environment).splitlines()


NOTHING_IS_KEPT = (
    "from numba.core import caching; caching.CompileResultCacheImpl._locator_classes = []"
)
COUNT_COMPILED = """
from cdg_torch.solve.cpu import double, single
for module in (single, double):
    print(*(len(one.overloads) for one in vars(module).values() if hasattr(one, "overloads")))
"""


@pytest.mark.slow  # everything is compiled
def test_where_nothing_can_be_written_the_kernels_are_compiled_and_one_warning_says_so() -> None:
    backend, said, singles, doubles = lines(NOTHING_IS_KEPT, COUNT_COMPILED)
    assert backend == "cpu"
    assert "cannot be cached" in said
    assert "NUMBA_CACHE_DIR" in said
    # Each kernel once, and only what float32 needs.
    assert set(singles.split()) == {"1"}
    assert set(doubles.split()) == {"0"}


def test_kept_code_is_loaded_without_what_compiles() -> None:
    what = "print(*sorted({'numba.core.ccallback', 'numba.np.arraymath'} & {*sys.modules}))"
    lines("")  # kept from now on, if it was not before
    assert lines("", what) == ["cpu", "numba.core.ccallback"]


def test_where_there_is_no_fork() -> None:
    assert lines("del os.register_at_fork") == ["cpu"]


def test_where_numba_may_not_compile_plain_pytorch_serves() -> None:
    assert lines("", NUMBA_DISABLE_JIT="1") == ["torch"]


HIDE_NUMBA = """
import importlib.util
sys.modules["numba"], found = None, importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else found(name, *rest)
"""
ASK_FOR_THE_KERNELS = """
try:
    with cdg_torch.backend("cpu"):
        cdg_torch.riemannian_gradient(g, cdg_torch.Metric.sobolev(0.3))
except ModuleNotFoundError as error:
    print(error)
"""


def test_without_numba_plain_pytorch_serves_and_says_so_once() -> None:
    # where there is enough to do: see tests/lab/test_warnings.py
    backend, said, refusal = lines(HIDE_NUMBA, ASK_FOR_THE_KERNELS)
    assert backend == "torch"
    assert said.startswith("plain PyTorch is used, which is slower: numba is not installed")
    assert "pip install" in said
    assert refusal.startswith("numba is not installed; pip install")


def test_the_runtime_in_force_comes_before_the_one_that_torch_ships(monkeypatch) -> None:
    asked = []

    class Library:
        def __init__(self, name) -> None:
            asked.append(name)
            if name is not None:
                self.GOMP_parallel = ctypes.CFUNCTYPE(None)()

    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert threads._parallel.__wrapped__() is not None
    assert asked[0] is None
    assert os.path.dirname(torch.__file__) in asked[1]
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert threads._parallel.__wrapped__() is None


@pytest.mark.skipif(sys.platform != "linux", reason="torch's OpenMP is looked for by name")
def test_torch_brings_a_runtime_here() -> None:
    assert threads._parallel() is not None
