"""Which implementation of k = M⁻¹g serves a tensor: the CPU or the GPU kernels, or plain PyTorch.

==============  =============================================================================
``reference``   plain PyTorch, any device, row by row: the readable version that the others are
                held against, :mod:`cdg_torch.solve.reference`; only if it is asked for
``torch``       plain PyTorch, any device, in blocks of rows: :mod:`cdg_torch.solve.blocked`
``cpu``         Numba, tensors in main memory: :mod:`cdg_torch.solve.cpu.single`
``gpu``         Triton, tensors on a CUDA device, not float64: :mod:`cdg_torch.solve.gpu.programs`
==============  =============================================================================

By default the fastest one that can serve a tensor does; :func:`backend` overrides. Where a package
is missing and plain PyTorch serves in the kernels' place, a :class:`cdg_torch.CDGWarning` says so
once, as soon as a tensor is large enough for it to matter.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import torch

from cdg_theory.checks import one_of
from cdg_torch.extras import missing
from cdg_torch.notices import say_once

if TYPE_CHECKING:
    from collections.abc import Iterator

Backend = Literal["reference", "torch", "cpu", "gpu"]


LARGE = 2**14
"""From how many numbers in a tensor on a missing package is worth a word.

A 3×3 convolution of 43 by 43 channels. There plain PyTorch takes a fifth of a millisecond or more
where the kernels take less than a tenth, and the ratio grows.
"""


class Placed(Protocol):
    """A tensor, or what is known of one: its dtype and device decide who serves it."""

    @property
    def dtype(self) -> torch.dtype:
        """The storage type."""

    @property
    def device(self) -> torch.device:
        """Where it lies."""

    @property
    def shape(self) -> torch.Size:
        """How many numbers along each axis."""


_forced: ContextVar[Backend | None] = ContextVar("cdg_backend", default=None)


@contextmanager
def backend(name: Backend) -> Iterator[None]:
    """Use one implementation for every tensor, in this thread, inside a ``with`` block.

    Parameters
    ----------
    name
        ``"reference"`` (readable, slow), ``"torch"`` (plain PyTorch, any device), ``"cpu"`` (Numba
        kernels) or ``"gpu"`` (Triton kernels). Without this function the fastest that serves the
        tensor is chosen.

    Yields
    ------
    None

    Raises
    ------
    ValueError
        If ``name`` is unknown. Inside the block, if this implementation cannot serve a tensor.
    ModuleNotFoundError
        Inside the block, if this implementation needs a package that is not installed.

    See Also
    --------
    cdg_torch.riemannian_gradient : What is computed.
    cdg_theory.certify : How accurate an implementation is.

    Examples
    --------
    >>> import cdg_torch
    >>> import torch
    >>> with cdg_torch.backend("reference"):
    ...     cdg_torch.riemannian_gradient(torch.ones(3), cdg_torch.Metric.sobolev(1.0))
    tensor([1., 1., 1.])
    """
    one_of("backend", name, get_args(Backend))
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def forced() -> Backend | None:
    """Return the backend that :func:`backend` asks for in this thread, if any."""
    return _forced.get()


@cache
def _found(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _installed(package: str, tensor: Placed) -> bool:
    """Whether a package is there; if not, a forced backend is refused, a chosen one replaced."""
    if not _found(package) and forced() is not None:
        raise ModuleNotFoundError(missing(package), name=package)
    if not _found(package) and tensor.shape.numel() >= LARGE:
        say_once(f"plain PyTorch is used, which is slower: {missing(package)}")
    return _found(package)


@cache
def _half_converts() -> bool:
    """Whether the processor has instructions for float16, without which the kernels have none."""
    llvm = importlib.import_module("llvmlite.binding")
    return "86" not in llvm.get_process_triple() or bool(llvm.get_host_cpu_features().get("f16c"))


def _cpu_serves(tensor: Placed) -> bool:
    return (
        tensor.device.type == "cpu"
        and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
        and _installed("numba", tensor)
        and (tensor.dtype != torch.float16 or _half_converts())
    )


def _gpu_serves(tensor: Placed) -> bool:
    # Triton's interpreter runs the kernels on tensors in main memory, for tests.
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    return (
        (tensor.device.type == "cuda" or (interpreted and tensor.device.type == "cpu"))
        and tensor.dtype != torch.float64
        and _installed("triton", tensor)
    )


def choose(tensor: Placed) -> Backend:
    """Return the implementation that serves ``tensor``.

    Raises
    ------
    ValueError
        If the backend that :func:`backend` asks for cannot serve it.
    ModuleNotFoundError
        If that backend needs a package that is not installed.
    """
    asked = forced()
    if asked is None:
        if _cpu_serves(tensor):
            return "cpu"
        return "gpu" if _gpu_serves(tensor) else "torch"
    if asked in {"reference", "torch"} or {"cpu": _cpu_serves, "gpu": _gpu_serves}[asked](tensor):
        return asked
    msg = (
        f"the {asked} backend cannot serve a {tensor.dtype} tensor on {tensor.device}; "
        "leave the choice to cdg_torch, or use backend('torch')"
    )
    raise ValueError(msg)
