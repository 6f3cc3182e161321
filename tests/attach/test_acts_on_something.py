"""A metric that acts on nothing in its optimizer is an error; a warning where it may be meant."""

import warnings

import pytest
import torch
from torch import nn
from torch.optim import SGD

import cdg_torch
from cdg_torch import Rule
from cdg_torch.notices import CDGWarning
from tests.tools.small_training import METRIC, SELECTED, all_equal, loss_of, network, weights_of
from tests.tools.training_loops import expect_step


def frozen(model):
    for name in SELECTED:
        model.get_parameter(name).requires_grad_(False)
    return model


def head(model):
    return [*model[7].parameters()]


def half_frozen():
    model = network()
    model[0].weight.requires_grad_(False)
    return model


# What an optimizer holds of a model, and where the selected tensors are said to be.
NOTHING = {
    "head only": (network, head, "0.weight, 3.weight, 5.weight: in no optimizer that has a"),
    "biases": (network, lambda m: [m[0].bias, m[4].bias], "in no optimizer"),
    "half of them frozen": (
        half_frozen,
        lambda m: [m[0].weight, *head(m)],
        "0.weight: frozen; 3.weight, 5.weight: in no optimizer",
    ),
}


@pytest.mark.parametrize("what", NOTHING)
def test_nothing_to_act_on_is_an_error_that_says_where_the_tensors_are(what) -> None:
    make, hold, where = NOTHING[what]
    model = make()
    optimizer = SGD(hold(model), lr=0.1)
    with pytest.raises(ValueError, match=f"acts on nothing in this SGD.*{where}"):
        cdg_torch.attach(optimizer, model, METRIC)
    assert cdg_torch.attached(optimizer) is None
    assert "step" not in vars(optimizer)


def test_our_own_classes_say_so_too() -> None:
    model = network()
    with pytest.raises(ValueError, match="acts on nothing in this AdamW"):
        cdg_torch.AdamW(head(model), model=model, metric=METRIC)


def with_another_half(model):
    other = SGD([model.get_parameter(name) for name in SELECTED], lr=0.1)
    cdg_torch.attach(other, model, METRIC)
    return other


# What may be meant, and so is a warning: what to keep, the model, what the optimizer holds, where.
MEANT = {
    "frozen, and held": (lambda _: None, lambda: frozen(network()), list, "weight: frozen"),
    "frozen, and not held": (lambda _: None, lambda: frozen(network()), head, "weight: frozen"),
    "in the other half": (with_another_half, network, head, "in another optimizer that has a"),
    "one single parameter": (lambda _: None, network, lambda m: [m[0].bias], "in no optimizer"),
}


@pytest.mark.parametrize("what", MEANT)
def test_where_it_may_be_meant_there_is_a_warning_at_the_users_line(what) -> None:
    keep, make, hold, where = MEANT[what]
    model = make()
    kept = keep(model)
    parameters = [*model.parameters()] if hold is list else hold(model)
    optimizer = SGD(parameters, lr=0.1)
    with pytest.warns(CDGWarning, match=f"acts on nothing in this SGD.*{where}") as caught:
        cdg_torch.attach(optimizer, model, METRIC)
    assert [warning.filename for warning in caught] == [__file__]
    assert kept is None or cdg_torch.attached(kept).is_attached


def test_the_other_half_counts_while_its_metric_is_attached() -> None:
    model = network()
    other = with_another_half(model)
    cdg_torch.attached(other).detach()
    with pytest.raises(ValueError, match="in no optimizer that has a metric"):
        cdg_torch.attach(SGD(head(model), lr=0.1), model, METRIC)
    with_another_half(model)  # and dropped at once
    with pytest.raises(ValueError, match="in no optimizer that has a metric"):
        cdg_torch.attach(SGD(head(model), lr=0.1), model, METRIC)


def test_one_optimizer_for_each_parameter() -> None:
    model = network()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        optimizers = [SGD([p], lr=1.0) for p in model.parameters()]
        handles = [cdg_torch.attach(o, model, METRIC) for o in optimizers]
    assert len(caught) == len(optimizers) - len(SELECTED)
    assert sum(len(handle.report().included) for handle in handles) == len(SELECTED)


def test_a_metric_that_acts_on_one_tensor_acts() -> None:
    model = network()
    cdg_torch.attach(SGD([model[3].weight, *head(model)], lr=0.1), model, METRIC)


def test_rules_without_a_metric_do_not_act() -> None:
    model = network()
    optimizer = SGD([model[0].weight, *head(model)], lr=0.1)
    rules = [Rule(metric=None, name="0.*")]
    with pytest.raises(ValueError, match="acts on nothing"):
        cdg_torch.attach(optimizer, model, METRIC, rules=rules)
    # With no metric at all, one is to be assigned.
    handle = cdg_torch.attach(optimizer, model, None)
    handle.metric = METRIC


def lazy():
    torch.manual_seed(0)
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))


def forward(model):
    model(torch.ones(1, 2, 5, 5)).square().sum().backward()


def test_with_lazy_layers_the_error_comes_at_the_first_step() -> None:
    model = lazy()
    optimizer = SGD(model[2].parameters(), lr=0.1)
    cdg_torch.attach(optimizer, model, METRIC)
    forward(model)
    weights = weights_of(model)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"acts on nothing.*0\.weight: in no optimizer"):
            optimizer.step()
    assert all_equal(model.parameters(), weights)
    # The group that was missing.
    optimizer.add_param_group({"params": model[0].parameters(), "lr": 1.0})
    expect_step(optimizer, {model[0].weight: 0})


def test_with_lazy_layers_the_warning_comes_once_at_the_users_line() -> None:
    model = lazy()
    optimizer = SGD([model[2].bias], lr=0.1)
    cdg_torch.attach(optimizer, model, METRIC)
    forward(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            optimizer.step()
    assert [warning.filename for warning in caught] == [__file__]


def test_gradual_unfreezing() -> None:
    model = frozen(network())
    optimizer = SGD(head(model), lr=1.0)
    with pytest.warns(CDGWarning, match="frozen"):
        handle = cdg_torch.attach(optimizer, model, METRIC)
    loss_of(model, (torch.ones(2, 2, 6, 6), torch.tensor([0, 1]))).backward()
    optimizer.step()
    assert handle.steps == 0
    model[0].weight.requires_grad_(True)
    optimizer.add_param_group({"params": [model[0].weight]})
    loss_of(model, (torch.ones(2, 2, 6, 6), torch.tensor([0, 1]))).backward()
    expect_step(optimizer, {model[0].weight: 0})
    assert handle.steps == 1
