"""Where a gradient has a history, so has what the optimizer is given: the transform is part of it.

By hand each time: w⁺ = w − η M⁻¹g, differentiated by torch.
"""

import pytest
import torch
from torch import nn
from torch.func import functional_call

import cdg_torch
from cdg_torch import riemannian_gradient
from tests.tools.needs_torch import needs_torch
from tests.tools.small_training import METRIC, all_equal, weights_of

X = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1)).double()


def layer(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Conv1d(2, 6, 3, bias=False, dtype=dtype)


def loss(weight, stretch):
    """Return a loss whose gradient depends on ``stretch``, and is not linear in the weight."""
    return (functional_call(layer(), {"weight": weight}, X * stretch).sin() * X[0, 0, 0]).sum()


def hypergradient(step, make):
    """Return d loss(w⁺, 1)/d(stretch, rate, w) for one step along the gradient at w."""
    stretch, rate = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (1.3, 0.2))
    w = layer().weight
    (g,) = torch.autograd.grad(loss(w, stretch), w, create_graph=True)
    after = step(w, g, make, rate)
    return torch.autograd.grad(loss(after, 1.0), (stretch, rate, w), materialize_grads=True)


def attached_step(**options):
    def step(w, g, make, rate):
        model = layer()
        p = w.clone()
        p.retain_grad()
        model._parameters["weight"] = p
        p.grad = g
        optimizer = make([p], rate)
        cdg_torch.attach(optimizer, model, METRIC, **options)
        optimizer.step()
        assert (p.grad is g) is not options.get("inplace", False)
        return p

    return step


def by_hand(k_of):
    """Give k to torch's own optimizer, which is then trusted."""

    def step(w, g, make, rate):
        p = w.clone()
        p.retain_grad()
        p.grad = k_of(w, g)
        make([p], rate).step()
        return p

    return step


def inverse(g):
    return riemannian_gradient(g, METRIC)


def scaled(g):
    return inverse(g) * (g.norm() / inverse(g).norm())


def sgd(**kwargs):
    return lambda p, rate: torch.optim.SGD(p, lr=rate, differentiable=True, **kwargs)


DECAY = 0.3
CASES = {
    "SGD": (sgd(), {}, lambda _, g: inverse(g)),
    "in place": (sgd(), {"inplace": True}, lambda _, g: inverse(g)),
    "decay": (sgd(weight_decay=DECAY), {}, lambda _, g: inverse(g)),
    "decay transformed": (
        sgd(weight_decay=DECAY),
        {"transform_decay": True},
        lambda w, g: inverse(g + DECAY * w) - DECAY * w,
    ),
    "lengths matched": (sgd(), {"match_norm": True}, lambda _, g: scaled(g)),
    "Nesterov": (sgd(momentum=0.9, nesterov=True), {"stats": True}, lambda _, g: inverse(g)),
}


@needs_torch("2.7", "no history goes through a learning rate of SGD")
@pytest.mark.parametrize("case", CASES)
def test_a_differentiable_step(case) -> None:
    make, options, k_of = CASES[case]
    found = hypergradient(attached_step(**options), make)
    expected = hypergradient(by_hand(k_of), make)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)
    # What the cut graph would give: the direct part of the derivative only.
    cut = hypergradient(by_hand(lambda w, g: k_of(w, g).detach()), make)[2]
    assert (found[2] - cut).abs().max() > 1e-2


def along_the_update(w, g, make, rate):
    p = w.clone()
    p.retain_grad()
    p.grad = g
    make([p], rate).step()
    kept = 1 - rate * DECAY
    return kept * w + inverse(p - kept * w)


@pytest.mark.parametrize("match_norm", [False, True])
def test_a_differentiable_update(match_norm) -> None:
    def make(p, rate):
        return torch.optim.AdamW(p, lr=rate, differentiable=True, eps=1e-2, weight_decay=DECAY)

    def expected_step(w, g, make, rate):
        after, kept = along_the_update(w, g, make, rate), 1 - rate * DECAY
        if not match_norm:
            return after
        k = after - kept * w
        d = cdg_torch.apply_metric(k, METRIC)
        return kept * w + k * (d.norm() / k.norm())

    found = hypergradient(attached_step(where="update", match_norm=match_norm), make)
    for one, other in zip(found, hypergradient(expected_step, make), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def backward(model):
    """As ``backward(create_graph=True)``, which warns once in each process."""
    (model.weight.grad,) = torch.autograd.grad(
        loss(model.weight, 1.0), model.weight, create_graph=True
    )


def test_the_dual_norm_of_a_gradient_with_a_history_has_one() -> None:
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = cdg_torch.attach(optimizer, model, METRIC)
    backward(model)
    g = model.weight.grad
    (found,) = torch.autograd.grad(handle.dual_norm(), model.weight, retain_graph=True)
    (expected,) = torch.autograd.grad((g * inverse(g)).sum().sqrt(), model.weight)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    model.weight.grad = None


class Newton(torch.optim.Optimizer):
    """Divides by the diagonal of the derivative of what it is given, in the manner of AdaHessian.

    With z running over the unit vectors instead of random signs, z∘(Jᵀz) summed is exactly diag J.
    """

    @torch.no_grad()
    def step(self, closure=None):
        if closure is not None:
            with torch.enable_grad():
                closure()
        (p,) = self.param_groups[0]["params"]
        units = torch.eye(p.numel(), dtype=p.dtype).view(-1, *p.shape)
        (rows,) = torch.autograd.grad(
            [p.grad], [p], grad_outputs=[units], is_grads_batched=True, retain_graph=True
        )
        self.diagonal = (rows * units).sum(0)
        p.sub_(p.grad / (self.diagonal.abs() + 1.0))


@pytest.mark.parametrize("form", ["backward", "closure", "apply_", "in place"])
def test_a_second_order_optimizer_sees_the_derivative_of_the_gradient_in_the_metric(form) -> None:
    """diag(M⁻¹H): Newton's equation for k = M⁻¹g is M⁻¹H δ = −k, the same δ as H δ = −g."""
    model = layer()
    optimizer = Newton(model.parameters(), {})
    handle = cdg_torch.attach(optimizer, model, METRIC, inplace=form == "in place")
    w = model.weight.detach().clone().requires_grad_()
    hessian = torch.autograd.functional.hessian(lambda w: loss(w, 1.0), w)
    inverse_hessian = riemannian_gradient(hessian, METRIC)
    size = w.numel()
    diagonal = inverse_hessian.reshape(size, size).diagonal().view_as(w)
    k = inverse(torch.autograd.grad(loss(w, 1.0), w)[0])

    def closure():
        backward(model)

    if form == "closure":
        optimizer.step(closure)
    else:
        closure()
        if form == "apply_":
            handle.apply_()
        optimizer.step()
    torch.testing.assert_close(optimizer.diagonal, diagonal, rtol=1e-11, atol=1e-12)
    expected = w.detach() - k / (diagonal.abs() + 1)
    torch.testing.assert_close(model.weight.detach(), expected, rtol=1e-12, atol=1e-12)
    assert model.weight.grad.grad_fn is not None
    model.weight.grad = None  # a gradient with a history and its parameter hold each other


@pytest.mark.parametrize("inplace", [False, True])
def test_a_penalty_on_the_gradient_survives_the_step_of_another_optimizer(inplace) -> None:
    """An in-place transform overwrites no gradient that somebody's graph still needs."""
    model = layer()
    optimizer = Newton(model.parameters(), {})
    cdg_torch.attach(optimizer, model, METRIC, inplace=inplace)
    backward(model)
    g = model.weight.grad
    values = g.detach().clone()
    optimizer.step()
    assert torch.equal(g, values)
    model.weight.grad = None


def test_torch_s_own_optimizers_step_as_without_a_history() -> None:
    def run(history):
        model, seen = layer(), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        cdg_torch.attach(optimizer, model, METRIC)
        optimizer.register_step_pre_hook(lambda *_: seen.append(model.weight.grad.requires_grad))
        backward(model)
        if not history:
            model.weight.grad = model.weight.grad.detach()
        optimizer.step()
        assert seen == [False]
        model.weight.grad = None
        return weights_of(model)

    assert all_equal(run(history=True), run(history=False))
