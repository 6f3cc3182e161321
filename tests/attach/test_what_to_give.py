"""Where another object is given for optimizer or model, the error names it and what to give.

What it says to write is then written.
"""

import re
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim import SGD

import cdg_torch
from tests.tools.small_training import METRIC, network
from tests.tools.training_loops import unit_sgd


class Wrapper:
    """A framework's own kind of optimizer, around one or several of torch's."""

    def __init__(self, **inside):
        vars(self).update(inside)


class Hollow(SGD):
    """An optimizer in name only, as Accelerate's, Lightning's and Opacus's are."""

    def __init__(self, inner):
        self.original_optimizer = inner


HOLDERS = {
    "a scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 1),
    "in name only": Hollow,
    "a list": lambda o: [o],
    "a dict": lambda o: {"generator": o},
    "a list inside": lambda o: Wrapper(optimizers=[o]),
    "a dict inside": lambda o: Wrapper(by_name={"a": o}),
    **{
        name: partial(lambda name, o: Wrapper(**{name: o}), name)
        for name in ("opt", "base", "optimizer", "base_optimizer", "_optimizer")
    },
}


def refusal(optimizer, model) -> str:
    with pytest.raises(TypeError) as refused:
        cdg_torch.attach(optimizer, model, METRIC)
    return str(refused.value)


@pytest.mark.parametrize("holder", HOLDERS)
def test_the_optimizer_inside_is_named(holder) -> None:
    model = network()
    inner = unit_sgd(model)
    given = HOLDERS[holder](inner)
    call = re.search(
        r"attach to the torch optimizer that it holds, (attach\(.*\))$", refusal(given, model)
    )[1]
    assert cdg_torch.attached(inner) is None
    names = {"attach": cdg_torch.attach, "optimizer": given, "model": model, "metric": METRIC}
    assert eval(call, names).optimizer is inner


def test_of_several_optimizers_each_is_to_be_attached_to() -> None:
    model = network()
    said = refusal([unit_sgd(model) for _ in range(3)], model)
    assert said.endswith(
        "attach(optimizer[0], model, metric), attach(optimizer[1], model, metric), …"
    )


MAKERS = {"class": SGD, "partial": partial(SGD, lr=0.1), "function": lambda p: SGD(p, lr=0.1)}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_makes_an_optimizer_is_to_be_called_first(kind) -> None:
    model = network()
    call = re.search(r"as in (attach\(.*\))$", refusal(MAKERS[kind], model))[1]
    names = {"attach": cdg_torch.attach, "SGD": SGD, "model": model, "metric": METRIC}
    assert eval(call, names).is_attached


def test_the_two_in_the_wrong_order() -> None:
    model = network()
    said = refusal(model, unit_sgd(model))
    assert said.endswith("the optimizer comes first, attach(optimizer, model, metric)")


def test_other_things_are_named_in_full() -> None:
    class SGD:  # somebody's own
        pass

    said = refusal(SGD(), network())
    assert (
        f"got an object of type {__name__}.test_other_things_are_named_in_full.<locals>.SGD" in said
    )
    assert "torch.amp.grad_scaler.GradScaler" in refusal(torch.amp.GradScaler("cpu"), network())


def test_models_are_given_as_one() -> None:
    a, b = network(), network(1)
    optimizer = unit_sgd(nn.ModuleList([a, b]))
    assert "nn.ModuleList([A, B])" in refusal(optimizer, [a, b])
    assert "nn.ModuleList([A, B])" in refusal(optimizer, (a, b))
    assert 'nn.ModuleDict({"a": A, "b": B})' in refusal(optimizer, {"a": a})
    with pytest.raises(TypeError, match=r"nn\.ModuleList\(\[A, B\]\)"):
        cdg_torch.SGD([a, b], lr=0.1, metric=METRIC)


def test_parameters_are_not_the_model() -> None:
    model = network()
    for given in (
        model.parameters(),
        model.named_parameters(),
        [*model.parameters()],
        [*model.named_parameters()],
        model.state_dict(),
    ):
        assert "give the model that the parameters belong to" in refusal(unit_sgd(model), given)


def test_the_model_inside_is_named() -> None:
    model = network()
    trainer = SimpleNamespace(loss=nn.CrossEntropyLoss(), net_=model)
    assert refusal(unit_sgd(model), trainer).endswith("give the model that it holds, model.net_")
