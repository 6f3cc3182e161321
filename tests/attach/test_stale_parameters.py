"""A parameter that the model has replaced, and the optimizer not: an error that names it."""

import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import cdg_torch
from tests.tools.small_training import METRIC, all_equal, batches, loss_of, network, weights_of
from tests.tools.training_loops import attached_network, expect_step, unit_sgd

(BATCH,) = batches(1)


def replace(module, key="weight", **kwargs):
    fresh = nn.Parameter(getattr(module, key).detach().clone(), **kwargs)
    setattr(module, key, fresh)
    return fresh


@pytest.mark.parametrize("options", [{}, {"where": "update"}], ids=str)
@pytest.mark.parametrize("when", ["before backward", "after backward"])
@pytest.mark.parametrize("names", [["0.weight"], ["7.bias"], ["0.weight", "5.weight"]], ids=str)
def test_one_of_many_is_noticed_by_name(names, when, options) -> None:
    model, optimizer, handle = attached_network(unit_sgd, **options)
    held = [*optimizer.param_groups[0]["params"]]
    if when == "after backward":
        loss_of(model, BATCH).backward()
    for name in names:
        place, key = name.split(".")
        replace(model[int(place)], key)
    if when == "before backward":
        loss_of(model, BATCH).backward()
    weights = [p.detach().clone() for p in held]
    for _ in range(2):  # a report in between forgets nothing
        with pytest.raises(
            RuntimeError, match=f"replaced in the model .*: {', '.join(names)}; put"
        ):
            optimizer.step()
        assert f"any more, where it was {names[0]}" in str(handle.report())
    assert all_equal(held, weights)
    # The cure that the error names.
    fresh = {name: model.get_parameter(name) for name in names}
    optimizer.param_groups[0]["params"] = [*model.parameters()]
    optimizer.zero_grad()
    loss_of(model, BATCH).backward()
    optimizer.step()
    assert all(p.grad is not None for p in fresh.values())


def test_stale_from_the_first_step_with_a_closure() -> None:
    model, optimizer, _ = attached_network()
    replace(model[0])
    with pytest.raises(RuntimeError, match=r"0\.weight"):
        optimizer.step(lambda: loss_of(model, BATCH).backward())


def tie(model, _):
    model[2].weight = model[0].weight


def freeze(model, _):
    replace(model[2], requires_grad=False)


def add(model, optimizer):
    optimizer.add_param_group({"params": [replace(model[2])]})


def move(model, _):
    model[0].weight, model[2].weight = model[2].weight, model[0].weight


def drop(model, _):
    del model[2]


def swap_module(model, optimizer):
    model[2] = nn.Conv1d(3, 3, 1)
    optimizer.add_param_group({"params": model[2].parameters()})


LEGITIMATE = {
    "tied": tie,
    "replaced by a frozen one": freeze,
    "the optimizer got the new one, too": add,
    "moved": move,
    "dropped": drop,
    "another module": swap_module,
    "parametrized": lambda model, _: parametrizations.spectral_norm(model[2]),
    "pruned": lambda model, _: prune.l1_unstructured(model[2], "weight", 0.5),
    "nothing of the model's": lambda _, optimizer: optimizer.add_param_group(
        {"params": [nn.Parameter(torch.ones(2))]}
    ),
}


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("what", LEGITIMATE)
def test_what_is_no_mistake_goes_on(what, zero) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(3, 3, 1), nn.Tanh(), nn.Conv1d(3, 3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    cdg_torch.attach(optimizer, model, METRIC)
    x = torch.randn(2, 3, 4)
    model(x).square().sum().backward()
    optimizer.step()
    LEGITIMATE[what](model, optimizer)
    for _ in range(2):
        optimizer.zero_grad(set_to_none=zero)
        model(x).square().sum().backward()
        expect_step(optimizer, {model[0].weight: 0})


def test_a_loss_with_parameters_beside_a_stale_one() -> None:
    model, temperature = network(), nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([*model.parameters(), temperature], lr=1.0)
    cdg_torch.attach(optimizer, model, METRIC)
    for _ in range(2):
        (temperature * loss_of(model, BATCH)).backward()
        expect_step(optimizer, {model[0].weight: 0, temperature: None})
    replace(model[3])
    before = weights_of(model)
    with pytest.raises(RuntimeError, match=r"there before: 3\.weight; put"):
        optimizer.step()
    assert all_equal(model.parameters(), before)


def test_nothing_of_the_old_model_is_kept_once_the_optimizer_has_the_new_parameters() -> None:
    model, optimizer, _ = attached_network(unit_sgd)
    old = weakref.ref(model[0].weight)
    replace(model[0])
    optimizer.param_groups[0]["params"] = [*model.parameters()]
    loss_of(model, BATCH).backward()
    optimizer.step()
    optimizer.state.clear()
    assert old() is None
