r"""The ways to the gradient in the metric that torch users can take, each as one function.

==============  ==============================================================================
``reference``   plain PyTorch, :mod:`cdg_torch.reference`
``cpu``         the kernels for main memory, :mod:`cdg_torch.kernels.cpu`
``gpu``         the kernels for a CUDA device, :mod:`cdg_torch.kernels.gpu`
``in place``    a list of gradients, overwritten, by whatever implementation serves it
``attach``      one step of SGD, at rate 1 from zero weights, with a metric attached
==============  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.certificates.judging import Algorithm
from cdg_torch.attachment import attach
from cdg_torch.backends import Backend, backend, choose
from cdg_torch.lists import riemannian_gradients_
from cdg_torch.transform import riemannian_gradient

__all__ = ["DTYPES", "PATHS", "Path", "Transform"]

#: k = M⁻¹g along an axis, in groups.
Transform = Callable[[Tensor, Metric, int, int], Tensor]

DTYPES: dict[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def _forced(name: Backend, device: str) -> Transform:
    def transform(g: Tensor, metric: Metric, dim: int, groups: int) -> Tensor:
        # preserve_format: a copy to the device keeps dense strides.
        with backend(name):
            return riemannian_gradient(g.to(device), metric, dim=dim, groups=groups).cpu()

    return transform


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


@dataclass(frozen=True, slots=True)
class Path:
    """One implementation: what it is called, how it is called, what it serves.

    ==============  ========================================================================
    field           meaning
    ==============  ========================================================================
    ``name``        see the table of this module
    ``transform``   the function; it may overwrite the gradient
    ``device``      where it runs, for the kernels of a backend
    ``narrow``      which of theorem 7's bounds holds for types narrower than float64
    ``least``       smallest number of output channels on which it acts at all
    ==============  ========================================================================
    """

    name: str
    transform: Transform
    device: str = "cpu"
    narrow: Algorithm = "functionals"
    least: int = 1

    def algorithm(self, dtype: str) -> Algorithm:
        """Return which of theorem 7's bounds is claimed for a dtype."""
        return "closing" if dtype == "float64" else self.narrow

    def missing(self) -> str | None:
        """Return why the path cannot be taken here, or None."""
        if self.device == "cuda" and not torch.cuda.is_available():
            return "no CUDA device"
        return None if self.serves("float32") else "its package is not installed"

    def serves(self, dtype: str) -> bool:
        """Whether the path takes tensors of this dtype on this machine."""
        if self.name not in get_args(Backend):
            return True
        try:
            with backend(self.name):  # type: ignore[arg-type]
                choose(torch.empty(1, dtype=DTYPES[dtype], device=self.device))
        except ValueError:
            return False
        return True


PATHS: dict[str, Path] = {
    path.name: path
    for path in (
        Path("reference", _forced("reference", "cpu"), narrow="closing"),
        Path("cpu", _forced("cpu", "cpu")),
        Path("gpu", _forced("gpu", "cuda"), device="cuda"),
        Path("in place", _in_place),
        # A group of one output channel has nothing to smooth: attach leaves it alone.
        Path("attach", _attached, least=2),
    )
}
