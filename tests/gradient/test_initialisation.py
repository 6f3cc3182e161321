"""Matched initial weights: c·M^{-1/2}W with the mean square of W, one c for the whole tensor."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_theory.discrete import gram_power
from cdg_torch import Metric, Rule, matched_initialisation

EPS = 2.0**-52
METRICS = [
    Metric.reweighted_h0(9.0),
    Metric.sobolev(0.3),
    Metric.of_length(4.0, derivative_order=1),
    Metric.of_length(3.0, derivative_order=1, boundary="periodic"),
]


def draw(*shape: int, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize(
    ("shape", "dim", "groups"), [((12, 5), 0, 1), ((3, 8, 2), 1, 1), ((12, 2, 3), 0, 3)]
)
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e150])
def test_equals_the_dense_power(metric, shape, dim, groups, scale) -> None:
    w = scale * draw(*shape)
    found = matched_initialisation(w, metric, dim=dim, groups=groups)
    n = shape[dim] // groups
    root = torch.from_numpy(gram_power(metric, n, -0.5))
    blocks = (w / scale).movedim(dim, 0).reshape(groups, n, -1)
    smooth = (root @ blocks).reshape(w.movedim(dim, 0).shape).movedim(0, dim)
    expected = smooth * ((w / scale).norm() / smooth.norm())
    # Two transforms of n numbers, then a ratio of norms.
    torch.testing.assert_close(found / scale, expected, rtol=0, atol=100 * n * EPS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_keeps_mean_square_and_dtype(dtype) -> None:
    w = draw(16, 9, dtype=dtype)
    before = w.clone()
    found = matched_initialisation(w, Metric.of_length(3.0, derivative_order=1))
    assert found.dtype == dtype
    assert torch.equal(w, before)
    ratio = found.double().square().mean() / w.double().square().mean()
    assert abs(ratio.item() - 1) <= 2 * torch.finfo(dtype).eps


def test_limits() -> None:
    w = draw(6, 4)
    torch.testing.assert_close(matched_initialisation(w, Metric.l2()), w, rtol=0, atol=40 * EPS)
    assert not matched_initialisation(torch.zeros(6, 4), Metric.l2()).any()
    assert matched_initialisation(torch.empty(6, 0), Metric.l2()).shape == (6, 0)
    with pytest.raises(ValueError, match="weight must be finite"):
        matched_initialisation(w / 0, Metric.l2())


def model_and_handle(seed: int):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv1d(4, 8, 3), nn.Flatten(), nn.Linear(8, 32))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rule = Rule(metric=Metric.of_length(4.0, derivative_order=1), name="2.weight", types=nn.Linear)
    return model, cdg_torch.attach(optimizer, model, metric=None, rules=[rule]), optimizer


def test_the_handle_matches_what_it_acts_on_and_nothing_else() -> None:
    model, handle, optimizer = model_and_handle(3)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    handle.match_initialisation()
    for name, p in model.named_parameters():
        expected = before[name]
        if name == "2.weight":
            expected = matched_initialisation(expected, handle.rules[0].metric)
        assert torch.equal(p, expected)
    model(torch.ones(1, 4, 3)).sum().backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="1 steps have been taken"):
        handle.match_initialisation()


def test_reproducible() -> None:
    (one, first, _), (other, second, _) = model_and_handle(3), model_and_handle(3)
    torch.manual_seed(99)
    first.match_initialisation()
    second.match_initialisation()
    assert torch.equal(one[2].weight, other[2].weight)


def test_nothing_changes_where_one_weight_cannot_be_matched() -> None:
    model, handle, _ = model_and_handle(3)
    handle.rules[-1].metric = Metric.reweighted_h0(4.0)
    with torch.no_grad():
        model[2].weight[0, 0] = torch.nan
    before = model[0].weight.detach().clone()
    with pytest.raises(ValueError, match="must be finite"):
        handle.match_initialisation()
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0.0}, "length must lie between 1e-25 and 1e.37 channels, got 0.0"),
        ({"length": float("nan")}, "length must be finite"),
        ({"length": 2.0, "derivative_order": 3}, "derivative_order must be 1 or 2, got 3"),
        ({"length": 2.0, "boundary": "open"}, "boundary must be one of"),
    ],
)
def test_a_length_is_checked(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        Metric.of_length(**arguments)


@pytest.mark.parametrize("order", [1, 2])
def test_a_length_is_where_waves_are_halved(order) -> None:
    """At ω = 1/ℓ the lattice's 4 sin²(ω/2) is below ω² by at most ω⁴/12: so is the factor."""
    length, n = 8.0, 4096
    metric = Metric.of_length(length, derivative_order=order)
    ell = (2 * torch.sin(torch.tensor(0.5 / length, dtype=torch.float64))).square().item()
    kept = 1 / (1 + (metric.stiffness(n) + metric.rigidity(n) * ell) * ell)
    assert abs(kept - 0.5) <= 0.5 * order * length**-2 / 12


def test_weights_without_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="weight must hold numbers, got one on meta"):
        matched_initialisation(torch.ones(4, 2, device="meta"), Metric.l2())
