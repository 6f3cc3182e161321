"""A channel whose gradient is zeroed moves all the same, as the page says: M⁻¹ is dense."""

from pathlib import Path

import torch

from cdg_torch import Metric
from tests.tools.small_training import batches, loss_of
from tests.tools.training_loops import attached_network, unit_sgd

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "training-loop.md"


def test_a_frozen_channel_moves_and_the_cure_holds_it() -> None:
    said = " ".join(PAGE.read_text().split())
    assert "freeze by setting its part of the gradient to zero *moves*" in said
    for metric in (Metric.reweighted_h0(2.0), Metric.sobolev(1.0)):
        model, optimizer, _ = attached_network(unit_sgd, metric)
        weight = model[0].weight
        loss_of(model, batches(1)[0]).backward()
        weight.grad[2] = 0
        before = weight.detach().clone()
        optimizer.step()
        assert bool((weight[2] != before[2]).all())
        with torch.no_grad():
            weight[2] = before[2]
        assert torch.equal(weight[2], before[2])
