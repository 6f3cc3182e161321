"""Parameters are resolved at the step: frozen, None, tied, added, replaced, lazy ones."""

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric, Rule
from cdg_torch.layers import parameter_slots
from tests.tools.small_training import METRIC, batches, loss_of, network, same
from tests.tools.training_loops import (
    attached_network,
    expect_step,
    momentum_sgd,
    transform_by_hand,
    unit_sgd,
)


def reasons(handle) -> dict[str, str]:
    return {row.name: row.reason for row in handle.report()}


def attached_to(model, parameters=None):
    """Return an optimizer with rate 1 of a model's parameters, or some of them, and the handle."""
    optimizer = torch.optim.SGD(model.parameters() if parameters is None else parameters, lr=1.0)
    return optimizer, cdg_torch.attach(optimizer, model, METRIC)


def test_none_gradients_do_not_shift_the_others() -> None:
    # A peer indexed sizes by position among gradients: one None, and all filters were wrong.
    model = nn.ModuleList([nn.Conv2d(1, n, 1) for n in (3, 4, 5)])
    optimizer, _ = attached_to(model)
    for index in (0, 2):
        model[index](torch.randn(1, 1, 2, 2)).square().sum().backward()
    assert model[1].weight.grad is None
    expect_step(optimizer, {model[0].weight: 0, model[2].weight: 0})
    assert model[1].weight.grad is None


def test_frozen_and_unfrozen() -> None:
    model = network()
    model[0].requires_grad_(requires_grad=False)
    optimizer, handle = attached_to(model)
    assert reasons(handle)["0.weight"] == "frozen (requires_grad=False)"
    (batch,) = batches(1)
    loss_of(model, batch).backward()
    frozen = model[0].weight.detach().clone()
    optimizer.step()
    assert torch.equal(model[0].weight, frozen)
    model[0].requires_grad_(requires_grad=True)
    optimizer.zero_grad()
    loss_of(model, batch).backward()
    expect_step(optimizer, {model[0].weight: 0})
    assert "0.weight" in [row.name for row in handle.report().included]


def test_tied_parameters_are_transformed_once() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    model[1].weight = model[0].weight
    optimizer, handle = attached_to(model)
    (row,) = handle.report().included
    assert (row.name, row.also) == ("0.weight", ("1.weight",))
    assert "0.weight = 1.weight" in str(handle.report())
    model(torch.randn(1, 3, 2, 2)).square().sum().backward()
    expect_step(optimizer, {model[0].weight: 0})


def test_tied_with_conflicting_axes_is_left_alone_unless_a_rule_decides() -> None:
    # An autoencoder that decodes with the encoder's own kernel: output channels on axis 0 and 1.
    model = nn.Sequential(nn.Conv2d(3, 5, 2), nn.ConvTranspose2d(5, 3, 2), nn.Conv2d(3, 4, 1))
    model[1].weight = model[0].weight
    optimizer, handle = attached_to(model)
    assert reasons(handle)["0.weight"] == (
        "tied to 1.weight, which reads its output channels along another axis; "
        "a Rule with dim= decides"
    )
    model(torch.randn(1, 3, 4, 4)).square().sum().backward()
    expect_step(optimizer, {model[0].weight: None, model[2].weight: 0})
    handle.detach()
    cdg_torch.attach(optimizer, model, METRIC, rules=[Rule(metric=METRIC, name="0.*", dim=1)])
    expect_step(optimizer, {model[0].weight: 1, model[2].weight: 0})


def test_one_that_is_tied_no_more_is_read_again() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 2), nn.ConvTranspose2d(5, 3, 2), nn.Conv2d(3, 4, 1))
    model[1].weight = model[0].weight
    optimizer, _ = attached_to(model)
    model(torch.randn(1, 3, 4, 4)).square().sum().backward()
    expect_step(optimizer, {model[0].weight: None, model[2].weight: 0})
    model[1].weight = nn.Parameter(torch.randn(5, 3, 2, 2), requires_grad=False)
    expect_step(optimizer, {model[0].weight: 0, model[2].weight: 0})


def test_a_module_in_two_places_or_inside_itself_is_walked_once() -> None:
    shared = nn.Conv2d(2, 2, 1)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    shared.add_module("above", model)
    names = [name for name, _ in model.named_parameters()]
    assert [slot.name for slot in parameter_slots(model)] == names == ["0.weight", "0.bias"]


def test_added_groups() -> None:
    backbone, head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, 1)
    model = nn.Sequential(backbone, head)
    optimizer, handle = attached_to(model, backbone.parameters())
    assert reasons(handle)["1.weight"] == "not in the optimizer"
    optimizer.add_param_group({"params": head.parameters()})
    model(torch.randn(1, 2, 5, 5)).square().sum().backward()
    expect_step(optimizer, {backbone.weight: 0, head.weight: 0})


def test_a_layer_grown_after_attach() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3))
    optimizer, _ = attached_to(model)
    grown = nn.ConvTranspose2d(4, 3, 1)
    # Held by the optimizer before the model knows it, with a step in between …
    optimizer.add_param_group({"params": grown.parameters()})
    grown(model(torch.randn(1, 2, 5, 5))).square().sum().backward()
    expect_step(optimizer, {grown.weight: None})
    # … and found as soon as the model does.
    model.append(grown)
    optimizer.zero_grad()
    model(torch.randn(1, 2, 5, 5)).square().sum().backward()
    expect_step(optimizer, {grown.weight: 1})


def test_replaced_parameters_are_found_again() -> None:
    model, optimizer, _ = attached_network(unit_sgd)
    # What sharding and device moves do: new tensors in the same places, in model and optimizer.
    fresh = {}
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            fresh[p] = nn.Parameter(p.detach().clone())
            setattr(module, name, fresh[p])
    for group in optimizer.param_groups:
        group["params"] = [fresh[p] for p in group["params"]]
    loss_of(model, batches(1)[0]).backward()
    expect_step(optimizer, {model[0].weight: 0, model[5].weight: 1, model[7].weight: None})


def test_a_parameter_that_moves_to_another_layer_changes_its_axis() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.ConvTranspose2d(3, 3, 1, bias=False))
    optimizer, _ = attached_to(model)
    model[0].weight, model[1].weight = model[1].weight, model[0].weight
    model(torch.randn(1, 3, 2, 2)).square().sum().backward()
    expect_step(optimizer, {model[0].weight: 0, model[1].weight: 1})


def test_a_parameter_that_comes_into_an_empty_place_is_found() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 3))
            self.register_parameter("extra", None)

    head, extra = Head(), nn.Parameter(torch.zeros(6, 5))
    optimizer = torch.optim.SGD([head.weight, extra], lr=1.0)
    rule = Rule(metric=METRIC, types=Head, parameter="*", dim=0)
    cdg_torch.attach(optimizer, head, None, rules=[rule])
    for inside in (False, True):
        if inside:
            head.extra = extra
        for p in (head.weight, extra):
            p.grad = torch.arange(float(p.numel())).reshape(p.shape) ** 2
        expect_step(optimizer, {head.weight: 0, **({extra: 0} if inside else {})})


def test_parameters_replaced_behind_the_optimizers_back_raise() -> None:
    model, optimizer, _ = attached_network(unit_sgd)
    loss_of(model, batches(1)[0]).backward()
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(p.detach().clone()))
    with pytest.raises(RuntimeError, match="belongs to the model any more"):
        optimizer.step()


def test_lazy_layers_are_read_after_their_first_forward_pass() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyConvTranspose2d(3, 2))
    optimizer, handle = attached_to(model)
    assert reasons(handle)["0.weight"].startswith("not initialized yet")
    model(torch.randn(1, 2, 5, 5)).square().sum().backward()
    expect_step(optimizer, {model[0].weight: 0, model[1].weight: 1})


def test_parameters_of_a_loss_in_one_optimizer_with_the_model_s() -> None:
    model, loss_head = nn.Conv2d(2, 4, 3), nn.Linear(3, 2)
    optimizer, handle = attached_to(model, [*model.parameters(), *loss_head.parameters()])
    assert reasons(handle)["<group 0, parameter 2>"] == "not a parameter of this model"
    loss_head(model(torch.randn(1, 2, 5, 5))).square().sum().backward()
    expect_step(optimizer, {model.weight: 0, loss_head.weight: None})


def test_all_gradients_none_is_an_error_unless_said() -> None:
    model, optimizer, handle = attached_network(unit_sgd)
    with pytest.raises(RuntimeError, match=r"every gradient is None.*require_gradients=False"):
        optimizer.step()
    handle.detach()
    cdg_torch.attach(optimizer, model, METRIC, require_gradients=False)
    reference = network()
    optimizer.step()
    assert same(model, reference)


def test_wrapped_models_keep_their_names() -> None:
    model = network()
    compiled = torch.compile(model, backend="eager")
    averaged = torch.optim.swa_utils.AveragedModel(network())
    for wrapped in (compiled, averaged, nn.DataParallel(model)):
        handle = cdg_torch.attach(momentum_sgd(wrapped), wrapped, METRIC)
        assert [row.name for row in handle.report()] == [n for n, _ in model.named_parameters()]


def test_accumulation_transforms_the_sum_once() -> None:
    def train(attached: bool):
        model = network().eval()
        optimizer = momentum_sgd(model)
        if attached:
            cdg_torch.attach(optimizer, model, METRIC)
        data = batches(6)
        for start in (0, 3):
            optimizer.zero_grad()
            for batch in data[start : start + 3]:
                (loss_of(model, batch) / 3).backward()
            if not attached:
                transform_by_hand(model)
            optimizer.step()
        return model

    assert same(train(attached=True), train(attached=False))


def test_two_steps_on_the_same_gradients_transform_each_time_from_raw() -> None:
    model, optimizer, _ = attached_network(unit_sgd)
    loss_of(model, batches(1)[0]).backward()
    for _ in range(2):
        expect_step(optimizer, {model[0].weight: 0, model[5].weight: 1})


def test_metric_of_the_identity_hands_over_the_very_gradient() -> None:
    model, optimizer, _ = attached_network(unit_sgd, Metric.l2())
    loss_of(model, batches(1)[0]).backward()
    grads = [p.grad for p in model.parameters()]
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.extend(p.grad for p in model.parameters()))
    optimizer.step()
    assert all(a is b for a, b in zip(grads, seen, strict=True))
