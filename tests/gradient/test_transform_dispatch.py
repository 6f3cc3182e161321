"""What serves a tensor follows from the tensor; an override is obeyed or refused."""

import threading
from functools import cache

import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from cdg_torch.gradient import write_gradients
from cdg_torch.solve import Job, backends, plan
from cdg_torch.solve.backends import choose
from cdg_torch.solve.coefficients import PAIRS, PULL, SCALE, SUMS, SWEEPS, kind_of
from tests.tools.kernel_cases import CURVED, DTYPES, GENERAL, MEMBERS, SOBOLEV

METRIC = MEMBERS[SOBOLEV]


def test_tensors_in_main_memory_go_to_the_cpu_kernels() -> None:
    for dtype in DTYPES:
        assert choose(torch.empty(3, dtype=dtype)) == "cpu"
    assert choose(torch.empty(3, device="meta")) == "torch"


def test_each_member_of_the_family_has_the_cheapest_kernel() -> None:
    assert [kind_of(Metric(2.0, 2.0), 8), kind_of(Metric(2.0, 3.0, 1.0), 1)] == [SCALE, SCALE]
    assert kind_of(Metric(2.0, 3.0), 8) == PULL
    assert kind_of(Metric(2.0, 0.0, 1.0), 8) == SUMS
    assert kind_of(Metric(2.0, 3.0, 1.0), 8) == SWEEPS
    assert {kind_of(metric, 8) for metric in CURVED.values()} == {PAIRS}
    assert kind_of(Metric.spline(1.0), 1) == SCALE


def test_the_override_is_obeyed_nested_and_undone(monkeypatch) -> None:
    calls = []
    solve_gram = plan.solve_gram
    monkeypatch.setattr(
        plan, "solve_gram", lambda *a: (calls.append("reference"), solve_gram(*a))[1]
    )
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
    monkeypatch.setattr(backends, "say_once", cache(backends.say_once.__wrapped__))
    assert choose(torch.empty(backends.LARGE - 1)) == "torch"  # not worth a word
    g = torch.empty(backends.LARGE)
    with pytest.warns(cdg_torch.CDGWarning, match="plain PyTorch is used, which is slower: numba"):
        assert choose(g) == "torch"
    assert choose(g) == "torch"  # said once
    with cdg_torch.backend("cpu"), pytest.raises(ModuleNotFoundError, match="numba"):
        choose(g)


@pytest.mark.parametrize(
    ("triple", "features", "expected"),
    [
        ("x86_64-unknown-linux-gnu", {"f16c": True}, "cpu"),
        ("x86_64-unknown-linux-gnu", {"f16c": False}, "torch"),
        ("x86_64-unknown-linux-gnu", {}, "torch"),
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
    metrics = [METRIC, Metric.l2(), MEMBERS[GENERAL], Metric.reweighted_h0(3.0), METRIC]
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
    write_gradients([Job(g, g, METRIC) for g in tensors])
    before = [g.clone() for g in tensors]
    for other in ({"metric": 2.0}, {"dim": False}, {"dim": 2}, {"groups": True}, {"groups": 3}):
        with pytest.raises((TypeError, ValueError)):
            write_gradients([Job(g, g, METRIC)._replace(**other) for g in tensors])
    assert all(torch.equal(g, b) for g, b in zip(tensors, before, strict=True))


def test_lists_of_equal_shapes_keep_their_own_metrics() -> None:
    other, third = MEMBERS[GENERAL], Metric.reweighted_h0(3.0)
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
        write_gradients([Job(buffer, grad, METRIC)])
        assert torch.equal(buffer, expected)
        assert torch.equal(grad, before)


def test_a_list_is_planned_once_and_the_latest_plans_are_kept() -> None:
    plan.kept_plan.cache_clear()
    g, most = torch.randn(4, 3), plan.kept_plan.cache_info().maxsize
    for i in range(most + 3):
        cdg_torch.riemannian_gradients_([g], Metric.reweighted_h0(2.0 + i))
        cdg_torch.riemannian_gradient(g, Metric.reweighted_h0(2.0 + i))
    assert plan.kept_plan.cache_info()[:2] == (most + 3, most + 3)
    assert plan.kept_plan.cache_info().currsize == most
    cdg_torch.riemannian_gradients_([g], Metric.reweighted_h0(2.0))
    assert plan.kept_plan.cache_info().misses == most + 4


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
