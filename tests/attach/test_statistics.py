"""stats() is opt-in and says what the transform did; without it no number leaves the device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network
from tests.tools.training_loops import attached_network, unit_sgd


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"where": "update"}], ids=str)
def test_norms_and_correlations_of_raw_and_transformed(options) -> None:
    model, optimizer, handle = attached_network(unit_sgd, stats=True, **options)
    assert handle.stats() == {}
    loss_of(model, batches(1)[0]).backward()
    raw = {name: p.grad.clone() for name, p in model.named_parameters()}
    optimizer.step()
    stats = handle.stats()
    assert list(stats) == ["0.weight", "3.weight", "5.weight"]
    # float32 differences of weights, in "update" mode, limit the agreement
    rel = 1e-4 if options.get("where") else 1e-6
    for name, dim, groups in (("0.weight", 0, 1), ("3.weight", 0, 2), ("5.weight", 1, 1)):
        g = raw[name].double()
        k = cdg_torch.riemannian_gradient(g, METRIC, dim=dim, groups=groups)
        found = stats[name]
        assert found.raw_norm == pytest.approx(g.norm().item(), rel=rel)
        assert found.norm == pytest.approx(k.norm().item(), rel=rel)
        for tensor, value in ((g, found.raw_correlation), (k, found.correlation)):
            expected = cdg_torch.channel_correlation(tensor, dim, groups=groups).item()
            assert value == pytest.approx(expected, abs=rel)


def test_off_by_default() -> None:
    *_, handle = attached_network()
    with pytest.raises(RuntimeError, match="attach with stats=True"):
        handle.stats()


class Counter(TorchDispatchMode):
    """Counts what makes the host wait for the device."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "_local_scalar_dense" in str(func) or "equal" in str(func) or "nonzero" in str(func):
            self.waits.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "options",
    [{}, {"inplace": True}, {"match_norm": True}, {"where": "update"}, {"transform_decay": True}],
    ids=str,
)
def test_no_step_reads_a_number_back(options) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    cdg_torch.attach(optimizer, model, METRIC, stats=True, **options)
    loss_of(model, batches(1)[0]).backward()
    with Counter() as counter:
        optimizer.step()
    assert counter.waits == []
    with Counter() as counter:
        model[0].weight.sum().item()
    assert counter.waits
