"""In a locked-down container the kernels serve, with one word: nobody's user, no home, no caches.

Real, where tests run as root: the process becomes a user who has no passwd entry and may write
nowhere. What others have written is imported before, since tests may run from root's own folders.
"""

import os

import pytest

from tests.tools.commands import ROOT, python

PROGRAM = """
import os, sys, warnings
import numba, torch, torch._dynamo
from numba import cfunc, types
cfunc(types.void(types.voidptr))(lambda address: None)  # what numba imports when it compiles
sys.path.insert(0, {root!r})
os.environ.pop("HOME", None)
os.chdir("/")
os.setgroups([])
os.setgid(12345)
os.setuid(12345)

import multiprocessing
import cdg_torch

def gradient():
    metric = cdg_torch.Metric.sobolev(0.3)
    g = torch.arange(12.0).reshape(4, 3).sin()
    k = cdg_torch.riemannian_gradient(g, metric)
    model = torch.nn.Conv2d(2, 4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    cdg_torch.attach(optimizer, model, metric)
    model(torch.ones(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    with cdg_torch.backend("reference"):
        assert torch.allclose(k, cdg_torch.riemannian_gradient(g, metric))

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(3):
        gradient()
from cdg_torch.solve.backends import choose
print(choose(torch.ones(1)), *(str(one.message) for one in said), sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "setuid") or os.getuid() != 0, reason="only root may become another user"
)
def test_a_user_whom_nobody_knows() -> None:
    known = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    known["TRITON_INTERPRET"] = "0"

    printed = python("-c", PROGRAM.format(root=str(ROOT)), env=known)
    backend, *said = printed.splitlines()
    assert backend == "cpu"
    assert len(said) == 1
    assert "cannot be cached" in said[0]
    assert "NUMBA_CACHE_DIR" in said[0]
