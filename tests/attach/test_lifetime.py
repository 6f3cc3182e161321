"""An attached optimizer and its model are freed when they are dropped, without the collector."""

import gc
import weakref

import pytest
import torch

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network
from tests.tools.wrappers import Lookahead


def attached_to(kind, **options):
    def make(model):
        optimizer = kind(model.parameters(), lr=0.1)
        return optimizer, cdg_torch.attach(optimizer, model, METRIC, **options)

    return make


def ours(model):
    optimizer = cdg_torch.SGD(model, lr=0.1, momentum=0.9, metric=METRIC)
    return optimizer, optimizer.handle


MAKERS = {
    "plain": lambda model: (torch.optim.SGD(model.parameters(), lr=0.1), None),
    "SGD": attached_to(torch.optim.SGD),
    "Adam, update": attached_to(torch.optim.Adam, where="update", stats=True),
    "LBFGS": attached_to(torch.optim.LBFGS),
    "cdg_torch.SGD": ours,
}


@pytest.fixture
def no_collector():
    def round_trip():
        gc.collect()
        gc.disable()

    yield round_trip
    gc.enable()


def trained(maker):
    model = network()
    optimizer, handle = MAKERS[maker](model)
    schedule = None if handle is None else cdg_torch.LinearMetric(handle, steps=3)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, batches(1)[0])
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
        if maker != "LBFGS":
            optimizer.step()
        if schedule is not None:
            schedule.step()
    return model, optimizer, handle, schedule


@pytest.mark.parametrize("maker", MAKERS)
def test_freed_at_once(maker, no_collector) -> None:
    trained(maker)  # torch imports parts of itself at the first step
    no_collector()
    model, optimizer, handle, schedule = trained(maker)
    references = [weakref.ref(optimizer), weakref.ref(model), weakref.ref(model[0].weight)]
    if handle is not None:
        references += [weakref.ref(handle), weakref.ref(handle._attachment)]
    del model, optimizer, handle, schedule
    assert [reference() for reference in references] == [None] * len(references)


def test_freed_after_detach_and_after_a_failed_step(no_collector) -> None:
    no_collector()
    model, optimizer, handle, _ = trained("SGD")
    optimizer.zero_grad()
    with pytest.raises(RuntimeError, match="every gradient is None") as caught:
        optimizer.step()
    handle.detach()
    references = [weakref.ref(optimizer), weakref.ref(model)]
    del model, optimizer, handle, _, caught
    assert [reference() for reference in references] == [None, None]


def test_freed_between_apply_and_step(no_collector) -> None:
    no_collector()
    model, optimizer, handle, _ = trained("SGD")
    loss_of(model, batches(1)[0]).backward()
    handle.apply_()
    references = [weakref.ref(optimizer), weakref.ref(model), weakref.ref(model[0].weight)]
    del model, optimizer, handle, _
    assert [reference() for reference in references] == [None] * 3


def test_a_wrapper_is_freed_with_what_it_wraps(no_collector) -> None:
    no_collector()
    model = network()
    optimizer = Lookahead(torch.optim.SGD(model.parameters(), lr=0.1))
    handle = cdg_torch.attach(optimizer, model, METRIC)
    references = [weakref.ref(o) for o in (optimizer, optimizer._base_optimizer, model, handle)]
    del model, optimizer, handle
    assert [reference() for reference in references] == [None] * 4


def test_a_handle_keeps_its_optimizer_and_an_optimizer_its_metric(no_collector) -> None:
    no_collector()
    model, optimizer, handle, _ = trained("SGD")
    kept = weakref.ref(optimizer)
    del optimizer
    assert kept() is handle.optimizer
    optimizer = handle.optimizer
    gone = weakref.ref(handle)
    del handle, _
    assert gone() is None
    handle = cdg_torch.attached(optimizer)
    assert handle.is_attached
    assert handle is cdg_torch.attached(optimizer)
    assert handle.model is model


def test_a_step_alone_does_not_keep_its_optimizer() -> None:
    _model, optimizer, handle, _ = trained("SGD")
    step = optimizer.step
    del optimizer, handle, _
    with pytest.raises(ReferenceError, match="is gone; keep the optimizer"):
        step()
