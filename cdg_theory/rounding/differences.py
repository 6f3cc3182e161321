r"""Theorem 7 with a curvature, for the sweeps in differences.

The algorithm is :mod:`cdg_theory.discrete.cholesky`. Its sweeps are those over pairs, so an error
made on the way is a load on a row of the equation over pairs, or a local error of a pair:

*an error* :math:`\zeta` *of* :math:`z_i` *alone* is the load
:math:`\frac{B_i\zeta}d\,(1,-\sigma_i)`, :math:`\sigma_i=\frac{\beta A_i}{B_i}+c`, on row i, and the
local error :math:`(0,\zeta)` of its pair. The load's two numbers nearly cancel for small d, so
they travel together. An error of :math:`y_i` is a load of moments;

*an error* :math:`\nu` *of* :math:`dv_i` *and* :math:`\eta` *of* :math:`dx_i` *alone* are the local
error :math:`\bigl(\frac{\nu+\eta}d,\ \frac\nu{B_i}+s_{i-1}(\nu+\eta)\bigr)` of the pair, since
:math:`m_i=\frac{dv_i-du_i}{B_i}+s_{i-1}dx_i`.

The end is another one than that of the sweeps over pairs: the last level is known, and the last v,
not the last moment. So what the loads change of :math:`u_{n-1}`, :math:`H_j` times the load of row
j, times :math:`-d/B_{n-1}`, is a local error of this moment.

**The factors.** The computed :math:`A_i,B_i` are those of an equation with the changes
:math:`\tau_i` of T (:mod:`~cdg_theory.rounding.pairs`). To first order
:math:`\delta E_{i+1}=\tau_{i+1}+R_i^2\,\delta E_i`, an element of the ring, and p and s depend on E
alone: :math:`\delta p_i=(1-p_i)^2\,\delta(B_i/N_i)`, where :math:`-B_i/N_i` is the second
number of :math:`R_i` in the basis 1, T, and :math:`\delta R_i=-R_i^2\,\delta E_i`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.cholesky import cholesky_factors
from cdg_theory.discrete.curvature import eliminate_pair
from cdg_theory.rounding.pairs import V, homogeneous, pair_factor_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.discrete.curvature import Pair
    from cdg_theory.rounding.pairs import PairSteps

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CholeskyErrors:
    r"""The factors of n rows, what they come from, and what float64 makes of them, to first order.

    =====================  ===============  =====================================
    symbol                 field            shape and meaning
    =====================  ===============  =====================================
    :math:`p,\ s`          ``p``, ``s``     (n-1,)
    :math:`\delta p`       ``p_error``      (n-1,) absolute
    :math:`\delta s`       ``s_error``      (n-1,) absolute
    :math:`\beta A_i/B_i`  ``support``      (n,) :math:`ds_{i-1}`, 0 in the first
    :math:`B`              ``B``            (n,)
    =====================  ===============  =====================================
    """

    p: Array
    s: Array
    p_error: Array
    s_error: Array
    support: Array
    B: Array


@lru_cache(maxsize=8)
def cholesky_errors(beta: float, c: float, d: float, n: int) -> CholeskyErrors:
    r"""Return the factors of ``n`` rows and their errors.

    Those of p, q = c/d, β/d themselves are not among them.

    Examples
    --------
    >>> known = cholesky_errors(0.0, 0.0, 1.0, 4096)
    >>> bool((known.p_error <= 5 * 2.0**-53).all()), bool((known.s_error == 0).all())
    (True, True)
    """
    p, q, A, B = c / d, beta / d, 0.0, 1.0
    own = pair_factor_errors(beta, c, d, n)
    # Squares of products of the R, in the basis 1, T: from each row on to this one.
    one, slope = np.zeros((2, n))
    p_error, s_error, levels = [], [], [B]
    carry, pull = cholesky_factors(beta, c, d, n)
    for i in range(n):
        one[i] = 1.0
        constants, slopes = own.constant[: i + 1], own.slope[: i + 1]
        x, y = one[: i + 1], slope[: i + 1]
        of_one = float(abs(x) @ constants + q * (abs(y) @ slopes))
        of_T = float(abs(y) @ constants + abs(x + p * y) @ slopes)
        if i > 0:
            s_error.append(of_one / B + pull[i - 1] * (of_T / B + 2 * V))
        if i == n - 1:
            break
        W = q * A * A + p * A * B + B * B
        N, following, rise = eliminate_pair(p, q, A, B)
        # R² in the same basis, for R = (1 + qA + pB − BT)/N.
        first, second = (1 + q * A + p * B) / N, -B / N
        square = first * first - q * second * second, second * (2 * first + p * second)
        changed = abs(square[1]) * of_one + abs(square[0] + p * square[1]) * of_T
        rounded = (1 - carry[i]) * ((2 * q * A + p * B + 5 * q * W) / N + 3) + 2
        p_error.append(changed * (1 - carry[i]) ** 2 + carry[i] * V * rounded)
        one[: i + 1], slope[: i + 1] = (
            square[0] * x - q * square[1] * y,
            square[1] * x + (square[0] + p * square[1]) * y,
        )
        A, B = following, rise
        levels.append(B)
    support = d * np.append(0.0, pull)
    errors = np.array(p_error), np.array(s_error)
    return CholeskyErrors(carry, pull, *errors, support=support, B=np.array(levels))


def as_pairs(
    known: CholeskyErrors, d: Any, zeta: Any, y: Any, nu: Any, eta: Any
) -> tuple[Pair, Pair]:
    r"""Return the loads and the local errors that errors of each row's z, y, dv and dx are.

    The first number of a load is along :math:`(1,-\sigma)`. Over any field; of the last row only
    :math:`\eta` has a meaning.
    """
    B, support = known.B[:, None], known.support[:, None]
    return (B * zeta / d, y), ((nu + eta) / d, nu / B + support / d * (nu + eta) + zeta)


def sweep_errors(
    steps: PairSteps, size: Pair, z: Pair, flux: Array, wrong: Pair, end: Array
) -> tuple[Pair, Pair, Array]:
    r"""Return the loads, the local errors and the slants σ of the sweeps in differences.

    ==================================  =========  =======================================
    symbol                              argument   shape and meaning
    ==================================  =========  =======================================
    :math:`|u|,\ |w|`                   ``size``   (n, columns) no less than what the sweep
                                                   over pairs holds before :math:`R_i`
    :math:`x,\ m`                       ``z``      (n, columns) the solution
    :math:`|\varphi_x|`                 ``flux``   (columns,) over the seam
    (its error)                         ``wrong``  (columns,) of level and moment
    (error of :math:`x_{n-1}`)          ``end``    (columns,)
    ==================================  =========  =======================================
    """
    u, tiny, (beta, c, d) = steps.u, steps.tiny, steps.weights
    known = cholesky_errors(beta, c, d, steps.n)
    slant, B, s = known.support + c, known.B[:, None], known.s[:, None]
    # Of a product with p, s, c or d: its rounding, that of the number to the accumulator, its own.
    off_p, off_d = 2 * u + (known.p_error / known.p)[:, None], 2 * u + 2 * V
    off_s = 2 * u * s + known.s_error[:, None]

    # |y_i|, |p_{i-1} z_{i-1}| and |z_i|; in the first row what the flux starts for p z.
    y, before = slant[:, None] * size[0] + size[1], d * size[0] / B
    forward = y + before
    zeta = u * forward + 2 * tiny
    zeta[0] += off_d * before[0]
    zeta[1:] += off_p * before[1:]
    moment = 2 * u * size[1] + 3 * u * y + 4 * tiny
    moment[0] += (u + V) * c * size[0][0]
    moment[1:] += off_s * forward[:-1]
    # c/d and β/d, which the factors start from, are off by 4v and 3v.
    moment += V * (3 * beta * abs(z[0]) + 4 * c / d * abs(z[1]))

    x, v = d * abs(z[0]), d * abs(z[0][:-1] - z[0][1:])
    nu, eta = np.zeros_like(x), u * x + tiny
    nu[:-1] = (off_p + u) * (v + s * x[1:]) + off_s * x[1:] + u * v + 2 * tiny
    zeta[-1], eta[-1] = 0.0, d * end + off_d * x[-1]
    loads, locals_ = as_pairs(known, d, zeta, moment, nu, eta)
    loads[0][0] += wrong[0]
    loads[1][0] += wrong[1] + slant[0] * wrong[0]

    # The last moment: v, a product with d, and what the loads change of the last level.
    H = homogeneous(steps.factors)
    last = abs(H[0] + (c - slant) * H[1]) @ loads[0] + abs(H[1]) @ loads[1]
    locals_[1][-1] += d / known.B[-1] * (off_d * flux + wrong[0] + last)
    return loads, locals_, slant
