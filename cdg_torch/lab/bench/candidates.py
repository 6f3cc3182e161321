"""The timed methods: each turns a list of gradients into a call that treats all of them.

Baselines are written as a user would, for whole lists and in place where they can be; whatever
depends on shapes alone (inverses, filters) is made beforehand and not timed.
"""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.gradient import riemannian_gradients_, write_gradients
from cdg_torch.lab.bench.timing import Call
from cdg_torch.solve import Job
from cdg_torch.solve.backends import Backend, backend

Prepare = Callable[[list[Tensor]], Call | None]

METRICS = {
    "H⁰": Metric.reweighted_h0(10.0),
    "Sobolev": Metric.sobolev(1.0),
    "Sobolev, periodic": Metric.sobolev(1.0, boundary="periodic"),
    "general": Metric.ordinary_sobolev(1.0),
    "general, periodic": Metric.ordinary_sobolev(1.0, boundary="periodic"),
    "second order": Metric.spline(1.0),
    "second order, periodic": Metric.spline(1.0, boundary="periodic"),
}
SIGMA = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One timed method, and how it is prepared for a list of gradients.

    ===========  ======================================================================
    field        meaning
    ===========  ======================================================================
    ``group``    what it is compared under
    ``name``     what tables call it
    ``prepare``  from a list of gradients to a call; None where it cannot run here
    ``slow``     takes long, so that fewer rounds must do; no CUDA graph holds it
    ``scales``   is timed as n grows, too
    ``most``     the largest n that can be prepared within minutes
    ===========  ======================================================================
    """

    group: str
    name: str
    prepare: Prepare
    slow: bool = False
    scales: bool = False
    most: float = math.inf

    @property
    def key(self) -> str:
        """Group and name, unique on a device."""
        return f"{self.group}: {self.name}"

    @property
    def short_name(self) -> str:
        """The name in tables without groups."""
        family = {"floor": "floor", CPU: "ours", GPU: "ours", PLAIN: "plain PyTorch"}
        return f"{family[self.group]}, {self.name}" if self.group in family else self.name


def floor(grads: list[Tensor]) -> Call:
    """Return the floor: every gradient times a number, in place; one read, one write."""

    def call() -> None:
        for g in grads:
            g.mul_(0.999)

    return call


def floor_of_lists(grads: list[Tensor]) -> Call:
    """Return the floor without a launch for each gradient."""
    return lambda: torch._foreach_mul_(grads, 0.999)


def _ours(metric: Metric, chosen: Backend) -> Prepare:
    def prepare(grads: list[Tensor]) -> Call:
        def call() -> None:
            with backend(chosen):
                riemannian_gradients_(grads, metric)

        return call

    return prepare


def _out_of_place(metric: Metric) -> Prepare:
    """Write to buffers, as an attached optimizer does unless told ``inplace=True``."""

    def prepare(grads: list[Tensor]) -> Call:
        buffers = Buffers()

        def call() -> None:
            outs = buffers.like(grads)
            write_gradients([Job(k, g, metric) for k, g in zip(outs, grads, strict=True)])

        return call

    return prepare


def _each(function: Callable[[Tensor], object]) -> Prepare:
    def prepare(grads: list[Tensor]) -> Call:
        def call() -> None:
            for g in grads:
                function(g)

        return call

    return prepare


def _lerp(g: Tensor) -> Tensor:
    return g.lerp_(g.mean(0, keepdim=True), 0.9)


def _compiled(grads: list[Tensor]) -> Call | None:
    """Return the one line, compiled for each shape, in place; None without a compiler."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        return None

    def line(g: Tensor) -> None:
        mean = g.mean(0, keepdim=True)
        g.copy_(mean + 0.1 * (g - mean))

    compiled = torch.compile(line, dynamic=False)
    shapes = len({g.shape for g in grads})

    def call() -> None:
        # Each shape has code of its own, and by default few may.
        with torch._dynamo.config.patch(cache_size_limit=2 * shapes):
            for g in grads:
                compiled(g)

    return call


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


def _sgd(**kwargs: bool) -> Prepare:
    def prepare(grads: list[Tensor]) -> Call:
        parameters: Sequence[torch.nn.Parameter] = [
            torch.nn.Parameter(torch.zeros_like(g)) for g in grads
        ]
        for parameter, g in zip(parameters, grads, strict=True):
            parameter.grad = g
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, **kwargs).step

    return prepare


CPU, GPU, PLAIN = "ours, CPU kernels", "ours, GPU kernels", "ours, plain PyTorch"
ROWS = "ours, row by row"
KEPT = "Sobolev, gradients kept"

#: What is timed on each kind of device; first what everything is compared with.
CANDIDATES: dict[str, tuple[Candidate, ...]] = {
    "cpu": (
        Candidate("floor", "g.mul_(c)", floor, scales=True),
        *(
            Candidate(CPU, name, _ours(m, "cpu"), scales="periodic" not in name)
            for name, m in METRICS.items()
        ),
        Candidate(CPU, KEPT, _out_of_place(METRICS["Sobolev"])),
        *(
            Candidate(PLAIN, name, _ours(m, "torch"), slow=True, scales=name == "Sobolev")
            for name, m in METRICS.items()
        ),
        Candidate(ROWS, "Sobolev", _ours(METRICS["Sobolev"], "reference"), slow=True),
        Candidate("H⁰ otherwise", "g.lerp_(g.mean(0), c)", _each(_lerp)),
        Candidate("H⁰ otherwise", "the one line under torch.compile", _compiled, slow=True),
        Candidate("Sobolev otherwise", "two torch.cumsum", _each(_cumsums), slow=True, scales=True),
        Candidate("Sobolev otherwise", "SciPy DCT", _dct, slow=True, scales=True),
        Candidate(
            "Sobolev otherwise", "dense inverse, cached", _dense, slow=True, scales=True, most=2048
        ),
        Candidate(
            "neighbours", "Laplacian smoothing, FFT", _each(_laplacian), slow=True, scales=True
        ),
        Candidate("neighbours", "Laplacian smoothing, torchzero", _torchzero, slow=True),
        Candidate("neighbours", "gradient centralization", _each(_centralize)),
        Candidate("optimizer", "SGD with momentum, foreach", _sgd(foreach=True)),
        Candidate("optimizer", "SGD with momentum, fused", _sgd(fused=True)),
    ),
    "cuda": (
        Candidate("floor", "foreach_mul_(grads, c)", floor_of_lists, scales=True),
        *(Candidate(GPU, name, _ours(m, "gpu"), scales=True) for name, m in METRICS.items()),
        Candidate(GPU, KEPT, _out_of_place(METRICS["Sobolev"]), scales=True),
        *(
            Candidate(PLAIN, name, _ours(METRICS[name], "torch"), slow=True)
            for name in ("H⁰", "Sobolev")
        ),
        Candidate("one launch per gradient", "g.mul_(c)", floor),
        Candidate("H⁰ otherwise", "g.lerp_(g.mean(0), c)", _each(_lerp)),
        Candidate("Sobolev otherwise", "two torch.cumsum", _each(_cumsums), scales=True),
        Candidate("Sobolev otherwise", "dense inverse, cached", _dense),
        Candidate("neighbours", "Laplacian smoothing, FFT", _each(_laplacian), scales=True),
        Candidate("neighbours", "gradient centralization", _each(_centralize)),
        Candidate("optimizer", "SGD with momentum, foreach", _sgd(foreach=True)),
        Candidate("optimizer", "SGD with momentum, fused", _sgd(fused=True)),
    ),
}
