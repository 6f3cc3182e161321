"""What is timed: every method turns a list of gradients into a call that treats all of them.

Baselines are written as a user would, for whole lists and in place where they can be; whatever
depends on shapes alone (inverses, filters) is made beforehand and not timed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.gradient import riemannian_gradients_, write_gradients
from cdg_torch.solve import Job
from cdg_torch.solve.backends import Backend, backend

Call = Callable[[], object]

METRICS = {
    "H⁰": Metric.reweighted_h0(10.0),
    "Sobolev": Metric.sobolev(1.0),
    "Sobolev, periodic": Metric.sobolev(1.0, boundary="periodic"),
    "general": Metric.ordinary_sobolev(1.0),
    "general, periodic": Metric.ordinary_sobolev(1.0, boundary="periodic"),
}
SIGMA = 1.0


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its group and name in tables, and how a list becomes a call.

    ``prepare`` returns None where the method cannot run here.
    """

    group: str
    name: str
    prepare: Callable[[list[Tensor]], Call | None]
    slow: bool = False


def floor(grads: list[Tensor]) -> Call:
    """Read once, write once: multiply every gradient by a number, in place."""

    def call() -> None:
        for g in grads:
            g.mul_(0.999)

    return call


def floor_on_gpu(grads: list[Tensor]) -> Call:
    """Read once, write once, without a launch for each gradient."""
    return lambda: torch._foreach_mul_(grads, 0.999)


FLOOR = Method("floor", "g.mul_(c)", floor)


def _ours(metric: Metric, chosen: Backend) -> Callable[[list[Tensor]], Call]:
    def prepare(grads: list[Tensor]) -> Call:
        def call() -> None:
            with backend(chosen):
                riemannian_gradients_(grads, metric)

        return call

    return prepare


def _out_of_place(metric: Metric) -> Callable[[list[Tensor]], Call]:
    """Do what an attached optimizer does unless asked for in-place work, with its buffers."""

    def prepare(grads: list[Tensor]) -> Call:
        buffers = Buffers()

        def call() -> None:
            outs = buffers.like(grads)
            write_gradients([Job(k, g, metric) for k, g in zip(outs, grads, strict=True)])

        return call

    return prepare


def _each(function: Callable[[Tensor], object]) -> Callable[[list[Tensor]], Call]:
    def prepare(grads: list[Tensor]) -> Call:
        def call() -> None:
            for g in grads:
                function(g)

        return call

    return prepare


def _lerp(g: Tensor) -> Tensor:
    return g.lerp_(g.mean(0, keepdim=True), 0.9)


def _cumsums(g: Tensor) -> Tensor:
    mean = g.mean(0)
    flux = (g - mean).cumsum(0)
    k = flux.cumsum(0)
    return g.copy_(k - k.mean(0) + mean)


def _centralize(g: Tensor) -> Tensor:
    return g.sub_(g.mean(list(range(1, g.ndim)), keepdim=True))


def _dct(grads: list[Tensor]) -> Call:
    from scipy import fft

    workers = torch.get_num_threads()
    spectra = {}
    for g in grads:
        n = g.shape[0]
        modes = 4 * n * n * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2
        spectra[n] = np.where(np.arange(n) > 0, modes, 1.0).astype(np.float32)

    def call() -> None:
        for g in grads:
            n = g.shape[0]
            columns = g.reshape(n, -1).numpy()
            modes = fft.dct(columns, axis=0, norm="ortho", workers=workers)
            modes /= spectra[n][:, None]
            columns[...] = fft.idct(modes, axis=0, norm="ortho", workers=workers)

    return call


def _dense(grads: list[Tensor]) -> Call:
    from cdg_theory.discrete import gram_matrix

    counts = {g.shape[0] for g in grads}
    metric = METRICS["Sobolev"]
    inverses = {
        n: torch.from_numpy(np.linalg.inv(gram_matrix(metric, n))).to(grads[0]) for n in counts
    }

    def call() -> None:
        for g in grads:
            columns = g.reshape(g.shape[0], -1)
            columns.copy_(inverses[g.shape[0]] @ columns)

    return call


@cache
def _laplacian_filter(size: int, device: torch.device) -> Tensor:
    modes = torch.arange(size // 2 + 1, device=device)
    return 1 + 2 * SIGMA * (1 - torch.cos(2 * torch.pi * modes / size))


def _laplacian(g: Tensor) -> Tensor:
    spectrum = torch.fft.rfft(g.reshape(-1)) / _laplacian_filter(g.numel(), g.device)
    return g.copy_(torch.fft.irfft(spectrum, n=g.numel()).reshape(g.shape))


def _torchzero(grads: list[Tensor]) -> Call | None:
    if importlib.util.find_spec("torchzero") is None:
        return None
    from importlib import import_module

    zero = import_module("torchzero")
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    modular = getattr(zero, "Optimizer", None) or zero.Modular
    optimizer = modular(parameters, zero.m.LaplacianSmoothing(SIGMA))

    def call() -> None:
        for parameter, g in zip(parameters, grads, strict=True):
            parameter.grad = g
        optimizer.step()

    return call


def _sgd(**kwargs: bool) -> Callable[[list[Tensor]], Call]:
    def prepare(grads: list[Tensor]) -> Call:
        parameters: Sequence[torch.nn.Parameter] = [
            torch.nn.Parameter(torch.zeros_like(g)) for g in grads
        ]
        for parameter, g in zip(parameters, grads, strict=True):
            parameter.grad = g
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, **kwargs).step

    return prepare


METHODS: tuple[Method, ...] = (
    FLOOR,
    *(Method("ours, CPU kernels", name, _ours(m, "cpu")) for name, m in METRICS.items()),
    Method("ours, CPU kernels", "Sobolev, gradients kept", _out_of_place(METRICS["Sobolev"])),
    *(
        Method("ours, PyTorch reference", name, _ours(m, "reference"), slow=True)
        for name, m in METRICS.items()
    ),
    Method("H⁰ otherwise", "g.lerp_(g.mean(0), c)", _each(_lerp)),
    Method("Sobolev otherwise", "two torch.cumsum", _each(_cumsums), slow=True),
    Method("Sobolev otherwise", "SciPy DCT", _dct, slow=True),
    Method("Sobolev otherwise", "dense inverse, cached", _dense, slow=True),
    Method("neighbours", "Laplacian smoothing, FFT", _each(_laplacian), slow=True),
    Method("neighbours", "Laplacian smoothing, torchzero", _torchzero, slow=True),
    Method("neighbours", "gradient centralization", _each(_centralize)),
    Method("optimizer", "SGD with momentum, foreach", _sgd(foreach=True)),
    Method("optimizer", "SGD with momentum, fused", _sgd(fused=True)),
)

# ``slow`` methods are not captured in a graph.
METHODS_ON_GPU: tuple[Method, ...] = (
    Method("floor", "foreach_mul_(grads, c)", floor_on_gpu),
    *(Method("ours, GPU kernels", name, _ours(m, "gpu")) for name, m in METRICS.items()),
    Method("ours, GPU kernels", "Sobolev, gradients kept", _out_of_place(METRICS["Sobolev"])),
    *(
        Method("ours, PyTorch reference", name, _ours(METRICS[name], "reference"), slow=True)
        for name in ("H⁰", "Sobolev")
    ),
    Method("one launch per gradient", "g.mul_(c)", floor),
    Method("H⁰ otherwise", "g.lerp_(g.mean(0), c)", _each(_lerp)),
    Method("Sobolev otherwise", "two torch.cumsum", _each(_cumsums)),
    Method("Sobolev otherwise", "dense inverse, cached", _dense),
    Method("neighbours", "Laplacian smoothing, FFT", _each(_laplacian)),
    Method("neighbours", "gradient centralization", _each(_centralize)),
    Method("optimizer", "SGD with momentum, foreach", _sgd(foreach=True)),
    Method("optimizer", "SGD with momentum, fused", _sgd(fused=True)),
)
