r"""k = M⁻¹g in plain PyTorch, in a number of operations that does not depend on n.

The reference (:mod:`cdg_torch.solve.reference`) sweeps over rows, one operation for each. Here

.. math:: k = \tfrac1\alpha\bar g + G(g-\bar g),

and G, the inverse on vectors of mean zero, is three products with matrices known beforehand
(:mod:`cdg_theory.discrete.blocked`), one where n is short. The mean is taken off once: what its
rounding leaves is no load, since :math:`G\mathbf1=0`, and is added to the mean. Float64 inside,
rounded once.

**Rounding.** All that the products and their sums do, in whatever order, is at most (2b+(m+1)p)u
times the products of the moduli of all matrices and of r (``T7.injected-blocks``). Theorem 7's
bound counts what the row sweeps hold instead, which may be much less: it is not derived for these
products, and errors all of the worst sign could exceed it. Searches found none beyond a fifth of it
(docs: ``theory/rounding-variants``).

In main memory columns are treated in portions that stay in a core's cache.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cdg_theory.discrete.blocked import Products, multiply, products_of, segment_size, segments
from cdg_theory.discrete.blocks import shard_plan
from cdg_torch.solve.reference import at_order_one

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric

# How many numbers each thread works on at once in main memory: half a megabyte of float64.
PORTION = 1 << 16

#: Output channels from which what is kept takes a megabyte or more.
LONG = 4096


def _known(metric: Metric, n: int, device: torch.device) -> tuple[Products, Tensor]:
    """Return the products, and what sums the rows of their buffer: (1, m(b+p)).

    Of few metrics where n is large, since what is kept grows with n.
    """
    return (_kept if n <= LONG else _kept_of_long)(metric, n, device)


def _make(metric: Metric, n: int, device: torch.device) -> tuple[Products, Tensor]:
    def tensor(array: Any) -> Any:
        if array is None:
            return None
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, device=device)

    own = products_of(shard_plan(metric, segments(n, segment_size(n))))
    count, size, room = own.rows.shape
    ones = np.pad(np.ones(n), (0, count * size - n)).reshape(count, size)
    weights = np.pad(ones, [(0, 0), (0, room - size)]).reshape(1, -1)
    return Products(*map(tensor, (own.sums, own.ends, own.rows))), tensor(weights)


_kept, _kept_of_long = lru_cache(maxsize=64)(_make), lru_cache(maxsize=2)(_make)


def _solve(g: Tensor, metric: Metric) -> Tensor:
    """Return M⁻¹g of (n, columns) numbers, in float64."""
    n, columns = g.shape
    if metric.derivative_order == 0:
        r = g.to(torch.float64, copy=True)
        mean, rest = _off_mean(r, r, r.new_ones(1, n), n)
        level = (mean + rest) / metric.mean - rest / metric.fluctuation
        return torch.addcdiv(level, r, r.new_full((), metric.fluctuation), out=r)
    products, weights = _known(metric, n, g.device)
    count, size, room = products.rows.shape
    whole, over = divmod(n, size)
    buffer = g.new_empty(count, room, columns, dtype=torch.float64)
    buffer[:whole, :size] = g[: whole * size].view(whole, size, columns)
    buffer[:, size:] = 0  # what has weight 0 in a sum must be a number
    if over:
        buffer[-1, :over] = g[whole * size :]
        buffer[-1, over:size] = 0
    mean, rest = _off_mean(buffer[:, :size], buffer.view(-1, columns), weights, n)
    x = multiply(products, buffer).view(-1, columns)[:n]
    # Apart, since sums within the products would round a large mean many times.
    return x.add_((mean + rest) / metric.mean)


def _off_mean(rows: Tensor, flat: Tensor, weights: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Take the mean of n rows off, and return it and what its rounding has left.

    ``weights @ flat`` sums the rows. As a product: sums over axes that do not lie side by side take
    many times as long.
    """
    mean = (weights @ flat) / n
    rows -= mean
    return mean, (weights @ flat) / n


def write_blocked(out: Tensor, grad: Tensor, metric: Metric, dim: int, groups: int) -> None:
    """Write M⁻¹g of one tensor; ``out`` may be the gradient itself."""
    shape = (*grad.shape[:dim], groups, -1, *grad.shape[dim + 1 :])
    rows = grad.reshape(shape).movedim(dim + 1, 0)
    n = len(rows)
    if metric.is_multiple_of_l2 or n == 1:
        out.copy_(grad.double() / metric.mean)
        return
    flat = rows.reshape(n, -1)
    into = out.reshape(shape).movedim(dim + 1, 0)
    target = into.reshape(n, -1)
    apart = target.data_ptr() != out.data_ptr()  # the columns do not lie side by side
    portion = PORTION * torch.get_num_threads()
    width = flat.shape[1] if grad.device.type != "cpu" else max(1, portion // n)
    for start in range(0, flat.shape[1], width):
        own = flat[:, start : start + width]
        # float64 has no range to spare inside, narrower types have.
        double = own.dtype == torch.float64
        k = at_order_one(_solve, own, metric) if double else _solve(own, metric)
        target[:, start : start + width] = k
    if apart:
        into.copy_(target.view(into.shape))
