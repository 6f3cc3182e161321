r"""k = M⁻¹g when the rows of g lie in blocks, on different ranks: at most three numbers per column.

Cut the two sweeps of :mod:`~cdg_theory.discrete.sweeps` at the ends of the blocks. A block of rows
:math:`[a,b)` receives an inflow from the left, :math:`Y = p_{a-1}y_{a-1}`, and one from the right,
:math:`X = x_b`, and everything that others need of it is affine in these two:

==================================  ===============================================================
symbol                              meaning (field of :class:`Moments`)
==================================  ===============================================================
:math:`F = p_{b-1}y_{b-1}`          ``forward``: what its forward sweep carries into the next block
:math:`B = x_a`                     ``backward``: what its backward sweep hands to the block before
:math:`T = \sum_{a\le i<b} x_i`     ``total``: its share of the sum that the mean constraint closes
==================================  ===============================================================

All three are relative to the block's ends: sums with weights between 0 and 1, so nothing overflows.
Two adjacent blocks act like one (:func:`merge`), the empty block like none: the blocks are a
monoid, and the whole is the product of its parts whichever way it is cut.

A block takes off its own mean before it sweeps, so that the moments of a nearly constant gradient
are as small as its fluctuation. That fluctuation f obeys a balance, the sum of its rows of
:math:`(\beta I+cL)x=f`,

.. math:: F + \pi_a B + \beta T = \sum_{a\le i<b} f_i = 0, \qquad \pi_a = p_{a-1}E_{a-1},

so that two of the moments give the third. A block hands over its mean and two moments: three
numbers per column, one (the mean) if the metric has no derivative term, none for a multiple of L².
From all blocks' numbers each rank computes the inflows of its own block and finishes alone.

Rounding: the mean travels in one float64 number, so the blocks' offsets from each other are known
to :math:`\varepsilon|\bar g|`. The result is that of a gradient changed by that much: nothing next
to the spacing of a float32 gradient, but for a float64 gradient that is nearly constant the global
solve, which sees all rows, is more accurate.

:func:`merge` and :func:`combine` use only +, −, ×, / and serve any array type and any field.
Theorem 11 proves, for every n and every split, that the result is the global solve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import described, float_rows
from cdg_theory.discrete.sweeps import (
    carry_backward,
    carry_forward,
    cycle_excess,
    path_pivots,
    split_mean,
)
from cdg_theory.metric import check_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cdg_theory.metric import Metric


@dataclass(frozen=True, slots=True)
class Moments:
    """What the rest of the tensor needs of a block: F, B and T of the module's table."""

    forward: Any
    backward: Any
    total: Any


NOTHING = Moments(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A block as an affine map: its own moments, and the responses to unit inflows Y and X."""

    own: Moments
    from_left: Moments
    from_right: Moments


#: No rows: what enters on one side leaves on the other.
EMPTY = Transfer(NOTHING, Moments(1, 0, 0), Moments(0, 1, 0))


def merge(left: Transfer, right: Transfer) -> Transfer:
    """Return two adjacent blocks as one. Associative, with :data:`EMPTY` as its unit."""

    def passed(a: Moments, b: Moments) -> Moments:
        inflow = a.forward
        outflow = b.backward + right.from_left.backward * inflow
        return Moments(
            b.forward + right.from_left.forward * inflow,
            a.backward + left.from_right.backward * outflow,
            a.total + left.from_right.total * outflow + b.total + right.from_left.total * inflow,
        )

    return Transfer(
        passed(left.own, right.own),
        passed(left.from_left, NOTHING),
        passed(NOTHING, right.from_right),
    )


@dataclass(frozen=True, slots=True, eq=False)
class BlockRows:
    r"""The factors of the sweeps on the rows :math:`[a,b)` of a block.

    ===============================  ==============  ===========================================
    symbol                           field           shape and meaning
    ===============================  ==============  ===========================================
    :math:`p_a \ldots p_{b-2}`       ``carry``       (b-a-1,) carried from row to row
    :math:`p_{b-1}`                  ``carry_out``   carried over the right end (1 at the path's)
    :math:`1/(c+E_i)`                ``gain``        (b-a,) inverse pivots; the path's last is 0
    ===============================  ==============  ===========================================
    """

    carry: NDArray[Any]
    carry_out: Any
    gain: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class BlockFactors:
    """What is known of a block before any gradient is.

    ===========================  ===================  =========================================
    symbol                       field                meaning
    ===========================  ===================  =========================================
    (rows)                       ``rows``             the factors of its sweeps
    response to f = 1            ``constant``         moments of a block of ones
    responses to Y = 1, X = 1    ``from_left/right``  moments caused by unit inflows
    weights of F, B, T           ``balance``          their sum for a fluctuation of mean 0 is 0
    ===========================  ===================  =========================================
    """

    rows: BlockRows
    constant: Moments
    from_left: Moments
    from_right: Moments
    balance: Moments

    @property
    def recovers_forward(self) -> bool:
        r"""Whether the balance gives back F (T is handed over), or T (and F is).

        It is solved for the term that weighs more for a constant gradient: dividing by the weight
        of a small term would amplify the rounding of the others, by :math:`1/\beta` if
        :math:`\beta` is small.
        """
        weight = self.balance
        return bool(weight.forward * self.constant.forward >= weight.total * self.constant.total)


@dataclass(frozen=True, slots=True, eq=False)
class ShardPlan:
    r"""How n rows are split, and what each block's sweeps need.

    ======================  ===============  ====================================================
    symbol                  field            meaning
    ======================  ===============  ====================================================
    :math:`\alpha,\ \beta`  ``mean``,        weights of the metric
                            ``fluctuation``
    :math:`b-a`             ``sizes``        rows of each block, uneven or empty as they come
    (factors)               ``blocks``       one per block; none if there is nothing to sweep
    :math:`c, E`            ``seam``         the cycle's; None on the path
    (number)                ``numbers``      what a block hands over per column: 0, 1 or 3
    ======================  ===============  ====================================================
    """

    mean: Any
    fluctuation: Any
    sizes: tuple[int, ...]
    numbers: int
    blocks: tuple[BlockFactors, ...] = ()
    seam: tuple[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class Inflow:
    """What a block needs of the others: the mean, its own offset from it, and Y and X."""

    mean: Any
    offset: Any
    left: Any
    right: Any


def sweep_block(
    r: NDArray[Any], rows: BlockRows, left: Any = 0, right: Any = 0
) -> tuple[NDArray[Any], Moments]:
    """Sweep a block down and up between two inflows; return x and the moments.

    ``r``, of shape (b-a, ...), is overwritten.
    """
    if len(r) == 0:
        return r, Moments(left, right, 0)
    r[0] += left
    carry_forward(r, rows.carry)
    x = rows.gain.reshape(-1, *(1,) * (r.ndim - 1)) * r
    x[-1] += rows.carry_out * right
    carry_backward(x, rows.carry)
    return x, Moments(rows.carry_out * r[-1], x[0], x.sum(axis=0))


def _plan_block(rows: BlockRows, balance: Moments) -> BlockFactors:
    zeros = rows.gain * 0  # the zero of the field at hand, row by row
    constant, from_left, from_right = (
        sweep_block(zeros + ones, rows, left, right)[1]
        for ones, left, right in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    return BlockFactors(rows, constant, from_left, from_right, balance)


def path_plan(alpha: Any, beta: Any, c: Any, sizes: Sequence[int]) -> ShardPlan:
    """Return the plan for the path with c > 0, over any field."""
    excess, carry = (np.array(values) for values in path_pivots(beta, c, sum(sizes)))
    gain = 1 / (c + excess)
    gain[-1] = 0
    blocks, start = [], 0
    for size in sizes:
        stop = start + size
        # Nothing follows the last row: what enters there is the closing constant itself.
        carry_out = carry[stop - 1] if stop < len(gain) else 1
        returned = carry[start - 1] * excess[start - 1] if start else 0
        rows = BlockRows(carry[start : max(start, stop - 1)], carry_out, gain[start:stop])
        blocks.append(_plan_block(rows, Moments(1, returned, beta)))
        start = stop
    return ShardPlan(alpha, beta, tuple(sizes), 3, tuple(blocks))


def cycle_plan(alpha: Any, c: Any, excess: Any, sizes: Sequence[int]) -> ShardPlan:
    r"""Return the plan for the cycle with c > 0, over any field; :math:`E^2 = \beta(c+E)`."""
    pivot = c + excess
    q, beta = c / pivot, excess * (excess / pivot)
    balance = Moments(1, q * excess, beta)
    blocks = tuple(
        _plan_block(BlockRows(np.full(max(0, size - 1), q), q, np.full(size, 1 / pivot)), balance)
        for size in sizes
    )
    return ShardPlan(alpha, beta, tuple(sizes), 3, blocks, seam=(c, excess))


def shard_plan(metric: Metric, sizes: tuple[int, ...]) -> ShardPlan:
    """Return the plan for blocks of the given sizes, in the order of the rows.

    Parameters
    ----------
    metric
        Any member of the family.
    sizes
        Rows per block; zeros are welcome. They sum to n.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``sizes`` not a tuple of ints.
    ValueError
        If a size is negative or all are zero.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> [shard_plan(m, (3, 0, 5)).numbers
    ...  for m in (Metric.l2(), Metric.reweighted_h0(9.0), Metric.sobolev(9.0))]
    [0, 1, 3]
    """
    check_metric(metric)
    if not isinstance(sizes, tuple) or not all(type(size) is int for size in sizes):
        msg = f"sizes must be a tuple of ints, got {described(sizes)}; rows per block, in order"
        raise TypeError(msg)
    if sum(sizes) == 0 or min(sizes) < 0:
        msg = f"sizes must be >= 0 and have a positive sum, got {sizes}"
        raise ValueError(msg)
    return _shard_plan(metric, sizes)


@lru_cache(maxsize=256)
def _shard_plan(metric: Metric, sizes: tuple[int, ...]) -> ShardPlan:
    n = sum(sizes)
    if metric.is_multiple_of_l2 or n == 1:
        return ShardPlan(metric.mean, metric.mean, sizes, 0)
    if metric.derivative == 0:
        return ShardPlan(metric.mean, metric.fluctuation, sizes, 1)
    c = metric.stiffness(n)
    if metric.boundary == "natural":
        return path_plan(metric.mean, metric.fluctuation, c, sizes)
    return cycle_plan(metric.mean, c, cycle_excess(metric.fluctuation, c), sizes)


def _split_block(block: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the block's own mean and fluctuation; an empty block has mean 0."""
    return split_mean(block) if len(block) else (block.sum(axis=0), block)


def summarize_block(block: NDArray[Any], plan: ShardPlan, rank: int) -> NDArray[Any]:
    """Return what block ``rank`` hands over: (numbers, ...), the mean first."""
    mean, f = _split_block(block)
    if plan.numbers < 3:
        return np.stack([mean])[: plan.numbers]
    factors = plan.blocks[rank]
    _, moments = sweep_block(f, factors.rows)
    second = moments.total if factors.recovers_forward else moments.forward
    # The moments of an empty block are plain zeros.
    return np.stack(np.broadcast_arrays(mean, moments.backward, second))


def recover(backward: Any, second: Any, factors: BlockFactors) -> Moments:
    """Return all three moments of a block's fluctuation, of mean 0, from the two handed over."""
    if len(factors.rows.gain) == 0:
        return NOTHING
    weight = factors.balance
    if factors.recovers_forward:
        forward = -(weight.backward * backward + weight.total * second) / weight.forward
        return Moments(forward, backward, second)
    total = -(weight.backward * backward + weight.forward * second) / weight.total
    return Moments(second, backward, total)


def combine(summaries: Any, plan: ShardPlan) -> list[Inflow]:
    """Return every block's inflow from what all blocks handed over, (ranks, numbers, ...)."""
    sizes, n = plan.sizes, sum(plan.sizes)
    if plan.numbers == 0:
        return [Inflow(0, 0, 0, 0) for _ in sizes]
    mean = sum(size * summary[0] for size, summary in zip(sizes, summaries, strict=True)) / n
    offsets = [summary[0] - mean for summary in summaries]
    # As in split_mean, the mean is taken off once more.
    rest = sum(size * offset for size, offset in zip(sizes, offsets, strict=True)) / n
    mean, offsets = mean + rest, [offset - rest for offset in offsets]
    if plan.numbers == 1:
        return [Inflow(mean, offset, 0, 0) for offset in offsets]
    transfers = []
    for factors, offset, summary in zip(plan.blocks, offsets, summaries, strict=True):
        own, ones = recover(summary[1], summary[2], factors), factors.constant
        own = Moments(
            own.forward + offset * ones.forward,
            own.backward + offset * ones.backward,
            own.total + offset * ones.total,
        )
        transfers.append(Transfer(own, factors.from_left, factors.from_right))
    whole = reduce(merge, transfers, EMPTY)
    left: Any = 0
    if plan.seam is not None:
        # (c+E)x_i - c x_{i+1} = y_i: with X = 0 the y_i sum to E·T + c·B, and must sum to 0.
        c, excess = plan.seam
        flux, unit = (excess * m.total + c * m.backward for m in (whole.own, whole.from_left))
        left = -flux / unit
    right = -(whole.own.total + whole.from_left.total * left) / whole.from_right.total
    lefts, rights = [], []
    for block in transfers:
        lefts.append(left)
        left = block.own.forward + block.from_left.forward * left
    for block, entered in zip(reversed(transfers), reversed(lefts), strict=True):
        rights.append(right)
        right = (
            block.own.backward
            + block.from_left.backward * entered
            + block.from_right.backward * right
        )
    flows = zip(offsets, lefts, reversed(rights), strict=True)
    return [Inflow(mean, offset, left, right) for offset, left, right in flows]


def finish_block(block: NDArray[Any], plan: ShardPlan, rank: int, inflow: Inflow) -> NDArray[Any]:
    """Return the rows of k that belong to block ``rank``."""
    if plan.numbers == 0:
        return block / plan.mean
    r = _split_block(block)[1] + inflow.offset
    if plan.numbers == 1:
        return inflow.mean / plan.mean + r / plan.fluctuation
    x, _ = sweep_block(r, plan.blocks[rank].rows, inflow.left, inflow.right)
    return inflow.mean / plan.mean + x


def sharded_gradient(blocks: Sequence[NDArray[Any]], metric: Metric) -> list[NDArray[Any]]:
    r"""Return :math:`k = M^{-1}g`, block by block, from blocks of rows of g.

    What a distributed implementation does, on one machine: every block is summarised alone, the
    summaries are gathered (the only communication), every block is finished alone.

    ==========  ===========  ================================================================
    symbol      argument     meaning
    ==========  ===========  ================================================================
    :math:`g`   ``blocks``   float arrays (rows, ...) in the order of the rows; some may be empty
    :math:`M`   ``metric``   see :class:`cdg_theory.Metric`
    ==========  ===========  ================================================================

    Raises
    ------
    TypeError
        If ``blocks`` is not a list of arrays of floating-point numbers.
    ValueError
        If all blocks are empty.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> sharded_gradient([np.array([1.0, 2.0]), np.array([6.0])], Metric.reweighted_h0(2.0))
    [array([2. , 2.5]), array([4.5])]

    Notes
    -----
    Theorem 11.
    """
    if not isinstance(blocks, list | tuple):
        msg = f"blocks must be a list of arrays, got {described(blocks)}"
        raise TypeError(msg)
    # An empty block has no rows to read numbers from.
    given = [
        np.asarray(block) if np.size(block) == 0 else float_rows("blocks", block)
        for block in blocks
    ]
    if not any(map(len, given)):
        msg = f"blocks must hold at least one row, got {described(blocks)}"
        raise ValueError(msg)
    wide = [block.astype(np.float64) for block in given]
    plan = shard_plan(metric, tuple(len(block) for block in wide))
    gathered = [summarize_block(block, plan, rank) for rank, block in enumerate(wide)]
    inflows = combine(gathered, plan)
    return [
        finish_block(block, plan, rank, inflow).astype(own.dtype, copy=False)
        for rank, (block, inflow, own) in enumerate(zip(wide, inflows, given, strict=True))
    ]
