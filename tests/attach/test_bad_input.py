"""Bad input: a clear error that changes nothing, or the behaviour torch itself would show."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric, Rule
from tests.tools.small_training import METRIC, all_equal, batches, loss_of, network, weights_of
from tests.tools.training_loops import attached_network, expect_step, momentum_sgd, unit_sgd


class Wrapper(torch.optim.Optimizer):
    """Somebody's wrapper that is an Optimizer in name only."""

    def __init__(self, inner):
        self.inner = inner

    @property
    def param_groups(self):
        return self.inner.param_groups


class FullyShardedDataParallel(nn.Module):
    """Stands in by name for FSDP1, which torch refuses to build without an accelerator."""

    def __init__(self, module):
        super().__init__()
        self.module = module


ZeroOptimizer = type("DeepSpeedZeroOptimizer", (torch.optim.SGD,), {})
ZeroOptimizer.__module__ = "deepspeed.runtime.zero.stage_1_and_2"
Engine = type("Engine", (FullyShardedDataParallel,), {"__module__": "deepspeed.runtime.engine"})


def with_partitions(model):
    model[0].weight.ds_id = 0
    return model


# What is given for optimizer, model and metric, made of a model and its optimizer.
WRONG = {
    "no optimizer": (lambda m, _: (None, m, METRIC), "must be a torch.optim.Optimizer, got None"),
    "a class": (lambda m, _: (torch.optim.SGD, m, METRIC), "got the class torch.optim.sgd.SGD; "),
    "a wrapper": (
        lambda m, o: (Wrapper(o), m, METRIC),
        r"Wrapper wraps another optimizer .* attach",
    ),
    "parameters": (lambda m, o: (o, m.parameters(), METRIC), "model must be a torch.nn.Module"),
    "a number": (lambda m, o: (o, m, 10.0), r"metric must be a cdg_theory.Metric, got 10\.0"),
    "a string": (lambda m, o: (o, m, "h0"), "metric must be a cdg_theory.Metric, got 'h0'"),
    "FSDP1": (
        lambda m, o: (o, FullyShardedDataParallel(m), METRIC),
        r"FSDP1.*one-dimensional fragments.*fully_shard",
    ),
    "DeepSpeed's optimizer": (
        lambda m, _: (ZeroOptimizer(m.parameters(), lr=0.1), m, METRIC),
        r"optimizer belongs to DeepSpeed.*FSDP2",
    ),
    "DeepSpeed's parameters": (
        lambda m, o: (o, with_partitions(m), METRIC),
        r"ZeRO-3 parameters\) belongs to DeepSpeed",
    ),
    "DeepSpeed's engine": (lambda m, o: (o, Engine(m), METRIC), "model belongs to DeepSpeed"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments(wrong) -> None:
    arguments, message = WRONG[wrong]
    model = network()
    optimizer = momentum_sgd(model)
    with pytest.raises(TypeError, match=message):
        cdg_torch.attach(*arguments(model, optimizer))
    assert cdg_torch.attached(optimizer) is None
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("options", [{}, {"match_norm": True}], ids=str)
def test_a_bad_number_spoils_its_own_column_only(bad, options) -> None:
    model = nn.Conv2d(2, 6, 3, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    cdg_torch.attach(optimizer, model, METRIC, **options)
    model.weight.grad = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    model.weight.grad[2, 1, 0, 1] = bad
    optimizer.step()
    spoiled = ~torch.isfinite(model.weight)
    # the column of every output channel at input 1, tap (0, 1), and nothing else
    expected = torch.zeros(6, 2, 3, 3, dtype=torch.bool)
    expected[:, 1, 0, 1] = True
    assert torch.equal(spoiled, expected)


def test_sparse_gradients_are_refused_where_selected_and_pass_elsewhere() -> None:
    model = nn.Sequential(nn.Embedding(5, 4, sparse=True), nn.Conv1d(4, 6, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    handle = cdg_torch.attach(optimizer, model, METRIC)

    def backward():
        optimizer.zero_grad()
        model[1](model[0](torch.tensor([[1, 3]])).mT).square().sum().backward()

    backward()
    before = model[0].weight.detach().clone()
    optimizer.step()
    assert torch.equal(model[0].weight, before - model[0].weight.grad.to_dense())
    handle.detach()
    cdg_torch.attach(optimizer, model, None, rules=[Rule(metric=METRIC, types=nn.Embedding)])
    backward()
    before = weights_of(model)
    with pytest.raises(
        TypeError, match=r"gradient of 0\.weight must be dense, got layout torch.sp"
    ):
        optimizer.step()
    assert all_equal(model.parameters(), before)


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"match_norm": True}], ids=str)
def test_complex_gradients_are_smoothed_part_by_part(options) -> None:
    model = nn.Conv2d(2, 6, 3, bias=False, dtype=torch.complex128)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    handle = cdg_torch.attach(optimizer, model, METRIC, stats=True, **options)
    x = torch.randn(1, 2, 5, 5, dtype=torch.complex128)
    model(x).abs().square().sum().backward()
    before, grad = model.weight.detach().clone(), model.weight.grad.clone()
    k = torch.complex(
        cdg_torch.riemannian_gradient(grad.real, METRIC),
        cdg_torch.riemannian_gradient(grad.imag, METRIC),
    )
    if "match_norm" in options:
        k *= grad.norm() / k.norm()
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before - k, rtol=1e-12, atol=1e-12)
    assert handle.stats()["weight"].raw_norm == pytest.approx(grad.norm().item())


def test_a_flattened_weight_is_refused_at_the_step_too() -> None:
    model, optimizer, _ = attached_network()
    fragment = nn.Parameter(model[0].weight.detach().flatten()[:50])
    optimizer.param_groups[0]["params"][0] = fragment
    model[0].weight = fragment
    fragment.grad = torch.ones(50)
    with pytest.raises(
        ValueError, match=r"0\.weight has shape \(50,\), but .* has 4 axes: .*FSDP2"
    ):
        optimizer.step()
    assert torch.equal(fragment.grad, torch.ones(50))


def test_an_error_in_a_user_s_condition_reaches_the_user() -> None:
    def broken(*_):
        msg = "typo"
        raise KeyError(msg)

    model = network()
    with pytest.raises(KeyError, match="typo"):
        cdg_torch.attach(momentum_sgd(model), model, METRIC, rules=[Rule(metric=None, when=broken)])


def test_float16_and_float64_gradients() -> None:
    metric = Metric.reweighted_h0(2.0)
    for dtype in (torch.float16, torch.float64):
        model = network().to(dtype).eval()
        optimizer = unit_sgd(model)
        cdg_torch.attach(optimizer, model, metric)
        inputs, targets = batches(1)[0]
        loss_of(model, (inputs.to(dtype), targets)).backward()
        expect_step(optimizer, {model[0].weight: 0}, metric)
