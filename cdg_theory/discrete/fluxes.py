r"""A block of rows as a tensor of its own, whose two ends take in fluxes from its neighbours.

Let the rows :math:`[a,b)` lie on one rank. There the equations of
:mod:`~cdg_theory.discrete.sweeps` read

.. math::

    (\beta I + cL_{\text{block}})\,x = r + \varphi_a e_a + \varphi_b e_{b-1}, \qquad
    \varphi_a = c\,(x_{a-1}-x_a), \quad \varphi_b = c\,(x_b-x_{b-1}),

with :math:`L_{\text{block}}` the Laplacian of the block's own path: natural ends, *whatever the
boundary of the whole*. So a rank finishes with the solver that it uses for whole tensors, applied
to its rows with the fluxes added to the first and the last of them, and shifts the result to its
right mean, the ``level``:

.. math:: k = \frac{\bar g}{\alpha} + \frac1{b-a}\sum_{i=a}^{b-1} x_i + \text{fluctuation}.

Level and fluxes depend linearly on what all blocks hand over. The coefficients come from executing
:func:`~cdg_theory.discrete.sharded.combine` on unit vectors, once per metric and split; a step
of training then costs a rank two small matrix products and the solver's call, however many ranks
there are.

What a block hands over is two dot products besides its mean: its sweeps are a symmetric operator,
so the moment B of a fluctuation f is :math:`\langle x^Y, f\rangle` with :math:`x^Y` the response to
the unit inflow :math:`Y`, and likewise F with that to :math:`X`, T with that to :math:`f=1`.

Theorem 11 covers :func:`~cdg_theory.discrete.sharded.combine`; that the flux form agrees with it
exactly is tested over the rational numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.sharded import combine, recover, sweep_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.discrete.sharded import ShardPlan


@dataclass(frozen=True, slots=True, eq=False)
class FluxMap:
    r"""What one block hands over, and what it makes of all blocks' numbers; both linear.

    =============================================  ==========  ==================================
    symbol                                         field       shape and meaning
    =============================================  ==========  ==================================
    :math:`x^Y`, and :math:`x^1` or :math:`x^X`    ``probes``  (numbers-1, b-a): dot products with
                                                               the block's fluctuation
    (linear in z)                                  ``ends``    (3, blocks·numbers): gives
                                                               :math:`\text{level}-\bar g/\alpha`,
                                                               :math:`\varphi_a`,
                                                               :math:`\varphi_b`
    =============================================  ==========  ==================================

    The vector z holds, block by block, the offset of the block's mean from the mean of all, and
    the block's other numbers.
    """

    probes: NDArray[Any]
    ends: NDArray[Any]


def flux_map(plan: ShardPlan, index: int) -> FluxMap:
    """Return the coefficients of block ``index``, which must have rows; over any field.

    Parameters
    ----------
    plan
        How the rows are split; ``plan.numbers`` is 1 or 3.
    index
        Which block.

    Raises
    ------
    ValueError
        If blocks hand over nothing, as for a multiple of L², or this block is empty.

    Examples
    --------
    Three rows and one; the gradient (1, 2, 3, 6) has block means 2 and 6, both 3 ± 1 or 3 off
    the mean, and H⁰ divides these offsets by λ:

    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete.sharded import shard_plan
    >>> plan = shard_plan(Metric.reweighted_h0(2.0), (3, 1))
    >>> flux_map(plan, 0).ends @ np.array([2.0 - 3.0, 6.0 - 3.0])
    array([-0.5,  0. ,  0. ])
    """
    if plan.numbers == 0 or plan.sizes[index] == 0:
        msg = f"block {index} of {plan.sizes} hands over nothing: it is finished without the others"
        raise ValueError(msg)
    count = len(plan.sizes) * plan.numbers
    one = plan.mean / plan.mean
    units = np.eye(count, dtype=np.asarray(one).dtype) * one
    summaries = units.reshape(len(plan.sizes), plan.numbers, count)
    inflow = combine(summaries, plan)[index]
    if plan.numbers == 1:
        level = inflow.offset / plan.fluctuation
        return FluxMap(np.empty((0, plan.sizes[index])), np.stack([level, 0 * level, 0 * level]))
    factors, size = plan.blocks[index], plan.sizes[index]
    own = recover(summaries[index][1], summaries[index][2], factors)

    def entire(moment: str) -> Any:
        """Return a moment of the block as it is in the whole: affine in offset and inflows."""
        return (
            getattr(own, moment)
            + inflow.offset * getattr(factors.constant, moment)
            + inflow.left * getattr(factors.from_left, moment)
            + inflow.right * getattr(factors.from_right, moment)
        )

    total = entire("total")
    # Row a-1 of the eliminated equations, (c+E)x - cB = y, times p: cp x - cB = Y - pE B = Y - πB.
    left = inflow.left - factors.balance.backward * entire("backward")
    # The sum of the block's equations: βT = Σr + left + right.
    right = plan.fluctuation * total - size * inflow.offset - left
    zeros = factors.rows.gain * 0
    to_ones = sweep_block(zeros + 1, factors.rows)[0]
    to_left = sweep_block(zeros.copy(), factors.rows, left=1)[0]
    to_right = sweep_block(zeros.copy(), factors.rows, right=1)[0]
    second = to_ones if factors.recovers_forward else to_right
    return FluxMap(np.stack([to_left, second]), np.stack([total / size, left, right]))
