"""An optimizer of several models: a warning if one of them is left out, none if nothing is."""

from itertools import chain

import pytest
import torch
from torch import nn

import cdg_torch
from tests.tools.small_training import METRIC, network
from tests.tools.training_loops import unit_sgd


def sgd(*parts):
    return torch.optim.SGD(chain(*(part.parameters() for part in parts)), lr=1.0)


def test_a_model_that_is_left_out_is_counted_and_the_cure_named() -> None:
    a, b = network(), network(1)
    optimizer = sgd(a, b)
    with pytest.warns(cdg_torch.CDGWarning) as said:
        cdg_torch.attach(optimizer, a, METRIC)
    (one,) = said
    assert one.filename == __file__
    convolutions = sum(p.ndim > 2 for p in b.parameters())
    assert str(one.message).startswith(f"{convolutions} of the optimizer's tensors with three axes")
    assert "attach(optimizer, nn.ModuleList([A, B]), metric)" in str(one.message)


def test_where_warnings_are_errors_nothing_is_attached() -> None:
    a = network()
    optimizer = sgd(a, network(1))
    with pytest.raises(cdg_torch.CDGWarning):
        cdg_torch.attach(optimizer, a, METRIC)
    assert cdg_torch.attached(optimizer) is None


class Loss(nn.Module):
    """A loss with parameters of its own, and a frozen network inside."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.zeros(()))
        self.prototypes = nn.Parameter(torch.zeros(3, 8))
        self.features = network(2).requires_grad_(requires_grad=False)


@pytest.mark.parametrize("other", [Loss, lambda: nn.Linear(4, 4)], ids=["a loss", "a head"])
def test_what_no_convolution_owns_is_no_cause_to_warn(other) -> None:
    a = network()
    cdg_torch.attach(sgd(a, other()), a, METRIC)


def test_several_models_given_as_one_or_one_of_two_optimizers() -> None:
    a, b = network(), network(1)
    both = cdg_torch.attach(sgd(a, b), nn.ModuleList([a, b]), METRIC)
    assert len(both.report().included) == 6
    only = cdg_torch.attach(unit_sgd(a), nn.ModuleList([a, b]), METRIC)
    assert len(only.report().included) == 3
