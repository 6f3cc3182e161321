"""A copied or unpickled optimizer goes on transforming, for its own copy of the model."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import cdg_torch
from tests.tools.small_training import METRIC, batches, network, same
from tests.tools.training_loops import momentum_sgd, train


def by_deepcopy(pair):
    return copy.deepcopy(pair)


def by_pickle(pair):
    return pickle.loads(pickle.dumps(pair))


def by_torch_save(pair):
    buffer = io.BytesIO()
    torch.save(pair, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


MAKERS = {
    "attached SGD": lambda model: attach_to(momentum_sgd(model), model),
    "attached Adam": lambda model: attach_to(torch.optim.Adam(model.parameters()), model),
    "cdg_torch.SGD": lambda model: cdg_torch.SGD(model, lr=0.1, momentum=0.9, metric=METRIC),
    "cdg_torch.AdamW": lambda model: cdg_torch.AdamW(
        model.parameters(), model=model, metric=METRIC, where="update"
    ),
}


def attach_to(optimizer, model):
    return cdg_torch.attach(optimizer, model, METRIC).optimizer


@pytest.mark.parametrize("duplicate", [by_deepcopy, by_pickle, by_torch_save])
@pytest.mark.parametrize("order", ["model first", "optimizer first"])
@pytest.mark.parametrize("maker", MAKERS)
def test_the_copy_trains_like_the_original(maker, order, duplicate) -> None:
    model = network()
    optimizer = MAKERS[maker](model)
    first, *rest = batches(3)
    train(model, optimizer, [first])
    if order == "model first":
        model2, optimizer2 = duplicate((model, optimizer))
    else:
        optimizer2, model2 = duplicate((optimizer, model))
    assert type(optimizer2) is type(optimizer)
    assert same(model, model2)
    twin = cdg_torch.attached(optimizer2)
    assert twin is not None
    assert twin is not cdg_torch.attached(optimizer)
    assert twin.model is model2
    assert twin.optimizer is optimizer2
    for batch in rest:
        train(model, optimizer, [batch])
        train(model2, optimizer2, [batch])
    assert same(model, model2)
    # They are independent: the copy can be detached, and still copied as a plain one.
    twin.detach()
    assert cdg_torch.attached(optimizer) is not None
    assert cdg_torch.attached(copy.deepcopy(optimizer2)) is None


@pytest.mark.parametrize("duplicate", [by_deepcopy, by_pickle])
def test_a_copied_optimizer_alone_holds_its_own_model(duplicate) -> None:
    model = network()
    optimizer = duplicate(MAKERS["attached SGD"](model))
    twin = cdg_torch.attached(optimizer)
    assert optimizer.param_groups[0]["params"][0] is twin.model[0].weight
    assert twin.model[0].weight is not model[0].weight


@pytest.mark.parametrize("duplicate", [by_deepcopy, by_pickle])
def test_a_copied_handle_brings_its_optimizer(duplicate) -> None:
    model = network()
    handle = cdg_torch.attached(MAKERS["attached SGD"](model))
    twin = duplicate(handle)
    assert twin.is_attached
    assert cdg_torch.attached(twin.optimizer) is twin
    train(twin.model, twin.optimizer, batches(1))
    train(model, handle.optimizer, batches(1))
    assert same(twin.model, model)


class Trainer(nn.Module):
    """A module that holds its optimizer and its handle, as people write them."""

    def __init__(self):
        super().__init__()
        self.net = network()
        self.optimizer = momentum_sgd(self.net)
        self.handle = cdg_torch.attach(self.optimizer, self.net, METRIC)


@pytest.mark.parametrize("duplicate", [by_deepcopy, by_pickle])
def test_cycles_through_the_model(duplicate) -> None:
    trainer = Trainer()
    twin = duplicate(trainer)
    assert twin.handle.is_attached
    assert twin.handle.model is twin.net
    for one in (trainer, twin):
        train(one.net, one.optimizer, batches(1))
    assert same(trainer.net, twin.net)


def test_a_shallow_copy_is_refused() -> None:
    optimizer = MAKERS["attached SGD"](network())
    with pytest.raises(TypeError, match=r"shallow copy of this SGD .* use copy\.deepcopy"):
        copy.copy(optimizer)
