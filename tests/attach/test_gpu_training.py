"""Training on a GPU with a metric attached: weights, scaled losses, graphs, and no waiting."""

import copy

import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from tests.tools.small_training import METRIC, batches, loss_of, network, weights_of
from tests.tools.training_loops import train, train_attached

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

OPTIMIZERS = {
    "SGD, foreach": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, foreach=True),
    "SGD, fused": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "Adam, capturable": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), capturable=True),
}
MEMBERS = {
    "h0": Metric.reweighted_h0(4.0),
    "sobolev": Metric.sobolev(0.3, boundary="periodic"),
    "general": METRIC,
}


@pytest.fixture(autouse=True)
def exact_convolutions():
    """Let the device round like the CPU: TF32 keeps ten bits."""
    with torch.backends.cudnn.flags(allow_tf32=False, deterministic=True):
        yield


def on_device(batch):
    return tuple(tensor.cuda() for tensor in batch)


def prepared(kind, metric=METRIC):
    """Return a network on the device, its optimizer with the metric attached, and batches."""
    model = network().cuda()
    optimizer = OPTIMIZERS[kind](model.parameters())
    cdg_torch.attach(optimizer, model, metric)
    return model, optimizer, [on_device(batch) for batch in batches(6)]


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("kind", ["SGD, foreach", "SGD, fused"])
def test_the_cpu_and_the_device_train_alike(kind, member) -> None:
    model, optimizer, data = prepared(kind, MEMBERS[member])
    train(model, optimizer, data[:4])
    metric = MEMBERS[member]
    expected = train_attached(lambda m: OPTIMIZERS[kind](m.parameters()), metric=metric)
    moved = []
    for p, q, r in zip(*(m.parameters() for m in (model, expected, network())), strict=True):
        # Forward and backward passes add up in another order: some dozen roundings per step.
        torch.testing.assert_close(p.cpu(), q, rtol=0, atol=2e-5)
        moved.append((q - r).abs().max().item())
    assert max(moved) > 0.01


def test_a_scaled_loss_takes_the_same_step() -> None:
    weights = []
    for scale in (1.0, 2.0**10):
        model, optimizer, data = prepared("SGD, fused")
        scaler = torch.amp.GradScaler("cuda", init_scale=scale)
        for batch in data[:3]:
            optimizer.zero_grad()
            scaler.scale(loss_of(model, batch)).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        weights.append(weights_of(model))
    for p, q in zip(*weights, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_16_bit_weights_are_served_by_the_kernels(dtype) -> None:
    model = network().to("cuda", dtype)
    optimizer = OPTIMIZERS["SGD, foreach"](model.parameters())
    cdg_torch.attach(optimizer, model, METRIC)
    images, labels = on_device(batches(1)[0])
    loss_of(model, (images.to(dtype), labels)).backward()
    before = weights_of(model)
    with cdg_torch.backend("gpu"):
        optimizer.step()
    assert all(p.isfinite().all() for p in model.parameters())
    assert any(not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_step_never_waits_for_the_device(kind, member) -> None:
    model, optimizer, (batch, *_) = prepared(kind, MEMBERS[member])
    train(model, optimizer, [batch] * 2)  # compiles, makes tables and state
    optimizer.zero_grad()
    loss_of(model, batch).backward()
    try:
        torch.cuda.set_sync_debug_mode("error")
        optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_whole_training_step_is_one_graph() -> None:
    model, optimizer, data = prepared("Adam, capturable")
    batch = tuple(tensor.clone() for tensor in data[0])
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        train(model, optimizer, [batch] * 3)
    torch.cuda.current_stream().wait_stream(stream)
    other, ordinary, _ = prepared("Adam, capturable")
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    ordinary.load_state_dict(copy.deepcopy(optimizer.state_dict()))

    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad()
    with torch.cuda.graph(graph):
        loss_of(model, batch).backward()
        optimizer.step()
    for fresh in data[1:]:
        for place, tensor in zip(batch, fresh, strict=True):
            place.copy_(tensor)
        graph.replay()
        train(other, ordinary, [fresh])
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-5)


def test_graphs_of_equal_shapes_keep_their_own_addresses() -> None:
    lists = [[torch.randn(40, 9, device="cuda") for _ in range(3)] for _ in range(2)]
    graphs = []
    for grads in lists:
        cdg_torch.riemannian_gradients_([g.clone() for g in grads], METRIC)
        graphs.append(torch.cuda.CUDAGraph())
        with torch.cuda.graph(graphs[-1]):
            cdg_torch.riemannian_gradients_(grads, METRIC)
    expected = [[cdg_torch.riemannian_gradient(g, METRIC) for g in grads] for grads in lists]
    for graph in graphs:
        graph.replay()
    for grads, several in zip(lists, expected, strict=True):
        assert all(torch.equal(g, k) for g, k in zip(grads, several, strict=True))


@pytest.mark.filterwarnings("ignore:The CUDA Graph is empty:UserWarning")
@pytest.mark.parametrize("before", ["nothing", "a capture"])
def test_a_capture_that_nothing_was_prepared_for_is_refused(before) -> None:
    metric = Metric.sobolev(0.7 if before == "nothing" else 0.8)
    g = torch.randn(21, 5, device="cuda")
    kept = g.clone()
    if before == "a capture":
        cdg_torch.riemannian_gradients_([g.clone()], metric)
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            cdg_torch.riemannian_gradients_([g], metric)
    with (
        pytest.raises(RuntimeError, match="call once outside of it with the same shapes"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        cdg_torch.riemannian_gradients_([g], metric)
    assert torch.equal(g, kept)
    cdg_torch.riemannian_gradients_([g], metric)  # works again


def test_streams_do_not_meet() -> None:
    grads = [torch.randn(2048, 64, device="cuda") for _ in range(4)]
    expected = [cdg_torch.riemannian_gradient(g, METRIC) for g in grads]
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in grads]
    found = [[] for _ in grads]
    for _ in range(20):
        for i, stream in enumerate(streams):
            with torch.cuda.stream(stream):
                found[i].append(cdg_torch.riemannian_gradient(grads[i], METRIC))
    torch.cuda.synchronize()
    for several, k in zip(found, expected, strict=True):
        assert all(torch.equal(one, k) for one in several)


def test_compiled_code_calls_the_kernels() -> None:
    g = torch.randn(33, 7, 3, device="cuda", requires_grad=True)
    operand = cdg_torch.metric_operand(METRIC)

    def function(grad):
        return cdg_torch.riemannian_gradient(grad * 2, operand).sin()

    expected = function(g)
    found = torch.compile(function, fullgraph=True)(g)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found.sum(), g), torch.autograd.grad(expected.sum(), g), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_one_list_on_two_kinds_of_memory() -> None:
    grads = [torch.randn(12, 5), torch.randn(12, 5, device="cuda"), torch.randn(9, 4).double()]
    grads.append(grads[2].cuda())
    with cdg_torch.backend("reference"):
        expected = [cdg_torch.riemannian_gradient(g.cpu().double(), METRIC) for g in grads]
    cdg_torch.riemannian_gradients_(grads, METRIC)
    for g, exact in zip(grads, expected, strict=True):
        torch.testing.assert_close(g.cpu().double(), exact, rtol=1e-6, atol=1e-6)
