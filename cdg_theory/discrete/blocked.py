r"""The two sweeps in blocks: products with small matrices, however many rows there are.

A row is a number, or q numbers, and carries and gains are matrices of q by q. Down the rows,
:math:`y_{i+1} = r_{i+1} + p_i\,y_i`; then, with :math:`v_i = h_i y_i`, up the rows,
:math:`x_i = v_i + p_i\,x_{i+1}`. Cut the n rows into m segments of b. In segment s, whose carry in
is :math:`p_{sb-1}`, let T be the matrix of products :math:`p_{i-1}\cdots p_j,\ j\le i`, and U that
of :math:`p_i\cdots p_{j-1},\ j\ge i`. All that a segment needs to know of the others is where the
sweep down ended before it, Y, and what the sweep up found after it, X:

.. math::

    x = U h T\,r + U h\,T_{\cdot 0}\,p_{sb-1}\,Y_{s-1} + U_{\cdot,b-1}\,p_{sb+b-1}\,X_{s+1} .

The last row of the sweep down and the first row of x are two more products with r, and Y and X
follow from them by sweeps over the m segments: products with two triangular matrices. Four
products in all, and none of them depends on the gradient.

For positive numbers p and h every entry is a sum of products of positive numbers: nothing cancels,
and each has full relative accuracy. Where the last gain is 0, as the sweeps have it, rows that fill
the last segment are never met.

Theorem 5 proves it for every n (``T5.blocked``). Everything here runs over any field, on arrays of
numbers, of fractions, and :func:`sweep_blocks` on torch tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shorter segments leave matrix products too little to do at once.
_SHORTEST = 8


def segment_size(n: int) -> int:
    r"""Return b such that b + 2m/b is small: about :math:`\sqrt[3]{2n}`.

    Examples
    --------
    >>> [segment_size(n) for n in (1, 64, 512, 4096, 16384)]
    [8, 8, 16, 32, 32]
    """
    size = _SHORTEST
    while size**3 < 2 * n:
        size *= 2
    return size


@dataclass(frozen=True, slots=True, eq=False)
class SweepBlocks:
    """The matrices of the two sweeps, where a row has q numbers and the load is the last of them.

    ===========  ===================  ==================================================
    field        shape                meaning
    ===========  ===================  ==================================================
    ``reach``    (m, q, b)            what the loads of a segment bring to its last row
    ``through``  (q, q)               what the start brings there, in the first segment
    ``down``     (mq, mq)             the sweep down, over the last rows
    ``first``    (m, q, b+q)          the first row of x, of loads and of Y
    ``up``       (mq, mq)             the sweep up, over the first rows
    ``inner``    (m, b, b+2q)         the first of each row's q numbers in x, of loads, Y
                                      and X
    ``second``   (q-1, m(b+2q))       the sum of the second ones over all rows
    ===========  ===================  ==================================================
    """

    reach: Any
    through: Any
    down: Any
    first: Any
    up: Any
    inner: Any
    second: Any


def chained(carry: NDArray[Any]) -> NDArray[Any]:
    r"""Return the matrices T of sweeps, (batch, kq, kq), from their (batch, k−1, q, q) carries.

    Examples
    --------
    >>> chained(np.array([2, 3]).reshape(1, 2, 1, 1))[0]
    array([[1, 0, 0],
           [2, 1, 0],
           [6, 3, 1]])
    """
    batch, rows, q, _ = carry.shape
    k = rows + 1
    # In the field of the carries, whose zero and one are those of Python's integers.
    full = np.zeros((batch, k, q, k, q), dtype=int).astype(carry.dtype)
    for i in range(k):
        full[:, i, :, i] = np.eye(q, dtype=int)
        if i:
            before = full[:, i - 1, :, :i].reshape(batch, q, i * q)
            full[:, i, :, :i] = (carry[:, i - 1] @ before).reshape(batch, q, i, q)
    return full.reshape(batch, k * q, k * q)


def _chained_up(carry: NDArray[Any]) -> NDArray[Any]:
    """Return the matrices U of sweeps up the rows: those of the rows turned round."""
    batch, _, q, _ = carry.shape
    turned = chained(carry[:, ::-1])
    k = turned.shape[1] // q
    parts = turned.reshape(batch, k, q, k, q)[:, ::-1, :, ::-1]
    return parts.reshape(batch, k * q, k * q)


def _padded(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """Return ``count`` rows, those that are added 0."""
    zeros = np.zeros((count - len(rows), *rows.shape[1:]), dtype=int)
    return np.concatenate([rows, zeros.astype(rows.dtype)])


def sweep_blocks_of(carry: NDArray[Any], gain: NDArray[Any], size: int) -> SweepBlocks:
    """Return the matrices for (n−1, q, q) carries and (n, q, q) gains, in segments of ``size``.

    The last gain must be 0, or n a multiple of ``size``.
    """
    n, q = len(gain), gain.shape[-1]
    count = -(-n // size)
    steps = _padded(carry, count * size).reshape(count, size, q, q)
    gains = _padded(gain, count * size).reshape(count, size, q, q)
    T, U = chained(steps[:, :-1]), _chained_up(steps[:, :-1])
    leaving = steps[:, -1]  # from a segment's last row to the next one's first
    entering = np.concatenate([np.eye(q, dtype=int).astype(carry.dtype)[None], leaving[:-1]])
    lifted = (gains @ T.reshape(count, size, q, size * q)).reshape(T.shape)
    composed = U @ lifted
    loads = composed[:, :, q - 1 :: q]
    of_y = composed[:, :, :q] @ entering
    of_x = U[:, :, -q:] @ leaving
    whole = np.concatenate([loads, of_y, of_x], axis=2)
    down = T[:, -q:, :q] @ entering
    numbers = [whole[:, i::q] for i in range(q)]
    return SweepBlocks(
        reach=T[:, -q:, q - 1 :: q],
        through=down[0],
        down=chained(down[None, 1:])[0],
        first=whole[:, :q, : size + q],
        up=_chained_up(of_x[None, :-1, :q])[0],
        inner=numbers[0],
        second=np.array([each.sum(axis=1).ravel() for each in numbers[1:]]),
    )


def sweep_blocks(buffer: Any, start: Any, blocks: SweepBlocks) -> tuple[Any, Any, Any]:
    """Return both sweeps of the loads in ``buffer``: the first of each row's q numbers.

    And the sums over the rows of the others, (q−1, columns), and the q numbers of the first row.

    ``buffer`` is (m, b+2q, columns): the loads, then room for Y and X. ``start`` is added to what
    the first row is loaded with, all its q numbers; None for none.

    The first result is (m, b, columns).
    """
    count, q, size = blocks.reach.shape
    ends = blocks.reach @ buffer[:, :size]
    buffer[0, size : size + q] = 0
    if start is not None:
        buffer[0, size : size + q] = start
        ends[0] += blocks.through @ start
    down = (blocks.down @ ends.reshape(count * q, -1)).reshape(ends.shape)
    buffer[1:, size : size + q] = down[:-1]
    firsts = blocks.first @ buffer[:, : size + q]
    up = (blocks.up @ firsts.reshape(count * q, -1)).reshape(firsts.shape)
    buffer[:-1, size + q :] = up[1:]
    buffer[-1, size + q :] = 0
    seconds = blocks.second @ buffer.reshape(-1, buffer.shape[-1]) if q == 2 else up[0, :0]
    return blocks.inner @ buffer, seconds, up[0]
