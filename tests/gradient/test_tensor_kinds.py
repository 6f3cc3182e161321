"""Whatever kind of tensor comes: its gradient is right, or it is refused and nothing is written.

Never does a kernel read memory that is not there: that would end the process.
"""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.logging_tensor import LoggingTensor, LoggingTensorMode
from torch.testing._internal.two_tensor import TwoTensor

import cdg_torch
from cdg_torch import Metric
from cdg_torch.checks import WithoutMemoryError
from cdg_torch.gradient import write_gradients
from cdg_torch.solve import Job
from tests.tools.needs_torch import needs_torch

METRIC = Metric(1.0, 0.5, 0.2)


def dense():
    return torch.arange(12.0).reshape(4, 3).sin()


def negated():
    return torch._neg_view(-dense())


class Named(torch.Tensor):
    """A subclass with memory of its own."""


class Overriding(torch.Tensor):
    """A subclass that sees every function, and dispatches nothing."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return super().__torch_function__(function, types, args, kwargs or {})


def inference():
    with torch.inference_mode():
        return dense()


def emptied():
    g = dense()
    g.untyped_storage().resize_(0)  # as FSDP does with weights that it will gather again
    return g


# The tensor, and how to look at its numbers.
SERVED = {
    "plain": (dense, torch.clone),
    "parameter": (lambda: nn.Parameter(dense()), torch.Tensor.detach),
    "subclass": (lambda: dense().as_subclass(Named), lambda t: t.as_subclass(torch.Tensor).clone()),
    "negative bit": (negated, torch.clone),
    "inference": (inference, torch.clone),
    "expanded": (lambda: dense()[:, :1].expand(4, 3), torch.clone),
    "overlapping": (lambda: dense().as_strided((4, 3), (1, 1)), torch.clone),
    # 0, 3, 6, 9 and the same beside 4 and 8: axes that do not nest, and yet no number twice
    "interlocked": (lambda: torch.arange(18.0).sin().as_strided((4, 3), (3, 4)), torch.clone),
    "buffer": (lambda: nn.Buffer(dense()), torch.clone),
    "functions overridden": (
        lambda: dense().as_subclass(Overriding),
        lambda t: t.as_subclass(torch.Tensor).clone(),
    ),
    "copied when written": (lambda: torch._lazy_clone(dense()), torch.clone),
    "logging": (lambda: LoggingTensor(dense()), lambda t: t.elem.clone()),
    "wrapper": (lambda: TwoTensor(dense(), dense()), lambda t: t.b.clone()),
    "zero": (lambda: torch._efficientzerotensor((4, 3)), torch.clone),
}
DENSE = r"dense, got layout .*; call .to_dense"
REFUSED = {
    "sparse": (lambda: dense().to_sparse(), DENSE),
    "csr": (lambda: dense().to_sparse_csr(), DENSE),
    "mkldnn": (lambda: dense().to_mkldnn(), DENSE),
    "nested": (lambda: torch.nested.nested_tensor([dense()], layout=torch.jagged), "a nested"),
    "complex": (lambda: dense().to(torch.complex64).conj(), "got torch.complex64; convert it"),
    "quantized": (lambda: torch.quantize_per_tensor(dense(), 0.1, 0, torch.qint8), "torch.qint8"),
    "quantized channels": (
        lambda: torch.quantize_per_channel(
            dense(), torch.ones(4), torch.zeros(4, dtype=torch.int64), 0, torch.qint8
        ),
        "torch.qint8",
    ),
    "float8": (lambda: dense().to(torch.float8_e4m3fn), "torch.float8_e4m3fn; convert it"),
    "float4": (
        lambda: torch.zeros(4, 3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        "torch.float4_e2m1fn_x2; convert it",
    ),
    "bytes": (lambda: dense().to(torch.uint8), "torch.uint8; convert it"),
    "bits": (lambda: dense() > 0, "torch.bool; convert it"),
    "masked": (lambda: torch.masked.masked_tensor(dense(), dense() > 0), "MaskedTensor"),
    "emptied": (emptied, "has no memory, as its storage was emptied"),
}


@pytest.mark.parametrize("kind", SERVED)
def test_the_gradient_of_one_tensor_is_right(kind) -> None:
    make, numbers = SERVED[kind]
    g = make()
    expected = cdg_torch.riemannian_gradient(numbers(g), METRIC)
    assert torch.equal(numbers(cdg_torch.riemannian_gradient(g, METRIC)), expected)


@pytest.mark.parametrize("kind", SERVED)
def test_in_place_it_is_right_or_refused_and_nothing_is_written(kind) -> None:
    make, numbers = SERVED[kind]
    g, first = make(), dense()
    before = numbers(g).clone()
    words = {
        "negative bit": (WithoutMemoryError, r"negated, .* call .resolve_neg\(\) first"),
        "zero": (WithoutMemoryError, r"a zero that takes no memory: .* call .clone\(\) first"),
        "expanded": (TypeError, r"tensors\[1\] overlaps itself.* call .contiguous\(\) first"),
        "overlapping": (TypeError, r"tensors\[1\] overlaps itself.* call .contiguous\(\) first"),
    }
    if kind in words:
        error, match = words[kind]
        with pytest.raises(error, match=match):
            cdg_torch.riemannian_gradients_([first, g], METRIC)
        assert torch.equal(numbers(g), before)
        assert torch.equal(first, dense())
    else:
        cdg_torch.riemannian_gradients_([first, g], METRIC)
        for k, raw in ((numbers(g), before), (first, dense())):
            assert torch.equal(k, cdg_torch.riemannian_gradient(raw, METRIC))


NEEDS = {"float4": needs_torch("2.8", "there is no float4")}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested:UserWarning")
@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_:UserWarning")
@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors:UserWarning")
@pytest.mark.filterwarnings("ignore:.* is not implemented in __torch_dispatch__:UserWarning")
@pytest.mark.parametrize("kind", [pytest.param(k, marks=NEEDS.get(k, ())) for k in REFUSED])
def test_what_is_not_dense_and_real_is_refused_with_a_cure(kind) -> None:
    make, match = REFUSED[kind]
    g, first = make(), dense()
    with pytest.raises(TypeError, match=match):
        cdg_torch.riemannian_gradient(g, METRIC)
    with pytest.raises(TypeError, match=match):
        cdg_torch.riemannian_gradients_([first, g], METRIC)
    assert torch.equal(first, dense())


def test_tensors_without_numbers_get_a_result_without_numbers() -> None:
    for mode, device in ((FakeTensorMode(), "cpu"), (nullcontext(), "meta")):
        with mode:
            g = torch.empty(4, 3, device=device)
            k = cdg_torch.riemannian_gradient(g, METRIC)
            assert (k.shape, k.device.type, type(k)) == (g.shape, device, type(g))
            cdg_torch.riemannian_gradients_([g, torch.empty(2, device=device)], METRIC)


def test_under_a_transform_the_list_is_refused() -> None:
    def in_place(g):
        cdg_torch.riemannian_gradients_([g], METRIC)
        return g.sum()

    for transform in (torch.vmap, torch.func.grad, torch.func.functionalize):
        g = dense()
        with pytest.raises(WithoutMemoryError, match="use riemannian_gradient there"):
            transform(in_place)(g)
        assert torch.equal(g, dense())
    expected = cdg_torch.riemannian_gradient(dense(), METRIC)
    whole = torch.func.functionalize(lambda g: cdg_torch.riemannian_gradient(g, METRIC))
    assert torch.equal(whole(dense()), expected)


def test_a_mode_that_sees_every_operation_changes_nothing() -> None:
    g, expected = dense(), cdg_torch.riemannian_gradient(dense(), METRIC)
    with LoggingTensorMode(), torch.utils._device.DeviceContext("meta"):
        k = cdg_torch.riemannian_gradient(g, METRIC)
        cdg_torch.riemannian_gradients_([g], METRIC)
    assert torch.equal(k, expected)
    assert torch.equal(g, expected)


def test_a_lazy_copy_leaves_the_original_alone() -> None:
    g = dense()
    copy = torch._lazy_clone(g)
    cdg_torch.riemannian_gradients_([copy], METRIC)
    assert torch.equal(g, dense())
    assert torch.equal(copy, cdg_torch.riemannian_gradient(g, METRIC))


# A buffer that kernels would write as if it were like the gradient.
BUFFERS = {
    "shorter": (lambda: torch.empty(2, 3), ValueError, r"must be like it, \(4, 3\).*got \(2, 3\)"),
    "wider": (lambda: dense().double(), ValueError, "got .*torch.float64.*empty_like"),
    "meta": (lambda: torch.empty(4, 3, device="meta"), ValueError, "got .*meta; torch.empty_like"),
    "nothing": (lambda: None, TypeError, "must be a torch.Tensor, got None"),
    "sparse": (lambda: dense().to_sparse(), TypeError, "buffer for tensors.* must be dense"),
    "wrapper": (lambda: TwoTensor(dense(), dense()), WithoutMemoryError, "is a TwoTensor"),
    "fake": (lambda: FakeTensorMode().from_tensor(dense()), WithoutMemoryError, "a FakeTensor"),
    "negative bit": (negated, WithoutMemoryError, "is negated"),
    "overlapping": (lambda: dense()[:, :1].expand(4, 3), TypeError, "overlaps itself"),
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_a_buffer_unlike_its_gradient_is_refused_and_nothing_is_written(kind) -> None:
    make, error, match = BUFFERS[kind]
    first, g, out = dense(), dense(), make()
    with pytest.raises(error, match=match):
        write_gradients([Job(first, first, METRIC), Job(out, g, METRIC)])
    assert torch.equal(first, dense())
    assert torch.equal(g, dense())


@pytest.mark.parametrize("where", ["gradient", "update"])
@pytest.mark.parametrize("inplace", [False, True])
def test_a_step_on_fake_tensors_lives(where, inplace) -> None:
    if where == "update" and inplace:
        return
    with FakeTensorMode():
        model = nn.Conv2d(3, 8, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        cdg_torch.attach(optimizer, model, METRIC, inplace=inplace, where=where)
        model(torch.empty(1, 3, 5, 5)).sum().backward()
        optimizer.step()


def test_default_device_and_dtype_do_no_harm() -> None:
    g = dense()
    expected = [f(g, METRIC) for f in (cdg_torch.riemannian_gradient, cdg_torch.apply_metric)]
    norms = [cdg_torch.dual_norm(g, METRIC), cdg_torch.metric_power(g, METRIC, 0.5)]
    try:
        torch.set_default_dtype(torch.float16)
        with torch.device("meta"):
            found = [f(g, METRIC) for f in (cdg_torch.riemannian_gradient, cdg_torch.apply_metric)]
            found += [cdg_torch.dual_norm(g, METRIC), cdg_torch.metric_power(g, METRIC, 0.5)]
            assert cdg_torch.metric_operand(METRIC).device.type == "cpu"
            with cdg_torch.backend("reference"):
                close = cdg_torch.riemannian_gradient(g, METRIC)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(found, expected + norms, strict=True))
    assert torch.allclose(close, expected[0], rtol=0, atol=1e-6)


def test_an_attached_step_does_not_ask_for_the_default_device() -> None:
    weights = []
    for device in ("cpu", "meta"):
        torch.manual_seed(0)
        model = nn.Conv2d(32, 128, 3)  # large enough for memory that is used again
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        handle = cdg_torch.attach(optimizer, model, METRIC)
        model(torch.ones(1, 32, 4, 4)).sum().backward()
        with torch.device(device):
            length = handle.dual_norm()
            optimizer.step()
        weights.append((model.weight.detach().clone(), length))
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
