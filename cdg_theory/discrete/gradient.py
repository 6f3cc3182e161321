r"""k = M⁻¹g for a whole array: the public face of the sweeps, in floating point or exactly."""

from __future__ import annotations

from fractions import Fraction
from numbers import Rational
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import float_rows
from cdg_theory.discrete.blocks import plan_of, solve_blocks
from cdg_theory.discrete.curvature import curvature_factors
from cdg_theory.discrete.sweeps import factors_of, solve_member
from cdg_theory.metric import check_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Metric


def riemannian_gradient(grad: NDArray[Any], metric: Metric) -> NDArray[Any]:
    r"""Return :math:`k = M^{-1}g`, column by column, in time linear in the size of ``grad``.

    Computed in float64 whatever the storage type, and rounded once at the end. Each column is
    scaled by a power of two to order one, and its result back: no digit changes, and nothing
    overflows but a result that the storage type cannot hold.

    An array of objects, of fractions or of SymPy's expressions, is solved exactly, with the
    metric's weights as the rational numbers that its floats are.

    ==========  ===========  =========================================================
    symbol      argument     meaning
    ==========  ===========  =========================================================
    :math:`g`   ``grad``     (n, ...) Euclidean gradient; axis 0 is the output channel
    :math:`M`   ``metric``   see :class:`cdg_theory.Metric`
    ==========  ===========  =========================================================

    Returns
    -------
    numpy.ndarray
        The gradient in the metric, of the shape and dtype of ``grad``; ``grad`` is not changed.

    Raises
    ------
    TypeError
        If ``grad`` is not an array of floating-point numbers or of objects to compute with
        exactly; integers are to be converted to one or the other.
    ValueError
        If ``grad`` has no axis 0 or no rows.

    See Also
    --------
    cdg_torch.riemannian_gradient : The same for torch tensors.
    cdg_theory.discrete.spectral_gradient : By the DCT or the FFT.
    cdg_theory.discrete.inverse_matrix : The matrix that it applies.
    cdg_theory.discrete.sharded_gradient : From blocks of rows.
    cdg_theory.continuum.riemannian_gradient : The same in the continuum.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import riemannian_gradient
    >>> from fractions import Fraction
    >>> riemannian_gradient(np.array([1.0, 2.0, 6.0]), Metric.reweighted_h0(2.0))
    array([2. , 2.5, 4.5])

    Exactly, periodic metrics included:

    >>> column = np.array([Fraction(1), Fraction(2), Fraction(6)])
    >>> riemannian_gradient(column, Metric(1.0, 1.0, 1.0, boundary="periodic", spacing="unit"))
    array([Fraction(5, 2), Fraction(11, 4), Fraction(15, 4)], dtype=object)

    Notes
    -----
    Theorem 5 (equals :math:`M^{-1}g` for every n), theorem 7 (rounding); exact solves take the form
    of theorem 11, which needs no square root on the cycle either.
    """
    check_metric(metric)
    g = float_rows("grad", grad, kinds="fO")
    if g.dtype == object:
        return _exact_gradient(g, metric)
    wide = g.astype(np.float64)
    if metric.is_multiple_of_l2 or len(g) == 1:
        # Exactly the ordinary gradient, bit for bit when the mean has weight 1.
        k = wide / metric.mean
    else:
        factors = factors_of(metric, len(g))
        largest = np.abs(wide).max(axis=0)
        exponent = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
        scaled = np.ldexp(wide, -exponent)
        k = np.ldexp(solve_member(scaled, metric.mean, metric.fluctuation, factors), exponent)
    return k.astype(g.dtype, copy=False)


def _exact_gradient(g: NDArray[Any], metric: Metric) -> NDArray[Any]:
    """Return k over the field that the entries of g lie in."""
    if rounded := [x for x in g.flat if isinstance(x, float | complex | np.inexact)]:
        msg = (
            f"grad is an array of objects, to be solved exactly, and holds {rounded[0]!r}; make it "
            "an array of floats, or of fractions.Fraction"
        )
        raise TypeError(msg)
    columns = np.array([Fraction(x) if isinstance(x, Rational) else x for x in g.flat])
    columns = columns.reshape(len(g), -1)
    alpha, beta, c = map(Fraction, (metric.mean, metric.fluctuation, metric.stiffness(len(g))))
    if metric.is_multiple_of_l2 or len(g) == 1:
        return (columns / alpha).reshape(g.shape)
    periodic = metric.boundary == "periodic"
    if metric.curvature:
        d = Fraction(metric.rigidity(len(g)))
        factors = curvature_factors(beta, c, d, len(g), periodic=periodic)
        return solve_member(columns, alpha, beta, factors).reshape(g.shape)
    plan = plan_of(alpha, beta, c, (len(g),), periodic=periodic)
    (k,) = solve_blocks([columns], plan)
    return k.reshape(g.shape)
