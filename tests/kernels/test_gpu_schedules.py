"""A metric that moves costs the GPU no new plan: the coefficients are sent, and nothing else."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from cdg_torch.solve.columns import Part
from cdg_torch.solve.gpu import run_gpu
from cdg_torch.solve.plan import kept_plan
from tests.tools.kernel_cases import CURVED, GENERAL, GENERAL_CYCLE, H0, MEMBERS, SOBOLEV
from tests.tools.kernel_errors import NARROW, error_in_eps, oracle

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHAPES = [(20, 3), (70, 2), (520, 1)]


def planned(metric, *shapes):
    parts = [Part(shape, (shape[1], 1), metric, 0, 1) for shape in shapes or SHAPES]
    return run_gpu.launch_plan(parts, torch.float32, torch.device(DEVICE), 1)


@pytest.mark.parametrize("member", [H0, SOBOLEV, GENERAL, GENERAL_CYCLE, "spline"])
def test_the_coefficients_are_those_of_a_new_plan(member) -> None:
    metric = MEMBERS[member]
    moved = Metric(
        metric.mean, 3 * metric.fluctuation, 2 * metric.derivative, metric.curvature / 2,
        boundary=metric.boundary, spacing=metric.spacing,
    )  # fmt: skip
    first = planned(metric)
    before = first.coefficients.clone()
    second = first.revalued({metric: moved})
    assert second is not None
    assert second.lists is first.lists
    assert torch.equal(second.coefficients, planned(moved).coefficients)
    assert torch.equal(first.coefficients, before)
    assert not torch.equal(second.coefficients, before)
    assert second.blocks.owners[0][0] is moved


@pytest.mark.parametrize("other", [H0, SOBOLEV, "spline"])
def test_another_kernel_needs_another_plan(other) -> None:
    assert planned(MEMBERS[GENERAL]).revalued({MEMBERS[GENERAL]: MEMBERS[other]}) is None


def test_plans_that_share_their_lists_serve_in_turn() -> None:
    metrics = MEMBERS[GENERAL], MEMBERS[GENERAL_CYCLE]
    gs = [torch.randn(shape, device=DEVICE) for shape in SHAPES[:2]]
    first = planned(metrics[0], *SHAPES[:2])
    plans = first, first.revalued({metrics[0]: metrics[1]})
    for metric, plan in [*zip(metrics, plans, strict=True)] * 2:
        ks = [torch.empty_like(g) for g in gs]
        addresses = (torch.tensor([t.data_ptr() for t in ts]).numpy() for ts in (ks, gs))
        plan.run(*addresses)
        for g, k in zip(gs, ks, strict=True):
            assert error_in_eps(k, oracle(g, metric)) <= NARROW


@pytest.mark.parametrize("metric", [MEMBERS[GENERAL], CURVED["spline"]], ids=["general", "spline"])
def test_a_step_of_a_schedule_sends_the_coefficients_alone(metric, monkeypatch) -> None:
    kept_plan.cache_clear()
    made: list[str] = []
    for name in ("launch_plan", "_send"):
        right = getattr(run_gpu, name)
        monkeypatch.setattr(
            run_gpu, name, lambda *a, right=right, name=name: made.append(name) or right(*a)
        )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 20, 1, bias=False), nn.Conv2d(20, 4, 1, bias=False))
    model.to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    handle = cdg_torch.attach(optimizer, model, metric)
    schedule = cdg_torch.LinearMetric(handle, steps=5)
    for step in range(3):
        before = [p.detach().clone() for p in model.parameters()]
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        made.clear()
        with cdg_torch.backend("gpu"):
            optimizer.step()
        assert made == ["_send"] if step else made.count("launch_plan") == 1
        for p, w in zip(model.parameters(), before, strict=True):
            k = oracle(p.grad, handle.metric)
            # The gradient is rounded, then the difference.
            allowed = torch.finfo(p.dtype).eps * (w.abs().max() + k.abs().max())
            assert (p - (w - k)).abs().max() <= allowed
        schedule.step()


def test_addresses_that_stay_the_same_are_not_sent_again(monkeypatch) -> None:
    sent: list[int] = []
    right = run_gpu._pinned
    monkeypatch.setattr(run_gpu, "_pinned", lambda array: sent.append(array.size) or right(array))
    metric = MEMBERS[GENERAL]
    first = planned(metric, (20, 3))
    plans = first, first.revalued({metric: MEMBERS[GENERAL_CYCLE]})
    for g in (torch.randn(20, 3, device=DEVICE), torch.randn(20, 3, device=DEVICE)):
        sent.clear()
        for plan in plans * 2:
            places = torch.tensor([g.data_ptr()]).numpy()
            plan.run(places, places)
            # And at first the memory that a capture would need.
            assert sent in ([2], [2, 2])
