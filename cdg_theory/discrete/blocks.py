r"""k = M⁻¹g when the rows of g lie in blocks, on different ranks: the flux form.

As in :mod:`~cdg_theory.discrete.sweeps`, :math:`k = \bar g/\alpha + x`, where x is the solution of
mean zero of :math:`(\beta I+cL)\,x = g-\bar g`. Cut the rows into blocks. What a block with
:math:`n_b` rows has to know of all others is what flows in at its two ends:

.. math::

    (\beta I+cL_b)\,x_b = g_b - \bar g + \varphi_{b-1}\,e_{\text{first}}
        - \varphi_b\,e_{\text{last}}, \qquad
    \varphi_b = c\,(x_{\text{last of }b} - x_{\text{first of }b+1}),

with :math:`L_b` the Laplacian of the block's own path: natural ends, *whatever the boundary of the
whole*, since the cycle's seam is one more interface. So a rank finishes with the solver that it
uses for whole tensors. Fluxes come from a small system with two unknowns per block.

**One block.** Write :math:`g_b - \bar g = o_b + f_b` with an offset and a fluctuation of mean zero,
and :math:`S_b` for the solver of mean zero on the block's path. With the block's mean
:math:`\ell_b`, its *level*, and the response to a unit inflow at its first row,
:math:`u_b = S_b(e_{\text{first}}-1/n_b)`, which read backward is that to one at its last row,

.. math::

    x_b = \ell_b + S_bf_b + \varphi_{b-1}\,u_b - \varphi_b\,\overleftarrow u_b, \qquad
    \beta n_b\ell_b = n_bo_b + \varphi_{b-1} - \varphi_b .

:math:`S_b` is symmetric, so the ends of :math:`S_bf_b` are the dot products
:math:`t_b = \langle u_b,f_b\rangle` and :math:`t_b' = \langle\overleftarrow u_b,f_b\rangle`.
They and the block's mean are all that a block hands over: three numbers per column (one, the
mean, if c = 0; none for a multiple of L²). Its path is described by the cross response
:math:`\kappa=-u_{\text{last}}`, the resistance :math:`\rho=u_{\text{first}}-u_{\text{last}}` and
the transmission :math:`\tau = 1-\beta n\kappa\in(0,1]`. With the balance put in for
:math:`\varphi_{b-1}-\varphi_b`, its ends lie at

.. math::

    x_{\text{first}} = \tau_b\ell_b + s_b + \rho_b\varphi_{b-1}, \quad
    x_{\text{last}} = \tau_b\ell_b + s_b' - \rho_b\varphi_b, \qquad
    s_b = n_b\kappa_bo_b+t_b, \quad s_b' = n_b\kappa_bo_b+t_b' .

**All blocks** form a path again, with blocks for rows:

.. math::

    \beta n_b\ell_b = n_bo_b + \varphi_{b-1} - \varphi_b, \qquad
    \varphi_b = C_b\,(\tau_b\ell_b - \tau_{b+1}\ell_{b+1} + s_b' - s_{b+1}), \qquad
    C_b = \frac c{1+c\rho_b+c\rho_{b+1}} .

It is eliminated as the rows are, from the first block on: :math:`\varphi_b = y_b-e_b\ell_{b+1}`
with, for :math:`Y = n_bo_b+y_{b-1}`, :math:`E = \beta n_b+e_{b-1}`, :math:`J = s_b'-s_{b+1}` and
the carry :math:`p = C_b/(C_b\tau_b+E)`,

.. math::

    y_b = p\,(\tau_bY + EJ), \qquad e_b = pE\,\tau_{b+1}, \qquad
    \ell_b = \frac{Y}{C_b\tau_b+E} + p\,(\tau_{b+1}\ell_{b+1} - J) .

At the last block its balance :math:`Y=E\ell` is left, and the mean constraint
:math:`\sum n_b\ell_b=0`. What the last block would lose is :math:`Y-E\ell=-\beta\sum n_b\ell_b`,
by the sum of all balances; so :math:`E\ell+w\sum n_b\ell_b=Y` with any w > 0 says both. The code
takes :math:`w=c/n`. The cycle is cut at its seam: its solution is that of the path and φ times that
for a unit flux across the seam, and the seam's own equation gives φ.

**Why it is stable.** Every coefficient is ≥ 0. Since :math:`E\ge\beta n_b` and
:math:`C_b\rho_b\le1`, :math:`C\tau+E\ge C(1-\beta n\kappa+\beta n\rho)\ge C`: all :math:`p\le1`,
and nothing is divided by β or by a small difference. (Digits cancel in
:math:`\tau=1-\beta n\kappa` if β or the block is large. Then τ is added to larger numbers, and
since τ is made of the same κ, what κ is off by is multiplied by
:math:`n_bo_b-\beta n_b\ell_b=\varphi_b-\varphi_{b-1}`, not by :math:`n_bo_b`.) At β = 0 all τ = 1
and e = 0, the recursions *are* two running sums, of :math:`n_bo_b` and of :math:`\varphi/C-J`, and
the mean constraint closes them. At large β fluxes are small and are not differences of large sums,
:math:`y_b\to C_bJ`. With :math:`w=c/n` the last level comes from the balance if β is large, and
from the mean constraint if β is small and Y carries the rounding errors of a long sum.

**With a curvature term** nothing new happens. Over the ring of :mod:`~cdg_theory.discrete.ring`
the equation is :math:`(L+T)z=r/d`, of first order: in all of the above T stands for β and 1 for c,
and levels, fluxes, :math:`u_b`, κ, ρ and τ are elements, two numbers each. Loads stay plain
numbers. So a block hands over its mean and, for :math:`t_b` and :math:`t_b'`, two pairs: five
numbers per column. It is told five as well, the level of x and its two inflows. By linearity

.. math:: x_b = \ell_b + S_bf_b + [\varphi_{b-1}\,u_b - \varphi_b\,\overleftarrow u_b]_b ,

where :math:`[\cdot]_b` takes the b of an element; :math:`S_bf_b` is the block's own path, solved
as whole tensors are: that solver need not know of loads on moments.
Divisors stay invertible: as functions of T they are quotients of products of :math:`T+s`, s > 0,
and :math:`\det(T+s)=s^2+ps+q>0`.
On the cycle, natural ends magnify: a path's response is up to 4 times the cycle's at first order,
16 times at second, and its rounding errors with it.

Everything between the plan and the result runs over any field. Theorem 11 executes it on symbols
and on rational numbers, and proves that the result is the global solve, for every n and split;
theorem 18 says what is particular to pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cdg_theory.checks import described, float_rows
from cdg_theory.discrete.curvature import curvature_factors, solve_curvature
from cdg_theory.discrete.curvature import solve_path as solve_pairs
from cdg_theory.discrete.network import solve_network
from cdg_theory.discrete.ring import Element
from cdg_theory.discrete.sweeps import path_factors, solve_fluctuation, split_mean
from cdg_theory.metric import check_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cdg_theory.metric import Metric


@dataclass(frozen=True, slots=True, eq=False)
class ShardPlan:
    r"""How n rows are split, and what is known of each block.

    ======================  ===============  ====================================================
    symbol                  field            meaning
    ======================  ===============  ====================================================
    :math:`\alpha,\ \beta`  ``mean``,        weights of the metric
                            ``fluctuation``
    :math:`c`               ``stiffness``    :math:`\gamma s`
    :math:`d`               ``rigidity``     :math:`\delta s^2`
    (boundary)              ``periodic``     whether the last row is the first one's neighbour
    (split)                 ``sizes``        rows per block, uneven or empty as they come
    (number)                ``numbers``      what a block hands over per column: 0, 1, 3 or 5
    :math:`u_b`             ``responses``    (n_b,) each, of the blocks with rows; with a curvature
                                             term (2, n_b), moments and levels
    ======================  ===============  ====================================================
    """

    mean: Any
    fluctuation: Any
    stiffness: Any
    rigidity: Any
    periodic: bool
    sizes: tuple[int, ...]
    numbers: int
    responses: tuple[NDArray[Any], ...]

    def probes(self, block: int) -> NDArray[Any]:
        r"""Return :math:`u_b` and :math:`\overleftarrow u_b` as rows; none for the one line."""
        u = self.responses[block]
        both: NDArray[Any] = np.stack([u, u[..., ::-1]]).reshape(-1, u.shape[-1])
        return both[: self.numbers - 1]

    def spread(self, block: int) -> NDArray[Any] | None:
        r"""Return x for a unit of each number that a block is told, (n_b, 5), if d > 0.

        They are the level, and moment and level of what flows in at either end.
        """
        if self.rigidity == 0:
            return None
        a, b = self.responses[block]
        h, d = a + self.stiffness / self.rigidity * b, self.rigidity
        return np.stack([0 * a + d / d, b, h, b[::-1], h[::-1]], axis=1) / d

    def element(self, moment: Any, level: Any = None) -> Element:
        """Return a pair as an element of the ring; without a level, a number."""
        p, q = self.stiffness / self.rigidity, self.fluctuation / self.rigidity
        return Element.pair(p, q, moment, level)

    def network(self) -> tuple[Any, Any]:
        r"""Return the leak of every row and the conductor between two: β and c, or T and 1."""
        if self.rigidity == 0:
            return self.fluctuation, self.stiffness
        one = self.rigidity / self.rigidity
        return self.element(self.stiffness / self.rigidity, -one), self.element(one)

    def lift(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return what is computed with: rows of numbers as they are, pairs as elements.

        Rows are (blocks, 1, columns), or (blocks, 2, columns) of moments and levels.
        """
        if self.rigidity == 0:
            return rows[:, 0]
        elements = np.empty((len(rows), 1), dtype=object)
        elements[:, 0] = [self.element(*parts) for parts in rows]
        return elements


def solve_alone(w: NDArray[Any], beta: Any, c: Any) -> NDArray[Any]:
    r"""Return :math:`S_bw`, the x of mean zero with :math:`(\beta I+cL_b)x=w`; w has mean zero."""
    return w / beta if c == 0 else solve_fluctuation(w.copy(), path_factors(beta, c, len(w)))


def solve_block(w: NDArray[Any], beta: Any, c: Any, d: Any) -> NDArray[Any]:
    r"""Return the same for :math:`\beta I+cL_b+dL_b^2`."""
    if d == 0:
        return solve_alone(w, beta, c)
    factors = curvature_factors(beta, c, d, len(w), periodic=False)
    x: NDArray[Any] = solve_curvature(w.copy(), factors)
    return x


def plan_of(
    alpha: Any, beta: Any, c: Any, sizes: tuple[int, ...], *, periodic: bool, d: Any = 0
) -> ShardPlan:
    """Return the plan for a metric that is no multiple of L², over any field."""
    one = alpha / alpha

    def response(size: int) -> NDArray[Any]:
        w = split_mean(np.array([one] + [0 * one] * (size - 1)))[1]
        if d == 0:
            return solve_alone(w, beta, c)
        factors = curvature_factors(beta / d, c / d, one, size, periodic=False)
        return np.stack(solve_pairs((0 * w, w), factors)[::-1])

    known = {size: response(size) for size in set(sizes) if size}
    responses = tuple(known[size] for size in sizes if size)
    numbers = 5 if d != 0 else 1 if c == 0 else 3
    return ShardPlan(alpha, beta, c, d, periodic, sizes, numbers, responses)


def shard_plan(metric: Metric, sizes: tuple[int, ...]) -> ShardPlan:
    """Return what each block of rows has to hand over, and how blocks are put together.

    A block sends its mean and, where the metric has derivatives, two or four moments of its rows
    per column, :math:`o_b, t_b, t_b'`: 0, 1, 3 or 5 numbers, whatever its size.

    Parameters
    ----------
    metric
        Any member of the family.
    sizes
        Rows per block, in the order of the rows; a block may have none. They sum to n.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``sizes`` not a tuple of ints.
    ValueError
        If a size is negative or all are zero.

    See Also
    --------
    cdg_theory.discrete.sharded_gradient : Runs it on one machine.
    cdg_torch.sharded.write_sharded_gradients : Runs it on many.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import shard_plan
    >>> [shard_plan(m, (3, 0, 5)).numbers
    ...  for m in (Metric.l2(), Metric.reweighted_h0(9.0), Metric.sobolev(9.0),
    ...            Metric.spline(9.0))]
    [0, 1, 3, 5]

    Notes
    -----
    Theorem 11.
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
    n, periodic = sum(sizes), metric.boundary == "periodic"
    weights = metric.mean, metric.fluctuation, metric.stiffness(n)
    rigidity = metric.rigidity(n)
    if metric.is_multiple_of_l2 or n == 1:
        return ShardPlan(*weights, rigidity, periodic, sizes, 0, ())
    return plan_of(*weights, sizes, periodic=periodic, d=rigidity)


def split_offsets(means: Any, weights: Any) -> tuple[Any, Any]:
    r"""Return the mean of all rows, and each block's offset from it, :math:`o_b`.

    ``means`` are (blocks, columns), ``weights`` :math:`n_b/n`, of any array library. The mean is
    taken off twice, as in :func:`~cdg_theory.discrete.sweeps.split_mean`: offsets are free of its
    rounding error.
    """
    mean = weights @ means
    rest = weights @ (means - mean)
    return mean + rest, means - mean - rest


def solve_ends(numbers: NDArray[Any], plan: ShardPlan) -> NDArray[Any]:
    r"""Return what every block has to be told: its level, and what flows in at either end.

    Linear. ``numbers``, (blocks, 1, 3 or 5, columns), are :math:`o_b`, or :math:`o_b,t_b,t_b'`, of
    the blocks with rows, pairs as moment and level; the result is (blocks, 3 or 5, columns).
    """
    if plan.numbers == 1:
        return np.concatenate([numbers / plan.fluctuation, 0 * numbers, 0 * numbers], axis=1)
    (beta, c), rows = plan.network(), [np.atleast_2d(u) for u in plan.responses]
    o, t, t_ = map(plan.lift, np.split(numbers, [1, 1 + len(rows[0])], axis=1))
    n = np.array([[c / c * u.shape[1]] for u in rows])
    first, last = (plan.lift(np.array([u[:, end, None] for u in rows])) for end in (0, -1))
    w = c / sum(plan.sizes)
    parts = solve_network(o, t, t_, n, first, last, beta, c, w, periodic=plan.periodic)
    told = np.stack(parts, axis=1)
    if plan.rigidity == 0:
        return told
    pairs = ((level.b, left.a, left.b, right.a, right.b) for level, left, right in told[..., 0])
    return np.array(list(pairs))


def finish_block(f: Any, told: Any, solve: Callable[[Any], Any]) -> Any:
    """Return the rows of x, of any array library: the block's own problem, fluxes at its ends.

    ``told`` are level and inflows, (3, columns), and ``solve(w)`` is :func:`solve_alone`.
    """
    level, left, right = told
    w = f - (left + right) / len(f)
    w[0] += left
    w[-1] += right
    return solve(w) + level


def finish(f: Any, told: Any, solve: Callable[[Any], Any], spread: Any = None) -> Any:
    """Return the same for every member: ``spread``, :meth:`ShardPlan.spread`, with a curvature.

    ``told`` are then level and inflows as pairs, (5, columns), and ``solve`` is
    :func:`solve_block`.
    """
    return finish_block(f, told, solve) if spread is None else solve(f) + spread @ told


def solve_blocks(blocks: Sequence[NDArray[Any]], plan: ShardPlan) -> list[NDArray[Any]]:
    """Return k, block by block, over any field; blocks are (rows, columns), and none is empty."""
    if plan.numbers == 0:
        return [block / plan.mean for block in blocks]
    means, parts = zip(*map(split_mean, blocks), strict=True)
    sent = [
        np.concatenate([mean[None], plan.probes(b) @ f])
        for b, (mean, f) in enumerate(zip(means, parts, strict=True))
    ]
    numbers = np.stack(sent)  # all that is communicated
    weights = np.array([len(f) * (plan.mean / plan.mean) / sum(plan.sizes) for f in parts])
    mean, numbers[:, 0] = split_offsets(numbers[:, 0], weights)
    solve = partial(solve_block, beta=plan.fluctuation, c=plan.stiffness, d=plan.rigidity)
    return [
        mean / plan.mean + finish(f, told, solve, plan.spread(b))
        for b, (f, told) in enumerate(zip(parts, solve_ends(numbers, plan), strict=True))
    ]


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
        If ``blocks`` is not a list of arrays of floating-point numbers, or ``metric`` is not a
        metric.
    ValueError
        If all blocks are empty.

    See Also
    --------
    cdg_theory.discrete.riemannian_gradient : From all rows at once.
    cdg_theory.discrete.shard_plan : What the blocks hand over.
    cdg_torch.sharded.write_sharded_gradients : Over ranks, for DTensors.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import sharded_gradient
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
    plan = shard_plan(metric, tuple(map(len, given)))
    wide = [own.astype(np.float64).reshape(len(own), -1) for own in given if len(own)]
    solved = iter(solve_blocks(wide, plan))
    return [
        (next(solved) if len(own) else own).reshape(own.shape).astype(own.dtype) for own in given
    ]


class FluxMap(NamedTuple):
    r"""What one block hands over, and what it makes of all blocks' numbers; both linear.

    ==================================  ==========  =============================================
    symbol                              field       shape and meaning
    ==================================  ==========  =============================================
    :math:`u_b,\ \overleftarrow u_b`    ``probes``  (numbers-1, rows): dot products with the
                                                    block's fluctuation
    (linear in z)                       ``ends``    (3 or 5, blocks·numbers): gives
                                                    :math:`\ell_b,\ \varphi_{b-1},\ -\varphi_b`
    (linear in these)                   ``spread``  (rows, 5) with a curvature term, or None
    ==================================  ==========  =============================================

    The vector z holds :math:`(o_b,t_b,t_b')`, or :math:`(o_b)`, block by block; of pairs the moment
    comes first.
    """

    probes: NDArray[Any]
    ends: NDArray[Any]
    spread: NDArray[Any] | None


def flux_map(plan: ShardPlan, index: int) -> FluxMap:
    """Return the coefficients of a block, the one with ``plan.responses[index]``; over any field.

    A step of training then costs a rank two small matrix products (three with a curvature term) and
    the solver's call, however many ranks there are.

    Raises
    ------
    ValueError
        If blocks hand over nothing, as for a multiple of L².

    Examples
    --------
    Three rows and one. The gradient (1, 2, 3, 6) has block means 2 and 6, both 1 or 3 off the
    mean 3, and H⁰ divides these offsets by λ:

    >>> from cdg_theory import Metric
    >>> plan = shard_plan(Metric.reweighted_h0(2.0), (3, 1))
    >>> flux_map(plan, 0).ends @ np.array([2.0 - 3.0, 6.0 - 3.0])
    array([-0.5,  0. ,  0. ])
    """
    if plan.numbers == 0:
        msg = f"blocks of sizes {plan.sizes} hand over nothing: each is finished without the others"
        raise ValueError(msg)
    count = len(plan.responses) * plan.numbers
    one = plan.mean / plan.mean
    units = np.eye(count, dtype=np.asarray(one).dtype) * one
    ends = solve_ends(units.reshape(-1, plan.numbers, count), plan)
    return FluxMap(plan.probes(index), ends[index], plan.spread(index))
