"""Calls of the transform, drawn: metric, length, shape, axis, groups, storage type and layout.

Every call has a number, and is drawn again from it: a failure is reported by its number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdg_theory import Metric
from cdg_theory.certificates.draws import KINDS, draw_column
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS, FloatFormat

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
# What the kernels count in: blocks of 16 and 32 rows, and of 16 and 32 columns.
FAVOURED = (1, 2, 3, 5, 15, 16, 17, 31, 32, 33)
MOST_NUMBERS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call: ``view(buffer)`` is the gradient; the rest of the buffer is not its business.

    ``columns`` is the gradient as (n, columns) in float64, groups side by side; ``kinds`` says
    how each column was drawn.
    """

    number: int
    metric: Metric
    dtype: str
    layout: str
    dim: int
    groups: int
    buffer: Tensor
    view: Callable[[Tensor], Tensor]
    columns: NDArray[np.float64]
    kinds: tuple[str, ...]

    @property
    def grad(self) -> Tensor:
        """The gradient as the library is given it."""
        return self.view(self.buffer)

    @property
    def overlaps(self) -> bool:
        """Whether several elements of the gradient share memory."""
        return self.layout == "expanded"

    def __str__(self) -> str:
        return (
            f"call {self.number}: {self.metric}, {self.dtype} of shape {tuple(self.grad.shape)}, "
            f"strides {self.grad.stride()}, dim={self.dim}, groups={self.groups}"
        )


def draw_metric(rng: np.random.Generator, *, decades: float = 12.0) -> Metric:
    """Return a member of the family: which terms there are, and weights even in the exponent."""
    mean, beta, gamma = 10.0 ** rng.uniform(-decades, decades, 3)
    if rng.random() < 0.3:
        mean = 1.0
    small = gamma * 10.0 ** rng.uniform(-2 * decades, -decades / 2)
    pairs = ((mean, 0.0), (beta, 0.0), (0.0, gamma), (beta, gamma), (small, gamma))
    fluctuation, derivative = pairs[rng.choice(5, p=(0.04, 0.16, 0.25, 0.4, 0.15))]
    boundary = "periodic" if rng.random() < 0.5 else "natural"
    spacing = "unit" if rng.random() < 0.5 else "normalized"
    curvature = 0.0
    if rng.random() < 0.3:
        # The double root, where γ² = 4βδ, is among them.
        curvature = 10.0 ** rng.uniform(-decades, decades)
        if derivative and fluctuation and rng.random() < 0.3:
            curvature = derivative**2 / (4 * fluctuation)
    return Metric(mean, fluctuation, derivative, curvature, boundary=boundary, spacing=spacing)


def _draw_length(rng: np.random.Generator) -> int:
    chance = rng.random()
    if chance < 0.5:
        return int(rng.choice(FAVOURED))
    if chance < 0.93:
        return int(rng.integers(1, 41))
    if chance < 0.995:
        return int(rng.integers(41, 200))
    return int(rng.integers(200, 1500))


def _fit(
    g: NDArray[np.float64], metric: Metric, fmt: FloatFormat, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Scale each column by a power of two so that it and its result fit the storage type.

    One call in ten stays as it is: then results may be infinite, and the judge says where. What
    the storage type cannot hold is clipped: a gradient is finite.
    """
    largest = (2.0 - 2.0 ** (1 - fmt.precision)) * 2.0**fmt.max_exp
    if rng.random() >= 0.1:
        sizes = np.abs(forward_error_bound(g, metric).gradient).max(axis=0)
        needed = np.maximum(np.frexp(np.abs(g).max(axis=0))[1], np.frexp(sizes)[1])
        g = np.ldexp(g, np.minimum(fmt.max_exp - 2 - needed, 0))
    return fmt.round(np.clip(g, -largest, largest))


LAYOUTS = ("contiguous", "channels_last", "permuted", "sliced", "offset", "expanded")


def _lay_out(
    rng: np.random.Generator, shape: tuple[int, ...], axis: int, dtype: torch.dtype
) -> tuple[str, Tensor, Callable[[Tensor], Tensor]]:
    """Return a layout's name, a buffer, and the view of it that has the shape."""
    ndim, layout = len(shape), str(rng.choice(LAYOUTS))
    spread = [a for a in range(ndim) if a != axis and shape[a] > 1]
    if (layout == "channels_last" and ndim != 4) or (layout == "expanded" and not spread):
        layout = "contiguous"
    if layout == "expanded":
        one = rng.choice(spread)
        narrow = tuple(1 if a == one else size for a, size in enumerate(shape))
        return layout, torch.empty(narrow, dtype=dtype), lambda b: b.expand(shape)
    if layout == "sliced":
        starts, steps = rng.integers(0, 3, ndim), rng.integers(1, 3, ndim)
        stops = starts + np.array(shape) * steps
        where = tuple(map(slice, starts.tolist(), stops.tolist(), steps.tolist()))
        return layout, torch.full(tuple(stops.tolist()), 77.0, dtype=dtype), lambda b: b[where]
    order = {
        "permuted": tuple(int(axis) for axis in rng.permutation(ndim)),
        "channels_last": (0, 2, 3, 1),
    }.get(layout, tuple(range(ndim)))
    back = tuple(int(axis) for axis in np.argsort(order))
    stored = tuple(shape[axis] for axis in order)
    offset = int(rng.integers(1, 8)) if layout == "offset" else 0
    stop = offset + int(np.prod(shape))
    buffer = torch.full((stop + offset,), 77.0, dtype=dtype)
    return layout, buffer, lambda b: b[offset:stop].view(stored).permute(back)


def columns_of(tensor: Tensor, dim: int, groups: int) -> NDArray[np.float64]:
    """Return a tensor as (n, columns) in float64, groups side by side."""
    blocks = np.split(tensor.detach().double().numpy(), groups, axis=dim)
    rows = [np.moveaxis(block, dim, 0) for block in blocks]
    return np.concatenate([block.reshape(len(block), -1) for block in rows], axis=1)


def _into_shape(
    columns: NDArray[np.float64], shape: tuple[int, ...], dim: int, groups: int
) -> NDArray[np.float64]:
    """Undo :func:`columns_of`."""
    others = (*shape[:dim], *shape[dim + 1 :])
    blocks = np.split(columns, groups, axis=1)
    return np.concatenate(
        [np.moveaxis(block.reshape(len(block), *others), 0, dim) for block in blocks], axis=dim
    )


def draw_call(number: int) -> Call:
    """Return the call with this number."""
    rng = np.random.default_rng([20080, number])
    metric = draw_metric(rng, decades=float(rng.choice((1.0, 4.0, 12.0))))
    n = _draw_length(rng)
    groups = int(rng.integers(1, 4)) if rng.random() < 0.4 else 1
    ndim = int(rng.integers(1, 6))
    axis = int(rng.integers(ndim))
    shape = [int(size) for size in rng.integers(1, 6, ndim)]
    if rng.random() < 0.2:
        # Enough columns for several of the kernels' blocks, and some left over.
        shape[int(rng.integers(ndim))] = int(rng.integers(30, 80))
    shape[axis] = n * groups
    while np.prod(shape) > MOST_NUMBERS:
        other = max((a for a in range(ndim) if a != axis), key=lambda a: shape[a])
        shape[other] = max(1, shape[other] // 2)
    dtype = str(rng.choice(tuple(DTYPES), p=(0.25, 0.35, 0.2, 0.2)))
    layout, buffer, view = _lay_out(rng, tuple(shape), axis, DTYPES[dtype])

    count = int(np.prod(shape)) // n
    columns = rng.standard_normal((n, count))
    kinds = ["random"] * count
    for column in rng.permutation(count)[:8]:
        kinds[column] = str(rng.choice(tuple(KINDS)))
        columns[:, column] = draw_column(kinds[column], n, FORMATS[dtype], rng)
    fitted = _fit(columns, metric, FORMATS[dtype], rng)
    values = torch.from_numpy(np.ascontiguousarray(_into_shape(fitted, tuple(shape), axis, groups)))
    if layout == "expanded":
        # One slice of the values serves for all.
        buffer.copy_(values[tuple(map(slice, buffer.shape))])
        fitted, kinds = columns_of(view(buffer), axis, groups), ["copied"] * count
    else:
        view(buffer).copy_(values)
    dim = axis - ndim if rng.random() < 0.3 else axis
    return Call(number, metric, dtype, layout, dim, groups, buffer, view, fitted, tuple(kinds))
