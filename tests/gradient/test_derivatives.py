"""The gradient in the metric is linear and self-adjoint, and every kind of derivative knows it.

Forward and reverse mode, double backward, ``torch.func`` and its nestings, against dense matrices.
"""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import cdg_torch
from cdg_torch import Metric, metric_operand
from tests.tools.kernel_cases import GENERAL_CYCLE, MEMBERS

METRIC = MEMBERS[GENERAL_CYCLE]
CURVED = Metric(2.0, 0.5, 0.1, 0.2, boundary="periodic", spacing="unit")
FUNCTIONS = {
    "with a curvature": lambda g: cdg_torch.riemannian_gradient(g, CURVED, dim=1, groups=2),
    "M with a curvature": lambda g: cdg_torch.apply_metric(g, CURVED, dim=1, groups=2),
    "riemannian_gradient": lambda g: cdg_torch.riemannian_gradient(g, METRIC, dim=1, groups=2),
    "apply_metric": lambda g: cdg_torch.apply_metric(g, METRIC, dim=1, groups=2),
    "metric_power": lambda g: cdg_torch.metric_power(g, METRIC, -0.5, dim=1, groups=2),
    "metric_norm": lambda g: cdg_torch.metric_norm(g, METRIC, dim=1, groups=2),
    "dual_norm": lambda g: cdg_torch.dual_norm(g, METRIC, dim=1, groups=2),
    "inner_product": lambda g: cdg_torch.inner_product(g, g.cos(), METRIC, dim=1, groups=2),
}


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_finite_differences_in_both_modes_batched_and_twice(name) -> None:
    g = drawn(2, 6, 2).requires_grad_()
    options = {"check_forward_ad": True, "check_batched_grad": True}
    assert gradcheck(FUNCTIONS[name], g, check_batched_forward_grad=True, **options)
    assert gradgradcheck(FUNCTIONS[name], g, check_fwd_over_rev=True, check_rev_over_rev=True)


@pytest.mark.parametrize("member", MEMBERS)
def test_jacobians_are_the_dense_inverse(member) -> None:
    def k(g):
        return cdg_torch.riemannian_gradient(g, MEMBERS[member])

    g, tangent = drawn(5), drawn(5) + 1
    dense = torch.stack([k(e) for e in torch.eye(5, dtype=torch.float64)])
    for jacobian in (
        jacrev(k)(g),
        jacfwd(k)(g),
        vmap(lambda e: vjp(k, g)[1](e)[0])(torch.eye(5).double()),
    ):
        assert torch.allclose(jacobian, dense, rtol=0, atol=1e-14)
    assert torch.equal(jvp(k, (g,), (tangent,))[1], k(tangent))
    quadratic = hessian(lambda x: (x * k(x)).sum())(g)
    assert torch.allclose(quadratic, 2 * dense, rtol=0, atol=1e-13)
    assert torch.allclose(
        jacfwd(jacfwd(lambda x: (x * k(x)).sum()))(g), quadratic, rtol=0, atol=1e-13
    )


def test_per_sample_gradients() -> None:
    layer = torch.nn.Linear(3, 4).double()
    weights, samples = dict(layer.named_parameters()), drawn(6, 3)

    def loss(values, sample):
        w = cdg_torch.riemannian_gradient(values["weight"], METRIC)
        return functional_call(layer, {**values, "weight": w}, sample).square().sum()

    mapped = vmap(grad(loss), (None, 0))(weights, samples)["weight"]
    one_by_one = torch.stack([grad(loss)(weights, sample)["weight"] for sample in samples])
    assert torch.allclose(mapped, one_by_one, rtol=0, atol=1e-13)


def test_the_operand_of_a_metric_takes_part_too() -> None:
    g, operand = drawn(5, 2), metric_operand(METRIC)
    k = jvp(lambda x: cdg_torch.riemannian_gradient(x, operand), (g,), (g + 1,))[1]
    assert torch.equal(k, cdg_torch.riemannian_gradient(g + 1, METRIC))


def test_what_is_overwritten_in_place_is_not_differentiated_afterwards() -> None:
    w = drawn(4, 3).requires_grad_()
    for write in (lambda g: cdg_torch.riemannian_gradients_([g], METRIC), lambda g: g.mul_(2.0)):
        (g,) = torch.autograd.grad(w.pow(3).sum(), w, create_graph=True)
        penalty = g.square().sum()
        with torch.no_grad():
            write(g)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            penalty.backward()
