"""where="update", match_norm and transform_decay: what exactly is smoothed, and how strongly."""

import pytest
import torch

import cdg_torch
from cdg_torch import Metric, riemannian_gradient
from cdg_torch.attachment.decay import kept_fraction
from tests.tools.small_training import (
    METRIC,
    SELECTED,
    all_equal,
    batches,
    loss_of,
    network,
    same,
    weights_of,
)
from tests.tools.training_loops import attached_network, train_attached, train_by_hand, unit_sgd


def one_step(make, **options):
    """Return moves of a step, plain and attached, and the weights and gradients before it."""
    moves = []
    for attached in (False, True):
        model = network()
        optimizer = make(model)
        if attached:
            cdg_torch.attach(optimizer, model, METRIC, **options)
        loss_of(model, batches(1)[0]).backward()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer.step()
        moves.append({name: p.detach() - before[name] for name, p in model.named_parameters()})
    return *moves, before, {name: p.grad for name, p in model.named_parameters()}


MAKERS = {
    "SGD": lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    "Adam": lambda model: torch.optim.Adam(model.parameters(), lr=0.1),
    "RMSprop": lambda model: torch.optim.RMSprop(model.parameters(), lr=0.01),
}


def expected_move(key, move, metric=METRIC):
    """Return M⁻¹ of what a tensor would move by, or that itself where no rule selects it."""
    if key not in SELECTED:
        return move
    dim, groups = SELECTED[key]
    return riemannian_gradient(move, metric, dim=dim, groups=groups)


def close(actual, expected, *scales) -> None:
    # Differences of float32 weights: each of a handful of roundings is at most eps/2 of the scale.
    scale = max(t.abs().max().item() for t in (expected, *scales))
    torch.testing.assert_close(actual, expected, rtol=0, atol=8 * 2**-24 * scale)


@pytest.mark.parametrize("name", MAKERS)
def test_the_displacement_is_replaced_by_its_gradient_in_the_metric(name) -> None:
    plain, attached, before, _ = one_step(MAKERS[name], where="update")
    for key, move in plain.items():
        expected = expected_move(key, move)
        close(attached[key], expected, before[key])
        if key in SELECTED:
            assert (expected - move).abs().max() > 0.1 * move.abs().max()


def test_for_sgd_gradient_and_update_agree() -> None:
    # M⁻¹ is linear and so is momentum; with decay left out of both, only rounding differs.
    def make(model):
        return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)

    one = train_attached(make, steps=3)
    other = train_attached(make, steps=3, where="update")
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
    assert not same(one, train_attached(make, steps=3, metric=Metric.l2()))


@pytest.mark.parametrize("transform_decay", [False, True])
def test_decoupled_decay_is_left_out_of_the_update_unless_asked_for(transform_decay) -> None:
    def make(model):
        return torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)

    plain, attached, before, _ = one_step(make, where="update", transform_decay=transform_decay)
    for key in SELECTED:
        left_out = 0.0 if transform_decay else -0.1 * 0.5 * before[key]
        close(attached[key], expected_move(key, plain[key] - left_out) + left_out, before[key])


COUPLED = ("SGD", "Adam", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adamax", "ASGD", "RMSprop")


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("name", COUPLED)
def test_coupled_decay_transformed_equals_decay_in_the_loss(name, maximize) -> None:
    """M⁻¹(g ± λw): the same step as a plain optimizer without decay fed that gradient."""

    def make(model):
        kind = getattr(torch.optim, name)
        return kind(model.parameters(), lr=0.1, weight_decay=0.3, maximize=maximize)

    def add_decay(model):
        for p in model.parameters():
            p.grad.add_(p.detach(), alpha=-0.3 if maximize else 0.3)

    def make_without_decay(model):
        optimizer = make(model)
        optimizer.param_groups[0]["weight_decay"] = 0.0
        return optimizer

    expected = train_by_hand(make_without_decay, 1, add_decay)
    untransformed = train_attached(make, 1)
    for inplace in (False, True):
        actual = train_attached(make, 1, transform_decay=True, inplace=inplace)
        assert not same(actual, untransformed)
        for p, q in zip(actual.parameters(), expected.parameters(), strict=True):
            # Sign-like first steps (Adam) turn rounding into rounding: a relative error of
            # eps·(|g|+|λw|)/|M⁻¹(…)| of a step of size 0.1.
            torch.testing.assert_close(p, q, rtol=0, atol=2e-5)


def test_untransformed_decay_is_what_torch_adds() -> None:
    def make(model):
        return torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=0.3)

    _, attached, before, grads = one_step(make)
    for key in SELECTED:
        k = expected_move(key, grads[key])
        close(attached[key], -(k + 0.3 * before[key]), before[key])


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"where": "update"}], ids=str)
def test_match_norm_keeps_length_and_changes_direction(options) -> None:
    strong = Metric.sobolev(5.0)
    model, optimizer, _ = attached_network(unit_sgd, strong, match_norm=True, **options)
    loss_of(model, batches(1)[0]).backward()
    raw = {name: p.grad.clone() for name, p in model.named_parameters()}
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer.step()
    for key in SELECTED:
        move = before[key] - model.get_parameter(key).detach()
        k = expected_move(key, raw[key], strong)
        expected = k * (raw[key].norm() / k.norm())
        close(move, expected, before[key])
        assert (raw[key].norm() / k.norm() - 1).abs() > 0.05


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"where": "update"}], ids=str)
@pytest.mark.parametrize("order", ["AAA", "ABBAA"])
def test_match_norm_of_layers_of_one_size_is_each_one_s_own(order, options) -> None:
    # Their results lie side by side, at equal distances in memory or not.
    sizes = {"A": (4, 8), "B": (8, 4)}
    layers = [torch.nn.Conv2d(*sizes[letter], 3, bias=False) for letter in order]
    model, strong = torch.nn.ModuleList(layers), Metric.sobolev(5.0)
    optimizer = unit_sgd(model)
    cdg_torch.attach(optimizer, model, strong, match_norm=True, **options)
    generator = torch.Generator().manual_seed(0)
    for step in range(3):
        moves, before = {}, weights_of(model)
        for place, p in enumerate(model.parameters()):
            # Smooth and rough ones, large and small: each factor is another.
            g = torch.randn(p.shape, generator=generator)
            p.grad = 4.0**place * (g if (place + step) % 2 else g.cumsum(0))
            k = riemannian_gradient(p.grad, strong)
            moves[place] = k * (p.grad.norm() / k.norm())
        optimizer.step()
        for (place, p), old in zip(enumerate(model.parameters()), before, strict=True):
            close(old - p.detach(), moves[place], old)


def test_match_norm_of_a_zero_gradient_is_zero() -> None:
    model, optimizer, _ = attached_network(unit_sgd, match_norm=True)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    before = weights_of(model)
    optimizer.step()
    assert all_equal(model.parameters(), before)


def test_match_norm_of_a_gradient_that_vanishes_is_zero() -> None:
    model = torch.nn.Conv2d(1, 6, 1, bias=False).half()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    cdg_torch.attach(optimizer, model, Metric.reweighted_h0(100.0), match_norm=True)
    # alternating and the smallest number of float16: a hundredth of it rounds to nothing
    signs = torch.tensor([1.0, -1.0] * 3).reshape(6, 1, 1, 1)
    model.weight.grad = (signs * 2.0**-24).half()
    before = model.weight.detach().clone()
    optimizer.step()
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "weights"}, "where must be one of 'gradient', 'update', got 'weights'"),
        ({"where": "update", "inplace": True}, "inplace=True goes with where='gradient'"),
    ],
)
def test_bad_options_are_refused(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        attached_network(**options)


class Lion(torch.optim.Optimizer):
    """Sign descent with decoupled decay, by somebody else; or with coupled decay."""

    coupled = False

    def __init__(self, params, lr=0.1, weight_decay=0.5):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            decay = group["weight_decay"]
            for p in group["params"]:
                grad = p.grad + decay * p if self.coupled else p.grad
                if not self.coupled:
                    p.mul_(1 - group["lr"] * decay)
                p.sub_(group["lr"] * grad.sign())


class Coupled(Lion):
    coupled = True


class DecoupledSGD(torch.optim.SGD):
    """Derives from torch's, and decays in another way."""

    def step(self, closure=None):
        group = self.param_groups[0]
        decay, group["weight_decay"] = group["weight_decay"], 0.0
        torch._foreach_mul_([p.data for p in group["params"]], 1 - group["lr"] * decay)
        super().step(closure)
        group["weight_decay"] = decay


UNKNOWN = {"Lion": Lion, "Coupled": Coupled, "SGD overridden": DecoupledSGD}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_decay_is_not_guessed(name) -> None:
    model = network()
    optimizer = UNKNOWN[name](model.parameters(), lr=0.1, weight_decay=0.5)
    kind = type(optimizer).__name__
    with pytest.raises(ValueError, match=f"needs to know how {kind} applies its weight decay"):
        cdg_torch.attach(optimizer, model, METRIC, transform_decay=True)
    message = rf"weight_decay=0\.5 of {kind} is decoupled is not known.*transform_decay=True"
    with pytest.raises(ValueError, match=message):
        cdg_torch.attach(optimizer, model, METRIC, where="update")
    assert cdg_torch.attached(optimizer) is None
    # Set later, it is refused then, and nothing has changed.
    optimizer.param_groups[0]["weight_decay"] = 0.0
    cdg_torch.attach(optimizer, model, METRIC, where="update")
    optimizer.param_groups[0]["weight_decay"] = 0.5
    loss_of(model, batches(1)[0]).backward()
    before = weights_of(model)
    with pytest.raises(ValueError, match=message):
        optimizer.step()
    assert all_equal(model.parameters(), before)


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_decay_smoothed_with_the_rest(name) -> None:
    plain, attached, before, _ = one_step(
        lambda model: UNKNOWN[name](model.parameters(), lr=0.1, weight_decay=0.5),
        where="update",
        transform_decay=True,
    )
    for key, move in plain.items():
        close(attached[key], expected_move(key, move), before[key])


def test_decay_of_tensors_that_are_left_alone_does_not_matter() -> None:
    model = network()
    selected = [model.get_parameter(name) for name in SELECTED]
    others = [p for name, p in model.named_parameters() if name not in SELECTED]
    groups = [{"params": selected, "weight_decay": 0.0}, {"params": others}]
    cdg_torch.attach(Lion(groups), model, METRIC, where="update")


@pytest.mark.parametrize(("found_inf", "kept"), [(None, 0.99), (0.0, 0.99), (1.0, 1.0)])
def test_decoupled_decay_keeps_everything_in_a_step_that_is_skipped(found_inf, kept) -> None:
    # What GradScaler tells a fused optimizer: 1 where a gradient overflowed.
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=0.1, weight_decay=0.1)
    if found_inf is not None:
        optimizer.found_inf = torch.tensor(found_inf)
    assert float(kept_fraction(optimizer, optimizer.param_groups[0])) == pytest.approx(kept)


class Onwards(torch.optim.SGD):
    """Goes on where the step that it inherits ends."""

    def step(self, closure=None):
        super().step(closure)
        for parameter in self.param_groups[0]["params"]:
            parameter.data[0] += 8.0


def test_the_update_of_a_step_that_calls_the_inherited_one_is_all_of_it() -> None:
    layer = torch.nn.Conv1d(3, 4, 1, bias=False, dtype=torch.float64)
    torch.optim.SGD(layer.parameters(), lr=0.5)  # from then on the inherited step runs hooks, too
    optimizer = Onwards(layer.parameters(), lr=0.5)
    cdg_torch.attach(optimizer, layer, METRIC, where="update")
    layer.weight.data.zero_()
    layer.weight.grad = torch.arange(12.0, dtype=torch.float64).reshape(4, 3, 1)
    update = -0.5 * layer.weight.grad
    update[0] += 8.0
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), riemannian_gradient(update, METRIC))
