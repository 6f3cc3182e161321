r"""k = M⁻¹g in plain PyTorch, in a number of operations that does not depend on n.

The reference (:mod:`cdg_torch.solve.reference`) sweeps over rows, one operation for each. Here the
two sweeps are four products with small matrices (:mod:`cdg_theory.discrete.blocked`), known
beforehand; all else is as in the reference: the mean is taken off twice, the sums close the sweeps,
float64 inside, rounded once. On the cycle the constant that the sweep down starts from is a product
with the gradient, too (:mod:`cdg_torch.solve.coefficients`), with a curvature the flux over the
seam.

**Rounding.** Without a curvature the entries are sums of products of positive numbers, each with
full relative accuracy. What the coefficient of :math:`r_j` meets is at most 2(b+m) roundings where
the row sweeps' meets 4n; b+m ≤ 2n, so theorem 7's bounds hold as they are.

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
    ``start``     (q, mb)       what the sweep down starts from, of the loads (cycle only)
    ``closure``   (mb, q)       the levels of the solution that is taken off
    ``cycle``                   of pairs on the cycle: that solution in the first row and in
                                the last (2, 2 each), what turns a missing flux into that over
                                the seam (2, 2), and the levels that it causes (mb, 2)
    ============  ============  ==========================================================
    """

    sweeps: SweepBlocks
    start: Tensor | None
    closure: Tensor
    cycle: tuple[Tensor, Tensor, Tensor, Tensor] | None = None


def _blocks(metric: Metric, n: int, device: torch.device) -> Blocks:
    """Return what is kept: of few metrics where n is large, since it grows with n."""
    return (_kept if n <= LONG else _kept_of_long)(metric, n, device)


def _make(metric: Metric, n: int, device: torch.device) -> Blocks:
    size = segment_size(n)
    rows = -(-n // size) * size

    def tensor(array: NDArray[Any]) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, device=device)

    def filled(array: NDArray[Any]) -> Tensor:
        return tensor(np.pad(array, [(0, rows - n), (0, 0)]))

    def products(carry: NDArray[Any], gain: NDArray[Any]) -> SweepBlocks:
        own = sweep_blocks_of(carry, gain, size)
        if rows > n:  # nothing comes out of the rows that fill the last segment
            own.inner[-1, n - rows + size : size] = 0
        names = SweepBlocks.__dataclass_fields__
        return SweepBlocks(**{name: tensor(getattr(own, name)) for name in names})

    known = sweeps.factors_of(metric, n)
    assert known is not None
    if not isinstance(known, CurvatureFactors):
        carry, gain = known.carry.reshape(-1, 1, 1), known.gain.reshape(-1, 1, 1)
        start = None if known.flux is None else filled(-np.cumsum(known.flux)[::-1, None]).T
        return Blocks(products(carry, gain), start, filled(known.closure[:, None]))

    carry = pair_matrices(known)
    gain = np.concatenate([carry, np.zeros((1, 2, 2))])
    closure = element_matrix(known.ring, known.closure)
    own = products(carry, gain)
    if known.seam is None:
        return Blocks(own, None, filled(closure[0].T))
    response, release = (element_matrix(known.ring, e) for e in (known.seam, known.release))
    start = filled(-(release @ response[:, 1]).T).T
    first, last = tensor(closure[..., 0]), tensor(closure[..., -1])
    cycle = (first, last, tensor(release), filled(response[0].T))
    return Blocks(own, start, filled(closure[0].T), cycle)


_kept, _kept_of_long = lru_cache(maxsize=64)(_make), lru_cache(maxsize=2)(_make)


def _solve(g: Tensor, metric: Metric) -> Tensor:
    """Return M⁻¹g of (n, columns) numbers, in float64."""
    n, columns = g.shape
    if metric.derivative_order == 0:
        wide = g.to(torch.float64, copy=True)
        level = _off_mean(wide[None], n) / metric.mean
        return torch.addcdiv(level, wide, wide.new_full((), metric.fluctuation))
    blocks = _blocks(metric, n, g.device)
    count, q, size = blocks.sweeps.reach.shape
    buffer = g.new_empty(count, size + 2 * q, columns, dtype=torch.float64)
    whole, over = divmod(n, size)
    buffer[:whole, :size] = g[: whole * size].view(whole, size, columns)
    loads, beyond = buffer[:, :size], None
    if over:
        buffer[-1, :over] = g[whole * size :]
        beyond = buffer[-1, over:size].zero_()
    level = _off_mean(loads, n, beyond) / metric.mean
    start = None
    if blocks.start is not None:
        weights = blocks.start.view(q, count, 1, size).transpose(0, 1)
        start = (weights @ loads[:, None]).sum(0).view(q, columns)
    x, first = sweep_blocks(buffer, start, blocks.sweeps)
    sums = [_sum(x[:, :size])]
    if q == 2:
        sums.append(x[:, size].sum(0))
    off = -torch.stack(sums)
    weights, parts = blocks.closure, off
    if blocks.cycle is not None and start is not None:
        at_first, at_last, release, seam = blocks.cycle
        # The path's solution is 0 in its last row, until the sums come off.
        flows = (at_last @ off) - (first + at_first @ off)
        weights, parts = torch.cat([weights, seam], 1), torch.cat([off, release @ (flows - start)])
    weights = torch.cat([weights, torch.ones_like(weights[:, :1])], 1)
    parts = torch.cat([parts, level[None]])
    return (
        x[:, :size]
        .baddbmm_(weights.view(count, size, -1), parts.expand(count, *parts.shape))
        .reshape(-1, columns)[:n]
    )


def _sum(rows: Tensor) -> Tensor:
    """Return the sum of the rows of every segment, (m, b, columns)."""
    # As a product: a sum over two axes that do not lie side by side takes eight times as long.
    return (rows.new_ones(len(rows), 1, rows.shape[1]) @ rows).sum(0)[0]


def _off_mean(rows: Tensor, n: int, beyond: Tensor | None = None) -> Tensor:
    """Take the mean of n rows off, twice, and return it; the rows beyond are 0 and stay so."""
    means = []
    for _ in range(2):
        means.append(_sum(rows) / n)
        rows -= means[-1]
        if beyond is not None:
            beyond.zero_()
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
