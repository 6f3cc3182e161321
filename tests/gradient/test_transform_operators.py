"""The operators keep torch's rules: opcheck, autograd, vmap, and compiling once for all metrics."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

import cdg_torch
from cdg_torch import Metric, metric_operand
from cdg_torch.gradient import write_gradients
from cdg_torch.operators import along_channels, from_operand, write_operator
from cdg_torch.solve import Job
from tests.tools.kernel_cases import GENERAL_CYCLE, MEMBERS, MODERATE

METRIC = MEMBERS[GENERAL_CYCLE]

# From torch 2.14 on, its opcheck looks at .grad.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def no_compiled_code_is_left():
    torch._dynamo.reset()


@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_opcheck(dtype, inverse) -> None:
    g = torch.randn(6, 4, 3, dtype=dtype)
    for tensor in (g, g.requires_grad_(), torch.randn(6, 3, 2, 2, dtype=dtype).mT):
        torch.library.opcheck(along_channels, (tensor, metric_operand(METRIC), 0, 2, inverse))


def test_opcheck_of_the_list_operators() -> None:
    grads = [torch.randn(6, 4), torch.randn(3, 8)]
    operands = torch.stack([metric_operand(METRIC)] * 2)
    ops = torch.ops.cdg
    torch.library.opcheck(ops.write_.default, (grads, operands, [0, 1], [1, 2]))
    outs = [torch.empty_like(g) for g in grads]
    torch.library.opcheck(ops.write.default, (outs, grads, operands, [0, 1], [1, 2]))


@pytest.mark.parametrize("transform", [cdg_torch.riemannian_gradient, cdg_torch.apply_metric])
@pytest.mark.parametrize("member", MODERATE)
def test_derivatives_of_every_order(member, transform) -> None:
    g = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)

    # In units of the largest entry: differences of large numbers are off by more than small ones.
    size = transform(torch.eye(4, dtype=torch.float64), MEMBERS[member]).abs().amax()

    def call(t):
        return transform(t, MEMBERS[member]) / size

    assert torch.autograd.gradcheck(call, g)
    assert torch.autograd.gradgradcheck(call, g)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_vmap(axis) -> None:
    batch = torch.randn(3, 4, 5)
    mapped = torch.vmap(lambda g: cdg_torch.riemannian_gradient(g, METRIC, dim=1), in_dims=axis)
    one_by_one = [cdg_torch.riemannian_gradient(g, METRIC, dim=1) for g in batch.unbind(axis)]
    assert torch.equal(mapped(batch), torch.stack(one_by_one))
    with pytest.raises(NotImplementedError, match="batch of metrics"):
        torch.vmap(lambda m: cdg_torch.riemannian_gradient(batch, m))(metric_operand(METRIC)[None])


def test_compiled_without_graph_break_and_without_recompiling_for_a_new_metric() -> None:
    counter = CompileCounter()

    def step(g, operand):
        return 2 * cdg_torch.riemannian_gradient(g, operand, groups=2)

    compiled = torch.compile(step, backend=counter, fullgraph=True)
    g = torch.randn(6, 5)
    for member in MEMBERS.values():
        k = cdg_torch.riemannian_gradient(g, member, groups=2)
        assert torch.equal(compiled(g, metric_operand(member)), 2 * k)
    assert counter.frame_count == 1


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_lists(backend) -> None:
    grads = [torch.randn(6, 5), torch.randn(4, 3)]

    def in_place(tensors):
        cdg_torch.riemannian_gradients_(tensors, METRIC, dims=[0, 1], groups=[2, 1])
        return [2 * tensor for tensor in tensors]

    def into(outs, tensors):
        write_gradients(
            [Job(outs[0], tensors[0], METRIC, 0, 2), Job(outs[1], tensors[1], METRIC, 1)]
        )

    expected = [g.clone() for g in grads]
    into(expected, [g.clone() for g in grads])
    outs = [torch.empty_like(g) for g in grads]
    torch.compile(into, backend=backend, fullgraph=True)(outs, grads)
    doubled = torch.compile(in_place, backend=backend, fullgraph=True)(grads)
    for out, g, twice, exact in zip(outs, grads, doubled, expected, strict=True):
        assert torch.equal(out, exact)
        assert torch.equal(g, exact)
        assert torch.equal(twice, 2 * exact)


def test_a_list_is_compiled_once_for_all_metrics() -> None:
    counter = CompileCounter()
    compiled = torch.compile(cdg_torch.riemannian_gradients_, backend=counter, fullgraph=True)
    for metric in MEMBERS.values():
        grads = [torch.randn(6, 5), torch.randn(4, 3)]
        exact = [cdg_torch.riemannian_gradient(g, metric) for g in grads]
        compiled(grads, [metric_operand(metric)] * 2)
        assert all(torch.equal(g, k) for g, k in zip(grads, exact, strict=True))
    assert counter.frame_count == 1


def test_the_operator_of_a_list_knows_in_place_from_into_buffers() -> None:
    g = torch.randn(5, 2)
    out, operands = torch.empty_like(g), metric_operand(METRIC)[None]
    write_operator([out], [g], operands, [0], [1])
    assert not torch.equal(out, g)
    write_operator([g], [g], operands, [0], [1])
    assert torch.equal(out, g)


@pytest.mark.parametrize("member", MEMBERS)
def test_an_operand_is_its_metric(member) -> None:
    assert from_operand(metric_operand(MEMBERS[member])) == MEMBERS[member]
    g = torch.randn(7, 2)
    for transform in (cdg_torch.riemannian_gradient, cdg_torch.apply_metric):
        by_metric, by_operand = (
            transform(g, metric) for metric in (MEMBERS[member], metric_operand(MEMBERS[member]))
        )
        assert torch.equal(by_metric, by_operand)


@pytest.mark.parametrize(
    "operand",
    [torch.ones(4, dtype=torch.float64), torch.ones(5), torch.ones(5, device="meta").double()],
    ids=["4 numbers", "float32", "meta"],
)
def test_a_bad_operand_is_refused(operand) -> None:
    with pytest.raises(ValueError, match="metric_operand"):
        cdg_torch.riemannian_gradient(torch.ones(3), operand)


def test_operands_of_five_numbers_stand_beside_those_of_six() -> None:
    grads = [torch.randn(6, 5), torch.randn(6, 5)]
    first, second = MEMBERS[GENERAL_CYCLE], MEMBERS["spline"]
    exact = list(map(cdg_torch.riemannian_gradient, grads, (first, second)))
    operands = [metric_operand(first)[:5], metric_operand(second)]
    assert torch.equal(cdg_torch.riemannian_gradient(grads[0], operands[0]), exact[0])
    in_a_graph = torch.compile(cdg_torch.riemannian_gradients_, backend="eager", fullgraph=True)
    in_a_graph(grads, operands)
    assert all(map(torch.equal, grads, exact))


def test_another_curvature_is_not_compiled_anew() -> None:
    counter = CompileCounter()
    compiled = torch.compile(cdg_torch.riemannian_gradient, backend=counter, fullgraph=True)
    g = torch.randn(6, 5)
    for curvature in (0.0, 0.5, 2.0, 1e-3):
        metric = Metric(1.0, 1.0, 0.2, curvature)
        k = cdg_torch.riemannian_gradient(g, metric)
        assert torch.equal(compiled(g, metric_operand(metric)), k)
    assert counter.frame_count == 1


def test_an_operand_outside_the_cone_is_refused() -> None:
    operand = metric_operand(Metric.l2())
    operand[0] = -1.0
    with pytest.raises(ValueError, match="mean must be > 0"):
        cdg_torch.riemannian_gradient(torch.ones(3), operand)
