r"""The ways to the gradient in the metric that torch users can take, each as one function.

====================  ========================================================================
``reference``         plain PyTorch, row by row, :mod:`cdg_torch.solve.reference`
``torch``             plain PyTorch, in blocks of rows, :mod:`cdg_torch.solve.blocked`
``cpu``               the kernels for main memory, :mod:`cdg_torch.solve.cpu.single`
``gpu``               the kernels for a CUDA device, :mod:`cdg_torch.solve.gpu.programs`
``gpu, interpreted``  the same on Triton's interpreter, with ``TRITON_INTERPRET=1``
``in place``          a list of gradients, overwritten, by whatever implementation serves it
``attach``            one step of SGD, at rate 1 from zero weights, with a metric attached
====================  ========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.certificates.judging import Algorithm
from cdg_torch.attachment import attach
from cdg_torch.gradient import riemannian_gradient, riemannian_gradients_
from cdg_torch.solve.backends import Backend, backend, choose

#: k = M⁻¹g along an axis, in groups.
Transform = Callable[[Tensor, Metric, int, int], Tensor]

DTYPES: dict[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def _forced(name: Backend, device: str, dtypes: tuple[str, ...] = tuple(DTYPES)) -> dict[str, Any]:
    """Return the fields of a path through one backend."""

    def transform(g: Tensor, metric: Metric, dim: int, groups: int) -> Tensor:
        # A copy to another device keeps dense strides.
        with backend(name):
            return riemannian_gradient(g.to(device), metric, dim=dim, groups=groups).cpu()

    def serves(dtype: str) -> bool:
        try:
            with backend(name):
                choose(torch.empty(1, dtype=DTYPES[dtype], device=device))
        except ValueError:
            return False
        return dtype in dtypes

    return {"transform": transform, "serves": serves}


def _in_place(g: Tensor, metric: Metric, dim: int, groups: int) -> Tensor:
    riemannian_gradients_([g], metric, dims=dim, groups=groups)
    return g


def _attached(g: Tensor, metric: Metric, dim: int, groups: int) -> Tensor:
    """Return minus the weights of a convolution after one step from zero: 0 − 1·k."""
    flat = g[..., None] if g.ndim == 2 else g.flatten(2)
    rows, columns = flat.shape[dim], flat.shape[1 - dim]
    kind = (torch.nn.Conv1d, torch.nn.ConvTranspose1d)[dim]
    inputs = columns * groups if dim == 0 else columns
    layer = kind(inputs, rows, flat.shape[2], groups=groups, bias=False, dtype=g.dtype)
    torch.nn.init.zeros_(layer.weight)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    attach(optimizer, layer, metric)
    layer.weight.grad = flat
    optimizer.step()
    return -layer.weight.detach().reshape(g.shape)


def _nothing() -> str | None:
    return None


def _no_cuda() -> str | None:
    return None if torch.cuda.is_available() else "no CUDA device"


def _no_numba() -> str | None:
    return None if find_spec("numba") else "Numba is not installed"


def _no_interpreter() -> str | None:
    if find_spec("triton") is None:
        return "Triton is not installed"
    switched_on = os.environ.get("TRITON_INTERPRET") == "1"
    return None if switched_on else "Triton's interpreter is slow, and off"


@dataclass(frozen=True, slots=True)
class Path:
    """One implementation: its name, its function, and what it serves.

    ==============  ========================================================================
    field           meaning
    ==============  ========================================================================
    ``name``        see the table of this module
    ``transform``   the function; it may overwrite the gradient
    ``serves``      whether it takes tensors of a dtype on this machine
    ``missing``     why it cannot be taken on this machine, or None
    ``narrow``      which of theorem 7's bounds holds for types narrower than float64
    ``least``       smallest number of output channels on which it acts at all
    ``sizes``       the only numbers of output channels to try, if not all
    ==============  ========================================================================
    """

    name: str
    transform: Transform
    serves: Callable[[str], bool] = DTYPES.__contains__
    missing: Callable[[], str | None] = _nothing
    narrow: Algorithm = "functionals"
    least: int = 1
    sizes: tuple[int, ...] | None = None

    def algorithm(self, dtype: str) -> Algorithm:
        """Return which of theorem 7's bounds is claimed for a dtype."""
        return "closing" if dtype == "float64" else self.narrow


PATHS: dict[str, Path] = {
    path.name: path
    for path in (
        Path("reference", **_forced("reference", "cpu"), narrow="closing"),
        Path("torch", **_forced("torch", "cpu"), narrow="closing"),
        Path("cpu", **_forced("cpu", "cpu"), missing=_no_numba),
        Path("gpu", **_forced("gpu", "cuda"), missing=_no_cuda),
        # Its logic only: the interpreter truncates to bfloat16 where the device rounds.
        Path(
            "gpu, interpreted",
            **_forced("gpu", "cpu", ("float32", "float16")),
            missing=_no_interpreter,
            sizes=(1, 3, 33),
        ),
        Path("in place", _in_place),
        # A group of one output channel has nothing to smooth: attach leaves it alone.
        Path("attach", _attached, least=2),
    )
}
