"""Every layer type is smoothed along its output channels and no other axis (T5, per layer).

The reference knows neither the library's axis rules nor its solver: each case says in plain
words how torch stores the weight, and M is built from its definition.
"""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

import cdg_torch
from cdg_torch import Metric, Rule
from tests.tools.dense_oracle import solve

METRICS = {
    "H0": Metric.reweighted_h0(4.0),
    "Sobolev": Metric.sobolev(0.3),
    "general periodic": Metric(2.0, 0.5, 0.1, boundary="periodic", spacing="unit"),
}

# layer, name of the trained tensor, axis of the output channel, number of blocks along it
CASES = {}
for d in (1, 2, 3):
    conv, transposed = getattr(nn, f"Conv{d}d"), getattr(nn, f"ConvTranspose{d}d")
    lazy, lazy_t = getattr(nn, f"LazyConv{d}d"), getattr(nn, f"LazyConvTranspose{d}d")
    CASES |= {
        # (out, in/groups, *kernel): the groups' outputs lie one block after the other
        f"Conv{d}d": (lambda c=conv: c(4, 6, 2), "weight", 0, 1),
        f"Conv{d}d groups=2": (lambda c=conv: c(4, 6, 2, groups=2), "weight", 0, 2),
        f"Conv{d}d one in per group": (lambda c=conv: c(4, 12, 2, groups=4), "weight", 0, 4),
        f"LazyConv{d}d": (lambda c=lazy: c(6, 2, groups=2), "weight", 0, 2),
        # (in, out/groups, *kernel): axis 1 is one group's outputs
        f"ConvTranspose{d}d": (lambda c=transposed: c(4, 6, 2), "weight", 1, 1),
        f"ConvTranspose{d}d groups=2": (lambda c=transposed: c(4, 6, 2, groups=2), "weight", 1, 1),
        f"LazyConvTranspose{d}d": (lambda c=lazy_t: c(6, 2), "weight", 1, 1),
    }
AWKWARD = {"stride": 2, "padding": 2, "dilation": 2, "padding_mode": "circular"}
ORIGINAL = "parametrizations.weight.original"
pruned = partial(prune.l1_unstructured, name="weight", amount=0.3)
CASES |= {
    "Conv2d dilated, strided, padded": (lambda: nn.Conv2d(4, 6, 3, **AWKWARD), "weight", 0, 1),
    "weight_norm": (lambda: weight_norm(nn.Conv2d(4, 6, 2)), f"{ORIGINAL}1", 0, 1),
    "spectral_norm": (lambda: spectral_norm(nn.ConvTranspose2d(4, 6, 2)), ORIGINAL, 1, 1),
    "pruned": (lambda: pruned(nn.Conv2d(4, 6, 2)), "weight_orig", 0, 1),
}


def attached(model, metric, rules=()):
    """Return an SGD of rate 1 with the metric attached, or with rules alone, and the handle."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return optimizer, cdg_torch.attach(optimizer, model, None if rules else metric, rules=rules)


def rows_of(model, metric=METRICS["Sobolev"], rules=()) -> dict:
    """Return the rows of the report by the names of the tensors."""
    return {row.name: row for row in attached(model, metric, rules)[1].report()}


def step_and_compare(model, x, name, metric, dim, groups, rules=()) -> None:
    """Take one SGD step of rate 1 and hold the change of the weight against M⁻¹g."""
    model(x)  # lazy modules get their shape
    model = model.double()
    optimizer, _ = attached(model, metric, rules)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    output = model(x if isinstance(model, nn.Embedding) else x.double())
    output.backward(torch.randn_like(output))
    optimizer.step()
    for key, p in model.named_parameters():
        change = (before[key] - p.detach()).numpy()
        grad = p.grad.numpy()
        expected = solve(grad, metric, dim, groups) if key == name else grad
        # n ≤ 12 and a condition number below 1e3: 1e-12 leaves room for both solvers' rounding.
        np.testing.assert_allclose(change, expected, rtol=1e-12, atol=1e-12, err_msg=key)
        if key == name:
            assert np.abs(change - grad).max() > 0.1 * np.abs(grad).max()


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("case", CASES)
def test_weight_follows_the_dense_solve_and_nothing_else_moves(case, metric) -> None:
    torch.manual_seed(1)
    make, name, dim, groups = CASES[case]
    layer = make()
    (spatial,) = (d for d in (1, 2, 3) if f"{d}d" in type(layer).__name__)
    step_and_compare(layer, torch.randn(2, 4, *(5,) * spatial), name, metric, dim, groups)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_linear_embedding_bias_and_norm_on_request(boundary) -> None:
    metric = Metric.ordinary_sobolev(0.2, boundary=boundary)
    for layer, x, parameter, dim, groups in (
        (nn.Linear(4, 6), torch.randn(3, 4), "weight", 0, 1),
        (nn.Linear(4, 6), torch.randn(3, 4), "bias", 0, 1),
        (nn.Conv1d(4, 6, 2, groups=2), torch.randn(3, 4, 5), "bias", 0, 2),
        (nn.ConvTranspose1d(4, 6, 2, groups=2), torch.randn(3, 4, 5), "bias", 0, 2),
        (nn.BatchNorm1d(4), torch.randn(9, 4), "weight", 0, 1),
        (nn.GroupNorm(2, 4), torch.randn(9, 4), "bias", 0, 1),
        # (tokens, features): the features are the outputs
        (nn.Embedding(5, 6), torch.tensor([0, 3, 4]), "weight", 1, 1),
    ):
        rule = Rule(metric=metric, types=type(layer), parameter=parameter)
        step_and_compare(layer, x, parameter, metric, dim, groups, rules=[rule])


LONE = {
    "depthwise Conv2d": lambda: nn.Conv2d(4, 4, 3, groups=4),
    "depthwise Conv1d": lambda: nn.Conv1d(4, 4, 3, groups=4),
    "depthwise ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 4, 3, groups=4),
    "one output channel": lambda: nn.Conv2d(4, 1, 3),
}


@pytest.mark.parametrize("name", LONE)
def test_a_lone_channel_is_left_alone_whatever_the_weight_of_the_mean(name) -> None:
    torch.manual_seed(0)
    layer = LONE[name]()
    model = nn.ModuleDict({"lone": layer, "other": nn.Conv2d(2, 3, 1)})
    optimizer, handle = attached(model, Metric(3.0, 1.0, 1.0))
    x = torch.randn(2, 4, *(5,) * (layer.weight.ndim - 2))
    layer(x).square().sum().backward()
    before = layer.weight.detach().clone()
    optimizer.step()
    assert torch.equal(layer.weight, before - layer.weight.grad)
    row = next(row for row in handle.report() if row.name == "lone.weight")
    assert row.metric is None
    assert row.reason == "one output channel per group: nothing to smooth"


def test_a_parametrization_of_unknown_meaning_is_left_alone_and_said_so() -> None:
    layer = orthogonal(nn.Conv2d(4, 4, 1))
    model = nn.Sequential(layer, nn.Conv2d(4, 4, 1))
    name = f"0.{ORIGINAL}"
    row = rows_of(model)[name]
    assert row.metric is None
    assert "parametrized by _Orthogonal" in row.reason
    assert "Rule with dim=" in row.reason
    # … and the rule that the reason speaks of works.
    where = {"name": "0.parametrizations.*", "types": nn.Module, "parameter": "*"}
    rule = Rule(metric=METRICS["Sobolev"], dim=0, **where)
    included = [row.name for row in rows_of(model, rules=[rule]).values() if row.metric is not None]
    assert included == [name]


def test_the_magnitude_of_weight_norm_is_left_alone() -> None:
    row = rows_of(weight_norm(nn.Conv2d(4, 6, 2)))[f"{ORIGINAL}0"]
    assert row.reason == "magnitude of weight_norm, which is not indexed like the weight"


def test_hook_based_weight_norm_is_read_the_same_way() -> None:
    with pytest.warns(FutureWarning, match="weight_norm"):
        model = nn.utils.weight_norm(nn.Conv2d(4, 6, 2))
    rows = rows_of(model)
    assert [row.name for row in rows.values() if row.metric is not None] == ["weight_v"]
    assert (
        rows["weight_g"].reason == "magnitude of weight_norm, which is not indexed like the weight"
    )


def lora() -> nn.ModuleDict:
    """Return a convolution with a low-rank update, its factors named as PEFT names them."""
    factors = {"lora_A": nn.Conv2d(4, 3, 3), "lora_B": nn.Conv2d(3, 6, 1)}
    named = {key: nn.ModuleDict({"default": factor}) for key, factor in factors.items()}
    return nn.ModuleDict({"base_layer": nn.Conv2d(4, 6, 3), **named})


def test_the_rank_axis_of_a_low_rank_update_is_no_output_channel() -> None:
    metric, name = METRICS["Sobolev"], "lora_A.default.weight"
    rows = rows_of(lora())
    acts = [name for name, row in rows.items() if row.metric is not None]
    assert acts == ["base_layer.weight", "lora_B.default.weight"]
    assert "axis 0 is the rank of the update, no output channel" in rows[name].reason
    assert rows_of(lora(), rules=[Rule(metric=metric, name=name)])[name].metric is None
    row = rows_of(lora(), rules=[Rule(metric=metric, name=name, dim=0)])[name]
    assert (row.metric, row.dim) == (metric, 0)


@pytest.mark.parametrize("kind", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("optimizer", ["foreach", "fused"])
def test_channels_last_weights_keep_their_strides(kind, optimizer) -> None:
    # A peer handed the fused step a differently strided view, and it stepped wrongly, silently.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ConvTranspose2d(6, 4, 2))
    model = model.to(memory_format=kind)
    metric = Metric.sobolev(0.3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, **{optimizer: True})
    cdg_torch.attach(optimizer, model, metric)
    seen = []
    optimizer.register_step_pre_hook(
        lambda *_: seen.extend(p.grad.stride() for p in model.parameters())
    )
    before = [p.detach().clone() for p in model.parameters()]
    output = model(torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last))
    output.backward(torch.randn_like(output))
    strides = [p.grad.stride() for p in model.parameters()]
    optimizer.step()
    assert seen == strides
    for index, dim in ((0, 0), (2, 1)):
        p = list(model.parameters())[index]
        change = (before[index] - p.detach()).double().numpy()
        expected = solve(p.grad.double().numpy(), metric, dim)
        # the float32 subtraction w − k rounds at the size of w and of k
        atol = 2**-23 * (np.abs(expected).max() * 8 + before[index].abs().max().item())
        np.testing.assert_allclose(change, expected, rtol=0, atol=atol)
