r"""The solution of mean zero as three products with matrices that are known beforehand.

As in :mod:`~cdg_theory.discrete.sweeps`, :math:`k=\bar g/\alpha+x`. Let G be the inverse on vectors
of mean zero, :math:`x=Gr`, with :math:`G\mathbf1=0`. Cut the n rows into m segments of b, the last
one shorter. The flux form (:mod:`~cdg_theory.discrete.blocks`) tells what a segment has to know of
the others, and all of it is linear in r, the rows of all segments:

.. math:: z = A\,r, \qquad t = C\,z, \qquad Gr = B\begin{pmatrix}r\\t\end{pmatrix}.

A takes of each segment its mean and two dot products :math:`t_b,t_b'`, four with a curvature. C is
the small system, solved for every unit of these numbers: it takes the mean of all rows off the
segments' means, and gives each segment its level and what flows in at its ends. B holds for each
segment its own solver :math:`S_b` and the responses to what it is told. Nobody need take off means
beforehand, since :math:`S_b\mathbf1=0`: the products are Gr for *every* r.

One segment alone is multiplied out: then its B is G, and there is no A or C.

Theorem 5 proves it (``T5.blocked``). Everything here runs over any field, on arrays of numbers, of
fractions, and :func:`multiply` on torch tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.blocks import ShardPlan, solve_block, solve_ends

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Up to here one product with n² numbers takes no longer than three with fewer.
_ALONE = 64


def segment_size(n: int) -> int:
    r"""Return b such that b + 9n/b² is small: n if it is short, else about :math:`\sqrt[3]{16n}`.

    Examples
    --------
    >>> [segment_size(n) for n in (1, 64, 65, 512, 4096, 16384)]
    [1, 64, 16, 32, 64, 64]
    """
    if n <= _ALONE:
        return n
    size = 16
    while size**3 < 16 * n:
        size *= 2
    return size


def segments(n: int, size: int) -> tuple[int, ...]:
    """Return the rows of each segment: ``size``, but in the last one what is left.

    Examples
    --------
    >>> segments(7, 3)
    (3, 3, 1)
    """
    return tuple(min(size, n - first) for first in range(0, n, size))


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """The three matrices, for m segments of b rows that hand over and are told p numbers.

    ========  =========  =============  ==================================================
    symbol    field      shape          meaning
    ========  =========  =============  ==================================================
    A         ``sums``   (m, p, b)      a segment's mean and dot products; None for m = 1
    C         ``ends``   (mp, mp)       what all are told, of all of these; None for m = 1
    B         ``rows``   (m, b, b+p)    a segment's rows, of its loads and of what it is
                                        told; (1, n, n) for m = 1
    ========  =========  =============  ==================================================

    Rows that the last segment lacks are filled with 0.
    """

    sums: Any
    ends: Any
    rows: Any


def products_of(plan: ShardPlan) -> Products:
    """Return the matrices for a metric with a derivative or a curvature, over any field.

    No segment of the plan is empty, and none is longer than the first.
    """
    sizes, p = plan.sizes, plan.numbers
    m, b, n = len(sizes), sizes[0], sum(sizes)
    beta, c, d = plan.fluctuation, plan.stiffness, plan.rigidity
    one = plan.mean / plan.mean

    def zeros(*shape: int) -> NDArray[Any]:
        return np.zeros(shape, dtype=int).astype(np.asarray(one).dtype)

    sums, rows = zeros(m, p, b), zeros(m, b, b + p)
    own = {size: solve_block(np.eye(size, dtype=int) * one - one / size, beta, c, d)
           for size in set(sizes)}  # fmt: skip
    for s, size in enumerate(sizes):
        probes, spread = plan.probes(s), plan.spread(s)
        sums[s, 0, :size], sums[s, 1:, :size] = one / size, probes
        rows[s, :size, :size] = own[size]
        # Of first order what a unit flows in for is what a dot product is taken with.
        rows[s, :size, b:] = (
            np.vstack([0 * probes[:1] + one, probes]).T if spread is None else spread
        )

    units = np.eye(m * p, dtype=int) * one
    numbers, weights = units.reshape(m, p, m * p), np.array([size * one / n for size in sizes])
    numbers[:, 0] -= weights @ numbers[:, 0]
    ends = solve_ends(numbers, plan).reshape(m * p, m * p)
    if m > 1:
        return Products(sums, ends, rows)
    return Products(None, None, rows[..., :b] + rows[..., b:] @ (ends @ sums))


def multiply(products: Products, buffer: Any) -> Any:
    """Return Gr, (m, b, columns), of the loads in ``buffer``.

    ``buffer`` is (m, b+p, columns): the loads r, and room for what is told; (1, n, columns) for
    one segment.
    """
    if products.ends is not None:
        m, p, b = products.sums.shape
        given = products.sums @ buffer[:, :b]
        told = products.ends @ given.reshape(m * p, -1)
        buffer[:, b:] = told.reshape(given.shape)
    return products.rows @ buffer
