r"""k = M⁻¹g in plain PyTorch, in a number of operations that does not depend on n.

The reference (:mod:`cdg_torch.solve.reference`) sweeps over rows, one operation for each. Here the
two sweeps are four products with small matrices (:mod:`cdg_theory.discrete.blocked`), known
beforehand; all else is as in the reference: the mean is taken off twice, the sums close the sweeps,
float64 inside, rounded once. On the cycle the constant that the sweep down starts from is a product
with the gradient, too (:mod:`cdg_torch.solve.coefficients`), with a curvature the flux over the
seam.

**Rounding.** Without a curvature the entries are sums of products of positive numbers, each with
full relative accuracy, and all that the products and their sums do, in whatever order, is at most
(3b+2m+5)u times both sweeps of :math:`|r|` (``T7.injected-blocks``). Theorem 7's bound counts what
the row sweeps hold instead, which may be much less: it is not derived for these products, and
errors all of the worst sign could exceed it. Searches found none beyond a fifth of it (docs:
``theory/rounding-variants``).

In main memory columns are treated in portions that stay in a core's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cdg_theory.discrete import sweeps
from cdg_theory.discrete.blocked import SweepBlocks, segment_size, sweep_blocks, sweep_blocks_of
from cdg_theory.discrete.curvature import CurvatureFactors
from cdg_torch.solve.coefficients import element_matrix, pair_matrices
from cdg_torch.solve.reference import at_order_one

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cdg_theory import Metric

# How many numbers are worked on at once in main memory: half a megabyte of float64.
PORTION = 1 << 16


#: Output channels from which what is kept takes a megabyte or more.
LONG = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """What one metric and one n need, on a device; rows are filled up to m segments of b.

    ============  ============  ==========================================================
    field         shape         meaning
    ============  ============  ==========================================================
    ``sweeps``                  the products
    ``ones``      (1, m(b+2q))  of every row: what sums the loads in the buffer of the sweeps
    ``start``     (q, m(b+2q))  what the sweep down starts from, of the loads (cycle only)
    ``closure``   (mb, q+1)     the levels of the solution that is taken off, and of the mean;
                                of pairs on the cycle also what a flux over the seam causes
                                (two more, before the mean's)
    ``cycle``     (2, 2) each   of pairs on the cycle: the solution that is taken off in the
                                first row and in the last, and what turns a missing flux into
                                that over the seam
    ============  ============  ==========================================================
    """

    sweeps: SweepBlocks
    ones: Tensor
    start: Tensor | None
    closure: Tensor
    cycle: tuple[Tensor, Tensor, Tensor] | None = None


def _blocks(metric: Metric, n: int, device: torch.device) -> Blocks:
    """Return what is kept: of few metrics where n is large, since it grows with n."""
    return (_kept if n <= LONG else _kept_of_long)(metric, n, device)


def _make(metric: Metric, n: int, device: torch.device) -> Blocks:
    size = segment_size(n)
    rows = -(-n // size) * size

    def tensor(array: NDArray[Any]) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, device=device)

    def of_loads(array: NDArray[Any]) -> Tensor:
        """Return weights of n rows as weights of the buffer: 0 for all that is no load."""
        filled = np.pad(array, [(0, 0), (0, rows - n)]).reshape(len(array), -1, size)
        return tensor(np.pad(filled, [(0, 0), (0, 0), (0, 2 * q)]).reshape(len(array), -1))

    def closing(*columns: NDArray[Any]) -> Tensor:
        return tensor(np.pad(np.vstack([*columns, np.ones(n)]).T, [(0, rows - n), (0, 0)]))

    def products(carry: NDArray[Any], gain: NDArray[Any]) -> SweepBlocks:
        own = sweep_blocks_of(carry, gain, size)
        if rows > n:  # nothing comes out of the rows that fill the last segment
            own.inner[-1, n - rows + size : size] = 0
        names = SweepBlocks.__dataclass_fields__
        return SweepBlocks(**{name: tensor(getattr(own, name)) for name in names})

    known = sweeps.factors_of(metric, n)
    assert known is not None
    q = 2 if isinstance(known, CurvatureFactors) else 1
    ones = of_loads(np.ones((1, n)))
    if not isinstance(known, CurvatureFactors):
        carry, gain = known.carry.reshape(-1, 1, 1), known.gain.reshape(-1, 1, 1)
        start = None if known.flux is None else of_loads(-np.cumsum(known.flux)[None, ::-1])
        return Blocks(products(carry, gain), ones, start, closing(known.closure))

    carry = pair_matrices(known)
    gain = np.concatenate([carry, np.zeros((1, 2, 2))])
    closure = element_matrix(known.ring, known.closure)
    own = products(carry, gain)
    if known.seam is None:
        return Blocks(own, ones, None, closing(closure[0]))
    response, release = (element_matrix(known.ring, e) for e in (known.seam, known.release))
    cycle = tensor(closure[..., 0]), tensor(closure[..., -1]), tensor(release)
    start = of_loads(-(release @ response[:, 1]))
    return Blocks(own, ones, start, closing(closure[0], response[0]), cycle)


_kept, _kept_of_long = lru_cache(maxsize=64)(_make), lru_cache(maxsize=2)(_make)


def _solve(g: Tensor, metric: Metric) -> Tensor:
    """Return M⁻¹g of (n, columns) numbers, in float64."""
    n, columns = g.shape
    if metric.derivative_order == 0:
        wide = g.to(torch.float64, copy=True)
        level = _off_mean(wide, wide, wide.new_ones(1, n), n) / metric.mean
        return torch.addcdiv(level, wide, wide.new_full((), metric.fluctuation), out=wide)
    blocks = _blocks(metric, n, g.device)
    count, q, size = blocks.sweeps.reach.shape
    buffer = g.new_empty(count, size + 2 * q, columns, dtype=torch.float64)
    flat = buffer.view(-1, columns)
    buffer[:, size:] = 0  # what has weight 0 in a sum must be a number
    whole, over = divmod(n, size)
    buffer[:whole, :size] = g[: whole * size].view(whole, size, columns)
    if over:
        buffer[-1, :over] = g[whole * size :]
        buffer[-1, over:size] = 0
    level = _off_mean(buffer[:, :size], flat, blocks.ones, n) / metric.mean
    start = None if blocks.start is None else blocks.start @ flat
    segments, seconds, first = sweep_blocks(buffer, start, blocks.sweeps)
    x = segments.view(-1, columns)
    # Sums as products: over axes that do not lie side by side they take many times as long.
    off = -torch.cat([x.new_ones(1, len(x)) @ x, seconds])
    parts = [off, level]
    if blocks.cycle is not None and start is not None:
        at_first, at_last, release = blocks.cycle
        # The path's solution is 0 in its last row, until the sums come off.
        flows = (at_last @ off) - (first + at_first @ off)
        parts.insert(1, release @ (flows - start))
    return x.addmm_(blocks.closure, torch.cat(parts))[:n]


def _off_mean(rows: Tensor, flat: Tensor, ones: Tensor, n: int) -> Tensor:
    """Take the mean of n rows off, twice, and return it.

    ``ones @ flat`` sums the rows. What is taken off beyond the last one meets the gain 0.
    """
    means = []
    for _ in range(2):
        means.append((ones @ flat) / n)
        rows -= means[-1]
    return means[0] + means[1]


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
    width = flat.shape[1] if grad.device.type != "cpu" else max(1, PORTION // n)
    for start in range(0, flat.shape[1], width):
        own = flat[:, start : start + width]
        # float64 has no range to spare inside, narrower types have.
        double = own.dtype == torch.float64
        k = at_order_one(_solve, own, metric) if double else _solve(own, metric)
        target[:, start : start + width] = k
    if apart:
        into.copy_(target.view(into.shape))
