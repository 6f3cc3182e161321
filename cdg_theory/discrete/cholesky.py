r"""The sweeps over pairs as a Cholesky factorization in differences: two numbers for every row.

Elimination of :math:`A=\beta I+cL+dL^2` on the path, first row first, is the factorization

.. math::

    x^TAx = \sum_{i<n-1}\frac d{p_i}\bigl(v_i-p_iv_{i+1}+s_ix_{i+1}\bigr)^2 + e\,x_{n-1}^2,
    \qquad v_i = x_i-x_{i+1},\quad v_{n-1}=0 .

Written in x alone, as factors of the pentadiagonal matrix, its coefficients cancel. In x and its
differences v they are

.. math:: p_i = \frac{B_i}{N_i+B_i},\qquad s_i = \frac{qA_{i+1}}{B_{i+1}},

with the A, B and N of :mod:`~cdg_theory.discrete.curvature`: positive terms only, and numbers
between 0 and 1. The sweeps need these two numbers of a row, and hand on one:

.. math::

    y_i &= \tilde y_{i-1} + r_i, & z_i &= p_{i-1}z_{i-1} + y_i, & \tilde y_i &= y_i - s_iz_i, \\
    dv_i &= p_i\,(dv_{i+1}+z_i) - s_i\,dx_{i+1}, & dx_i &= dx_{i+1}+dv_i . &&

The backward one needs the last x, since A is singular for β = 0: a functional of r
(:mod:`cdg_torch.solve.coefficients`). On the cycle the flux over the seam,
:math:`\varphi=(x,m)_{n-1}-(x,m)_0`, starts both: :math:`z_{-1}` and :math:`dv_{n-1}` are
:math:`d\varphi_x`, and :math:`\tilde y_{-1}` is :math:`c\varphi_x+\varphi_m`.

**The pairs are in it.** With :math:`(u,w)_i` and :math:`(x,m)_i` of the sweeps over pairs,

.. math::

    z_i = \frac{dN_i}{B_i}u_{i+1},\qquad
    y_i = \Bigl(\frac{\beta A_i}{B_i}+c\Bigr)u_i + w_i,\qquad
    B_im_i = d\,(v_i-u_i) + \beta A_ix_i .

Theorem 18 proves it for every n. Everything runs over any field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.curvature import eliminate_pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.discrete.curvature import Pair


def cholesky_factors(beta: Any, c: Any, d: Any, n: int) -> NDArray[Any]:
    r"""Return :math:`p_i` and :math:`s_i`, i < n−1, as the rows of an array; d > 0.

    Examples
    --------
    >>> cholesky_factors(0.0, 0.0, 1.0, 4)
    array([[0.5       , 0.66666667, 0.75      ],
           [0.        , 0.        , 0.        ]])
    """
    p, q, A, B = c / d, beta / d, 0 * d, d / d
    factors = []
    for _ in range(n - 1):
        N, A, following = eliminate_pair(p, q, A, B)
        factors.append((B / (N + B), q * A / following))
        B = following
    return np.array(factors).reshape(n - 1, 2).T


def sweep_down(r: Any, factors: NDArray[Any], start: Pair) -> None:
    r"""Replace :math:`r_i` by :math:`z_i`, i < n−1, from :math:`\tilde y_{-1}, z_{-1}`."""
    y, z = start
    for i, (p, s) in enumerate(factors.T):
        y = y + r[i]
        r[i] = y + z
        y = y - s * r[i]
        z = p * r[i]


def sweep_up(z: Any, factors: NDArray[Any], end: Pair) -> None:
    r"""Replace :math:`z_i` by :math:`dx_i`, from :math:`dx_{n-1}` and :math:`dv_{n-1}`."""
    z[-1], v = end
    for i in reversed(range(factors.shape[1])):
        p, s = factors[:, i]
        v = p * (v + z[i]) - s * z[i + 1]
        z[i] = z[i + 1] + v


def solve_from_end(
    r: Any, weights: tuple[Any, Any, Any], x_end: Any, flux: Pair, *, factors: Any = None
) -> Any:
    r"""Return x with (βI + cL + dL²)x = r, from its last value and the flux over the seam.

    ==============================  ===========  =============================================
    symbol                          argument     meaning
    ==============================  ===========  =============================================
    r                               ``r``        (n, ...) of mean zero; overwritten
    :math:`\beta,\ c,\ d`           ``weights``  d > 0
    :math:`x_{n-1}`                 ``x_end``    of the solution of mean zero
    :math:`\varphi_x,\ \varphi_m`   ``flux``     over the seam; zeros on the path
    :math:`p,\ s`                   ``factors``  :func:`cholesky_factors`, made if not given
    ==============================  ===========  =============================================

    Examples
    --------
    >>> r = np.array([1.0, -2.0, 1.0])
    >>> solve_from_end(r, (0.0, 0.0, 1.0), 1 / 9, (0.0, 0.0)).round(6)
    array([ 0.111111, -0.222222,  0.111111])
    """
    _, c, d = weights
    if factors is None:
        factors = cholesky_factors(*weights, len(r))
    level, moment = flux
    sweep_down(r, factors, (c * level + moment, d * level))
    sweep_up(r, factors, (d * x_end, d * level))
    return r / d
