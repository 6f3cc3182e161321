"""What serves a tensor follows from the tensor; an override is obeyed or refused."""

import threading
from functools import cache

import pytest
import torch

import cdg_torch
from cdg_torch import Metric, lists
from cdg_torch.lists import write_riemannian_gradients
from cdg_torch.solve import backends
from cdg_torch.solve import plan as dispatch
from cdg_torch.solve.backends import choose
from cdg_torch.solve.coefficients import PULL, SCALE, SUMS, SWEEPS, kind_of
from tests.tools.kernel_cases import MEMBERS

METRIC = MEMBERS["sobolev"]


def test_tensors_in_main_memory_go_to_the_cpu_kernels() -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        assert choose(torch.empty(3, dtype=dtype)) == "cpu"
    assert choose(torch.empty(3, device="meta")) == "reference"


def test_each_member_of_the_family_has_the_cheapest_kernel() -> None:
    assert [kind_of(Metric(2.0, 2.0), 8), kind_of(Metric(2.0, 3.0, 1.0), 1)] == [SCALE, SCALE]
    assert kind_of(Metric(2.0, 3.0), 8) == PULL
    assert kind_of(Metric(2.0, 0.0, 1.0), 8) == SUMS
    assert kind_of(Metric(2.0, 3.0, 1.0), 8) == SWEEPS


def test_the_override_is_obeyed_nested_and_undone(monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(dispatch, "_write_reference", lambda *_: calls.append("reference"))
    g = torch.randn(4, 3)
    with cdg_torch.backend("cpu"):
        with cdg_torch.backend("reference"):
            cdg_torch.riemannian_gradients_([g], METRIC)
            assert calls == ["reference"]
        assert choose(g) == "cpu"
        cdg_torch.riemannian_gradients_([g], METRIC)
    assert calls == ["reference"]
    assert choose(g) == "cpu"


def test_the_override_holds_for_its_own_thread() -> None:
    found = []
    with cdg_torch.backend("reference"):
        thread = threading.Thread(target=lambda: found.append(choose(torch.empty(3))))
        thread.start()
        thread.join()
    assert found == ["cpu"]


def test_an_override_that_cannot_serve_is_refused() -> None:
    with pytest.raises(ValueError, match="backend must be one of"), cdg_torch.backend("tpu"):
        pass
    with (
        cdg_torch.backend("cpu"),
        pytest.raises(ValueError, match=r"cpu backend cannot serve a torch.float32 tensor on meta"),
    ):
        cdg_torch.riemannian_gradients_([torch.empty(3, device="meta")], METRIC)


def test_what_is_not_installed_is_replaced_if_nobody_asked_for_it(monkeypatch) -> None:
    monkeypatch.setattr(backends, "_found", lambda package: package != "numba")
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setattr(backends, "_say_once", cache(backends._say_once.__wrapped__))
    g = torch.empty(3)
    with pytest.warns(UserWarning, match="the slower PyTorch reference serves: numba"):
        assert choose(g) == "reference"
    assert choose(g) == "reference"  # said once
    with cdg_torch.backend("cpu"), pytest.raises(ModuleNotFoundError, match="numba"):
        choose(g)


@pytest.mark.parametrize(
    ("triple", "features", "expected"),
    [
        ("x86_64-unknown-linux-gnu", {"f16c": True}, "cpu"),
        ("x86_64-unknown-linux-gnu", {"f16c": False}, "reference"),
        ("x86_64-unknown-linux-gnu", {}, "reference"),
        ("aarch64-unknown-linux-gnu", {}, "cpu"),
    ],
)
def test_float16_needs_a_processor_that_converts_it(
    monkeypatch, triple, features, expected
) -> None:
    llvm = pytest.importorskip("llvmlite.binding", reason="without Numba, no kernels")
    monkeypatch.setattr(llvm, "get_process_triple", lambda: triple)
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: features)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setattr(backends, "_half_converts", backends._half_converts.__wrapped__)
    assert choose(torch.empty(3, dtype=torch.float16)) == expected
    assert choose(torch.empty(3, dtype=torch.bfloat16)) == "cpu"


def test_a_mixed_list() -> None:
    metrics = [METRIC, Metric.l2(), MEMBERS["general"], Metric.reweighted_h0(3.0), METRIC]
    tensors = [
        torch.randn(5, 6, dtype=torch.float64),
        torch.randn(3, 2),
        torch.randn(4, 8).bfloat16(),
        torch.randn(2, 0),
        torch.randn(7, 3),
    ]
    dims, groups = [0, 0, 1, 0, -2], [1, 1, 2, 1, 7]
    expected = [
        cdg_torch.riemannian_gradient(g, metric, dim=dim, groups=count)
        for g, metric, dim, count in zip(tensors, metrics, dims, groups, strict=True)
    ]
    cdg_torch.riemannian_gradients_(tensors, metrics, dims=dims, groups=groups)
    assert all(torch.equal(g, k) for g, k in zip(tensors, expected, strict=True))


def test_a_list_that_was_checked_does_not_vouch_for_another() -> None:
    tensors = [torch.randn(4, 2), torch.randn(4, 2)]
    arguments = [METRIC] * 2, [0] * 2, [1] * 2
    write_riemannian_gradients(tensors, tensors, *arguments)
    before = [g.clone() for g in tensors]
    for metrics, dims, groups in (
        ([METRIC], [0] * 2, [1] * 2),
        ([METRIC] * 3, [0] * 2, [1] * 2),
        ([METRIC] * 2, [0], [1] * 2),
        ([METRIC] * 2, [0] * 2, [1] * 3),
        ([METRIC] * 2, [False] * 2, [1] * 2),
        ([METRIC] * 2, [0] * 2, [True] * 2),
    ):
        with pytest.raises((TypeError, ValueError)):
            write_riemannian_gradients(tensors, tensors, metrics, dims, groups)
    assert all(torch.equal(g, b) for g, b in zip(tensors, before, strict=True))


def test_lists_of_equal_shapes_keep_their_own_metrics() -> None:
    other, third = MEMBERS["general"], Metric.reweighted_h0(3.0)
    for metrics in ([METRIC, other], [METRIC, third], [other, third], [METRIC] * 2, [third, third]):
        tensors = [torch.randn(4, 3), torch.randn(4, 3)]
        expected = [
            cdg_torch.riemannian_gradient(g, m) for g, m in zip(tensors, metrics, strict=True)
        ]
        cdg_torch.riemannian_gradients_(tensors, metrics)
        assert all(torch.equal(g, k) for g, k in zip(tensors, expected, strict=True))


def test_lists_of_equal_shapes_keep_their_own_strides() -> None:
    rows, columns = torch.empty(4, 3), torch.empty(3, 4).t()
    for out, into in ((rows, columns), (columns, rows), (rows, rows), (columns, columns)):
        buffer = torch.empty_like(out)
        grad = torch.empty_like(into).copy_(torch.randn(4, 3))
        before = grad.clone()
        expected = cdg_torch.riemannian_gradient(grad, METRIC)
        write_riemannian_gradients([buffer], [grad], [METRIC], [0], [1])
        assert torch.equal(buffer, expected)
        assert torch.equal(grad, before)


def test_the_latest_checked_lists_are_kept_and_no_others(monkeypatch) -> None:
    g = torch.randn(4, 3)
    for i in range(lists._MOST + 3):
        cdg_torch.riemannian_gradients_([g], Metric.reweighted_h0(2.0 + i))
        assert len(lists._seen) <= lists._MOST
    monkeypatch.delattr(lists, "_checked")
    for i in range(3, lists._MOST + 3):
        cdg_torch.riemannian_gradients_([g], Metric.reweighted_h0(2.0 + i))
    with pytest.raises(NameError, match="_checked"):
        cdg_torch.riemannian_gradients_([g], Metric.reweighted_h0(2.0))


def test_an_empty_list() -> None:
    cdg_torch.riemannian_gradients_([], METRIC)


@pytest.mark.parametrize(
    ("arguments", "kwargs", "message"),
    [
        ((METRIC,), {"dims": [0]}, "dims must be one value or one per tensor"),
        (([METRIC] * 3,), {}, "metric must be one value or one per tensor"),
        ((METRIC,), {"groups": [1, 2, 3]}, "groups must be one value or one per tensor"),
        ((METRIC,), {"dims": [0, 2]}, "dim must be an axis"),
        ((METRIC,), {"groups": [1, 2]}, "groups must divide"),
        (([METRIC, 3],), {}, "metric must be a cdg_theory.Metric"),
    ],
)
def test_bad_arguments_change_nothing(arguments, kwargs, message) -> None:
    tensors = [torch.randn(4, 2), torch.randn(3, 2)]
    before = [g.clone() for g in tensors]
    with pytest.raises((TypeError, ValueError), match=message):
        cdg_torch.riemannian_gradients_(tensors, *arguments, **kwargs)
    assert all(torch.equal(g, b) for g, b in zip(tensors, before, strict=True))


@pytest.mark.parametrize("bad", [torch.arange(3), torch.eye(3).to_sparse(), "g"])
def test_a_bad_tensor_changes_nothing(bad) -> None:
    good = torch.randn(3, 3)
    before = good.clone()
    with pytest.raises(TypeError):
        cdg_torch.riemannian_gradients_([good, bad], METRIC)
    assert torch.equal(good, before)
