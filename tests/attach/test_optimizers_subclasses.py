"""cdg_torch.SGD, Adam and AdamW are torch's own classes with one more argument."""

import inspect

import pytest
import torch

import cdg_torch
from cdg_torch import Metric, Rule
from tests.tools.small_training import METRIC, batches, loss_of, network, same
from tests.tools.training_loops import train, train_by_hand

KINDS = {"SGD": {"momentum": 0.9, "weight_decay": 0.01}, "Adam": {}, "AdamW": {"amsgrad": True}}


def trained(make, steps=4):
    model = network()
    train(model, make(model), batches(steps))
    return model


@pytest.mark.parametrize("name", KINDS)
def test_equals_torch_with_the_transform_by_hand(name) -> None:
    ours, theirs = getattr(cdg_torch, name), getattr(torch.optim, name)
    assert issubclass(ours, theirs)
    options = {"lr": 0.01, **KINDS[name]}
    expected = train_by_hand(lambda model: theirs(model.parameters(), **options))
    for make in (
        lambda model: ours(model, metric=METRIC, **options),
        lambda model: ours(model.parameters(), model=model, metric=METRIC, **options),
        lambda model: ours(model, 0.01, metric=METRIC, **KINDS[name]),
        lambda model: ours(
            [{"params": [p]} for p in model.parameters()], model=model, metric=METRIC, **options
        ),
    ):
        assert same(trained(make), expected)


@pytest.mark.parametrize("name", KINDS)
def test_zero_smoothing_is_torch_bit_for_bit(name) -> None:
    ours, theirs = getattr(cdg_torch, name), getattr(torch.optim, name)
    plain = trained(lambda model: theirs(model.parameters(), lr=0.01, **KINDS[name]))
    zero = trained(lambda model: ours(model, lr=0.01, metric=Metric.l2(), **KINDS[name]))
    assert same(plain, zero)
    assert not same(
        plain, trained(lambda model: ours(model, lr=0.01, metric=METRIC, **KINDS[name]))
    )


@pytest.mark.parametrize("name", KINDS)
def test_state_repr_and_schedulers_are_torch_s(name) -> None:
    model, plain_model = network(), network()
    optimizer = getattr(cdg_torch, name)(model, lr=0.01, metric=METRIC)
    plain = getattr(torch.optim, name)(plain_model.parameters(), lr=0.01)
    assert repr(optimizer) == repr(plain)
    assert optimizer.state_dict() == plain.state_dict()
    plain.load_state_dict(optimizer.state_dict())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    loss_of(model, batches(1)[0]).backward()
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


@pytest.mark.parametrize("name", KINDS)
def test_parameters_without_their_model_are_refused(name) -> None:
    kind = getattr(cdg_torch, name)
    model = network()
    with pytest.raises(
        ValueError, match=rf"{name} got parameters without .*{name}\(model, \.\.\.\)"
    ):
        kind(model.parameters(), lr=0.1, metric=METRIC)
    with pytest.raises(ValueError, match=f"{name} got two models"):
        kind(model, lr=0.1, metric=METRIC, model=network())
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got .* of type list"):
        kind(model.parameters(), lr=0.1, metric=METRIC, model=[model])
    with pytest.raises(TypeError, match="metric"):
        kind(model, lr=0.1)
    with pytest.raises(ValueError, match="learning rate"):
        kind(model, lr=-1.0, metric=METRIC)


def test_every_option_of_attach_is_passed_on() -> None:
    names = set(inspect.signature(cdg_torch.attach).parameters) - {"optimizer", "model", "metric"}
    values = {
        "rules": [Rule(metric=None, name="0.*")],
        "inplace": True,
        "where": "gradient",
        "match_norm": True,
        "transform_decay": True,
        "require_gradients": False,
        "stats": True,
        "verbose": False,
    }
    assert set(values) == names
    optimizer = cdg_torch.SGD(network(), lr=0.1, metric=METRIC, **values)
    handle = optimizer.handle
    for name in names - {"rules", "verbose"}:
        assert getattr(handle.options, name) == values[name]
    assert len(handle.rules) == 2
