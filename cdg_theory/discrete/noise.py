r"""How much of white gradient noise a metric lets through: :math:`\operatorname{tr}(M^{-2})/n`.

If the entries of g are independent with variance σ², the entries of :math:`k=M^{-1}g` have variance
:math:`\sigma^2\operatorname{tr}(M^{-2})/n` on average. With :math:`c = \gamma s`

.. math:: \operatorname{tr}(M^{-2}) = \frac1{\alpha^2} +
    \sum_{m\ge1}\frac1{(\beta+c\,\ell_m)^2},

in closed form:

- γ = 0: :math:`1/\alpha^2 + (n-1)/\beta^2`
- β = 0, path: :math:`1/\alpha^2 + (n^2-1)(2n^2+7)/180c^2`
- β = 0, cycle: :math:`1/\alpha^2 + (n^2-1)(n^2+11)/720c^2`
- cycle, with :math:`r+1/r=2+\beta/c`: :math:`\frac1{\alpha^2} - \frac1{\beta^2} +
  \frac{n}{c^2(1/r-r)^2(1-r^n)^2}\Big(\frac{(1+r^2)(1-r^{2n})}{1-r^2}+2nr^n\Big)`
- path: half of what the cycle of 2n nodes gives, folded (:func:`path_trace`)

With a curvature term it is summed over the modes.

The traces are functions over any field, for theorem 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdg_theory.checks import channel_count
from cdg_theory.discrete.spectrum import eigenvalues
from cdg_theory.metric import check_metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdg_theory.metric import Metric


def path_sobolev_trace(n: Any) -> Any:
    r"""Return :math:`\operatorname{tr}((L^+)^2)` of the path."""
    return (n**2 - 1) * (2 * n**2 + 7) / 180


def cycle_sobolev_trace(n: Any) -> Any:
    r"""Return :math:`\operatorname{tr}((L^+)^2)` of the cycle."""
    return (n**2 - 1) * (n**2 + 11) / 720


def cycle_trace(n: Any, c: Any, power: Callable[[Any], Any]) -> Any:
    r"""Return :math:`\operatorname{tr}((\beta I+cL)^{-2})` of the cycle, β = c(1−r)²/r > 0.

    ``power(e)`` is :math:`r^e`.
    """
    waves = (1 + power(2)) * (1 - power(2 * n)) / (1 - power(2)) + 2 * n * power(n)
    return n * waves / (c * (power(-1) - power(1)) * (1 - power(n))) ** 2


def path_trace(n: Any, c: Any, power: Callable[[Any], Any]) -> Any:
    r"""Return :math:`\operatorname{tr}((\beta I+cL)^{-2})` of the path, β = c(1−r)²/r > 0.

    The cycle of 2n nodes has every mode of the path twice, but the constant and the alternating
    one only once; the path has the constant and not the alternating one.
    """
    constant = c * (power(-1) - 2 + power(1))
    alternating = constant + 4 * c
    return (cycle_trace(2 * n, c, power) + 1 / constant**2 - 1 / alternating**2) / 2


def variance_kept(metric: Metric, n: int) -> float:
    r"""Return :math:`\operatorname{tr}(M^{-2})/n`, the share of white noise's variance kept.

    =========  ==========  ===============================
    symbol     argument    meaning
    =========  ==========  ===============================
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    :math:`n`  ``n``       number of output channels, >= 1
    =========  ==========  ===============================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``n`` not an integer.
    ValueError
        If ``n`` < 1.

    See Also
    --------
    cdg_theory.discrete.eigenvalues : Whose inverse squares it averages.
    cdg_theory.discrete.risk : Noise against signal.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import variance_kept
    >>> variance_kept(Metric.l2(), 64)
    1.0
    >>> variance_kept(Metric.reweighted_h0(10.0), 64)
    0.02546875

    Notes
    -----
    Theorem 8. For β, γ > 0, and with a curvature term, the sum over the modes, whose terms are
    positive, instead of the closed form, whose terms cancel for small β.
    """
    check_metric(metric)
    n = channel_count(n)
    constant = 1.0 / metric.mean**2
    beta, c = metric.fluctuation, metric.stiffness(n)
    if metric.derivative_order == 0:
        return (constant + (n - 1) / beta**2) / n
    if beta == 0 and metric.derivative_order == 1:
        trace = path_sobolev_trace if metric.boundary == "natural" else cycle_sobolev_trace
        return (constant + trace(float(n)) / c / c) / n
    return float((1 / eigenvalues(metric, n) ** 2).mean())
