"""The recipe for an ordered head is its three parts by hand, bit for bit; or nothing at all."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric, Rule


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 30))


def trained(model: nn.Sequential, prepare, kind: str) -> list[torch.Tensor]:
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.05, weight_decay=0.01)
    prepare(optimizer, model)
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        optimizer.zero_grad()
        inputs = torch.randn(6, 5, generator=generator)
        nn.functional.cross_entropy(model(inputs), torch.arange(6) * 5).backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize(
    ("kind", "order", "boundary", "where"),
    [("SGD", 2, "periodic", "gradient"), ("AdamW", 1, "natural", "update")],
)
def test_it_is_its_parts(kind, order, boundary, where) -> None:
    ends = {"derivative_order": order, "boundary": boundary}

    def by_hand(optimizer, model) -> None:
        rule = Rule(metric=Metric.of_length(4.0, **ends), name="2.weight")
        cdg_torch.attach(optimizer, model, None, rules=[rule], where=where).match_initialisation()

    def by_recipe(optimizer, model) -> None:
        cdg_torch.ordered_head(optimizer, model, "2.weight", 4.0, where=where, **ends)

    one, other = trained(network(), by_hand, kind), trained(network(), by_recipe, kind)
    plain = trained(network(), lambda *_: None, kind)
    assert all(map(torch.equal, one, other))
    assert not torch.equal(one[2], plain[2])


def test_what_fails_attaches_nothing_and_changes_no_weight() -> None:
    model = network()
    with torch.no_grad():
        model[2].weight[3, 2] = torch.inf
    before = model[2].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="weight must be finite, got 1 of 240"):
        cdg_torch.ordered_head(optimizer, model, "2.weight", 4.0)
    assert torch.equal(before, model[2].weight)
    cdg_torch.attach(optimizer, model, None, rules=[Rule(metric=Metric.l2(), name="2.weight")])
