"""A device without float64 is served in main memory, to the same bits.

Simulated: no such device is here. A tensor in main memory says that it lies on ``mps``, and refuses
float64 in the words of Apple's MPS; for torch, that device is not there, as float64 is not on it.
"""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import cdg_torch
from cdg_torch import Metric, Rule
from cdg_torch.devices import has_float64
from tests.tools.small_training import METRIC

MPS = torch.device("mps")


class OnMps(torch.Tensor):
    """Main memory that behaves as MPS does."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function == torch.Tensor.device.__get__:
            return MPS
        to_main_memory = function is torch.Tensor.cpu or (
            function is torch.Tensor.to and args[1] == "cpu"
        )
        if to_main_memory:
            return args[0].as_subclass(torch.Tensor).clone()
        result = super().__torch_function__(function, types, args, kwargs)
        if isinstance(result, cls) and result.dtype == torch.float64:
            msg = (
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't "
                "support float64. Please use float32 instead."
            )
            raise TypeError(msg)
        return result


class Link(TorchFunctionMode):
    """Lets main memory be sent to the device."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.Tensor.to and args[1] == MPS:
            return args[0].as_subclass(OnMps)
        return function(*args, **kwargs or {})


def dense(dtype=torch.float32):
    return torch.arange(24.0).reshape(8, 3).sin().to(dtype)


def on_mps(dtype=torch.float32):
    return dense(dtype).as_subclass(OnMps)


def test_the_simulation_refuses_float64() -> None:
    assert on_mps().device == MPS
    assert not has_float64(MPS)
    assert not has_float64(torch.device("xpu"))
    with pytest.raises(TypeError, match="MPS framework doesn't support float64"):
        on_mps().double()


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("metric", [METRIC, Metric.reweighted_h0(3.0), Metric.l2()], ids=str)
def test_the_gradient_has_the_bits_of_main_memory(metric, dtype, backend) -> None:
    near, far = dense(dtype), on_mps(dtype)
    with cdg_torch.backend(backend) if backend else nullcontext():
        for transform in (cdg_torch.riemannian_gradient, cdg_torch.apply_metric):
            k = transform(far, metric)
            assert (type(k), k.device) == (OnMps, MPS)
            assert torch.equal(k.cpu(), transform(near, metric))
        assert torch.equal(far.cpu(), near)
        both = [dense(dtype), far]
        cdg_torch.riemannian_gradients_(both, metric)
        assert torch.equal(far.cpu(), both[0])
        assert torch.equal(both[0], cdg_torch.riemannian_gradient(near, metric))


def test_lengths_powers_and_correlations() -> None:
    near, far = dense(), on_mps()
    for of in (
        lambda g: cdg_torch.inner_product(g, g, METRIC),
        lambda g: cdg_torch.metric_norm(g, METRIC),
        lambda g: cdg_torch.dual_norm(g, METRIC),
        lambda g: cdg_torch.metric_power(g, METRIC, 0.5),
        lambda g: cdg_torch.channel_correlation(g, 0),
    ):
        with Link():
            found = of(far)
        assert torch.equal(found.cpu(), of(near))
    assert cdg_torch.dual_norm(far, METRIC).dtype == torch.float64


def test_an_attached_step() -> None:
    weights = []
    for kind in (torch.Tensor, OnMps):
        model = nn.Linear(3, 8, bias=False)
        model.weight = nn.Parameter(torch.zeros(8, 3).as_subclass(kind))
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        rules = [Rule(metric=METRIC, types=nn.Linear)]
        handle = cdg_torch.attach(optimizer, model, None, rules=rules, stats=True)
        model.weight.grad = dense().as_subclass(kind)
        length = handle.dual_norm()
        optimizer.step()
        weights.append((model.weight.detach().cpu(), length, handle.stats()))
    (near, *numbers), (far, *same) = weights
    assert torch.equal(near, far)
    assert numbers == same
