"""torch.compile of model and step: same weights, and no recompilation when the metric moves."""

import pytest
import torch

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network


class Counter:
    """A compiler that compiles nothing and counts how often it is asked."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, _inputs):
        self.graphs += 1
        return graph.forward


def train(compiled: str, steps: int = 6, counter=None, attached=True, **kwargs):
    torch._dynamo.reset()
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.1), momentum=0.9, **kwargs)
    schedule = None
    if attached:
        handle = cdg_torch.attach(optimizer, model, METRIC)
        schedule = cdg_torch.LinearMetric(handle, steps=100)
    backend = counter or Counter()
    forward = torch.compile(model, backend=backend) if "model" in compiled else model
    step = torch.compile(optimizer.step, backend=backend) if "step" in compiled else optimizer.step
    counts = []
    for batch in batches(steps):
        optimizer.zero_grad()
        loss_of(forward, batch).backward()
        step()
        if schedule is not None:
            schedule.step()
        counts.append(backend.graphs)
    return [p.detach() for p in model.parameters()], counts


@pytest.mark.parametrize("compiled", ["model", "step", "model and step"])
@pytest.mark.parametrize("path", ["foreach", "fused"])
def test_same_weights_and_no_recompilation_while_the_metric_moves(compiled, path) -> None:
    eager, _ = train("", **{path: True})
    weights, counts = train(compiled, **{path: True})
    for p, q in zip(weights, eager, strict=True):
        # torch's own compiled step rounds in another order: once or twice per step and number.
        torch.testing.assert_close(p, q, rtol=0, atol=6 * 2 * 2**-24 * q.abs().max().item())
    # As many graphs as without a metric: the hooks add none, and none is added while the metric
    # moves at every step. (torch does not trace fused optimizers at all: no graph for these.)
    plain_weights, plain = train(compiled, attached=False, **{path: True})
    assert counts == plain
    assert counts[2:] == [counts[2]] * 4
    assert (counts[2] > 0) is (compiled != "step" or path == "foreach")
    assert not any(
        torch.allclose(p, q) for p, q in zip(weights, plain_weights, strict=True) if p.ndim == 4
    )


def test_nothing_of_ours_is_compiled() -> None:
    compiled = []
    for attached in (False, True):
        torch._dynamo.utils.clear_compilation_metrics()
        train("step", attached=attached, foreach=True)
        frames = torch._dynamo.utils.get_compilation_metrics()
        compiled.append([(frame.co_filename, frame.co_name) for frame in frames])
    assert compiled[0] == compiled[1]
    assert any(name == "step" for _, name in compiled[0])


def test_a_step_that_torch_never_compiles_has_its_metric_after_something_was_compiled() -> None:
    # The first compilation replaces the step of LBFGS by one that is marked for Dynamo.
    torch.compile(torch.sin, backend="eager")(torch.ones(1))
    weights = []
    for attached in (False, True):
        model = network()
        optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
        if attached:
            cdg_torch.attach(optimizer, model, METRIC)
        (batch,) = batches(1)

        def closure(model=model, optimizer=optimizer, batch=batch):
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            loss.backward()
            return loss.detach()

        optimizer.step(closure)
        weights.append(model[0].weight.detach())
    assert not torch.allclose(*weights)
