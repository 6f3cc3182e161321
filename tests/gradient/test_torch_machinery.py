"""What torch does with a function does no harm to the gradient: export, trace, checkpoint, call."""

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

import cdg_torch
from cdg_torch import Metric

METRIC = Metric(1.0, 0.5, 0.2)


class Smoothing(nn.Module):
    """Smooths its weight with the metric in a buffer, then its input with a constant metric."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(12.0).reshape(4, 3).sin())
        self.register_buffer("operand", cdg_torch.metric_operand(METRIC))

    def forward(self, x):
        smooth = cdg_torch.riemannian_gradient(self.weight, self.operand)
        return cdg_torch.apply_metric(x @ smooth.T, METRIC, dim=1)


X = torch.arange(15.0).reshape(5, 3).cos()


# torch's own export still uses what torch deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_exported_module_gives_the_same_bits() -> None:
    module = Smoothing()
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (X,), dynamic_shapes={"x": {0: batch}})
    calls = [str(node.target) for node in program.graph.nodes if "cdg" in str(node.target)]
    assert calls == ["cdg.along_channels.default"] * 2
    for x in (X, X[:3]):
        assert torch.equal(program.module()(x), module(x))
    # The metric is data: the exported program takes another one.
    other = cdg_torch.metric_operand(Metric.reweighted_h0(3.0))
    state = {**program.state_dict, "operand": other}
    module.operand = other
    exported = program.module()
    exported.load_state_dict(state)
    assert torch.equal(exported(X), module(X))


def test_a_trace_gives_the_same_bits() -> None:
    def call(g):
        return cdg_torch.riemannian_gradient(g, METRIC).square()

    traced = make_fx(call, tracing_mode="fake")(X)
    assert torch.equal(traced(X[:, :]), call(X))


def test_functional_call_and_checkpoint_give_the_same_derivatives() -> None:
    module = Smoothing()
    module(X).square().sum().backward()
    expected = module.weight.grad

    def loss(weight):
        return torch.func.functional_call(module, {"weight": weight}, (X,)).square().sum()

    assert torch.equal(torch.func.grad(loss)(module.weight.detach()), expected)
    for reentrant in (False, True):
        module.weight.grad = None
        x = X.clone().requires_grad_()
        checkpoint(module, x, use_reentrant=reentrant).square().sum().backward()
        assert torch.equal(module.weight.grad, expected)
