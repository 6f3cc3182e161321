"""Many threads, many callers and forked children all get the same bits as one thread alone."""

import ctypes
import os
import select
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import cdg_torch
from cdg_torch.solve.cpu import run_cpu
from cdg_torch.solve.cpu import threads as module
from tests.tools.kernel_cases import GENERAL_CYCLE, MEMBERS
from tests.tools.small_training import all_equal

METRIC = MEMBERS[GENERAL_CYCLE]


@pytest.fixture
def threads():
    """Yield torch.set_num_threads, and set the number back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def gradients(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(64, 50, 3, 3), (33, 1000), (128, 700), (5, 7), (256, 64), (1, 300)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def transformed(seed=0):
    tensors = gradients(seed)
    with cdg_torch.backend("cpu"):
        cdg_torch.riemannian_gradients_(tensors, METRIC)
    return tensors


def test_any_number_of_threads_gives_the_same_bits(threads) -> None:
    threads(1)
    alone = transformed()
    for count in (2, 3, 5, 2):
        threads(count)
        assert all_equal(transformed(), alone)


def test_many_callers_at_once(threads) -> None:
    threads(1)
    expected = [transformed(seed) for seed in range(8)]
    threads(3)
    with ThreadPoolExecutor(4) as pool:
        for seed, found in enumerate(pool.map(transformed, [*range(8)] * 5)):
            assert all_equal(found, expected[seed % 8])


def test_a_forked_child_still_works(threads) -> None:
    threads(2)
    expected, tensors = transformed(), gradients()
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Python warns that a process with threads forks; that is what this test is about.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        # NumPy compares: torch's own threads do not survive a fork.
        with cdg_torch.backend("cpu"):
            cdg_torch.riemannian_gradients_(tensors, METRIC)
        same = all((a.numpy() == b.numpy()).all() for a, b in zip(tensors, expected, strict=True))
        os.write(write, b"1" if same else b"0")
        os._exit(0)
    os.close(write)
    assert select.select([read], [], [], 60)[0], "the child hangs"
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.waitpid(child, 0)


@pytest.fixture(params=["torch's OpenMP", "Python threads"])
def _each_kind(request, monkeypatch) -> None:
    """Run on torch's own threads, then as where torch has none."""
    if request.param == "Python threads":
        monkeypatch.setattr(module, "_parallel", lambda: None)
    elif module._parallel() is None:
        pytest.skip("this torch is built without OpenMP")


@pytest.mark.usefixtures("_each_kind")
def test_both_kinds_of_threads_give_the_same_bits(threads) -> None:
    threads(1)
    alone = transformed()
    threads(3)
    assert all_equal(transformed(), alone)


@pytest.mark.usefixtures("_each_kind")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_threads_enter_and_all_have_ended(count) -> None:
    entered, ended, seen = [], [], threading.Barrier(count, timeout=30)

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def entry(data) -> None:
        entered.append((threading.get_ident(), data))
        seen.wait()  # nobody passes before all are in
        ended.append(threading.get_ident())

    module.share(entry, 4711, count)
    assert len({ident for ident, _ in entered}) == count
    assert {data for _, data in entered} == {4711}
    assert len(ended) == count
    assert threading.get_ident() in ended


def test_one_thread_alone_does_all_the_work(monkeypatch, threads) -> None:
    threads(1)
    expected = transformed()
    threads(4)
    # As where the runtime grants fewer threads than asked for.
    monkeypatch.setattr(run_cpu, "share", lambda entry, data, _: entry(data))
    assert all_equal(transformed(), expected)
