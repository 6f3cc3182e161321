r"""Theorem 7: how far rounding can take the linear-time gradient from M⁻¹g, entry by entry.

**Model.** The accumulator's type has unit roundoff u: each operation returns the exact result
times :math:`1+\delta,\ |\delta|\le u`, or, near zero, the exact result plus something below
the smallest normal number :math:`\omega`. A fused multiply-add, a division replaced by a product
with the rounded reciprocal, and sums in any order are all within the model. The factors of the
sweeps are computed in float64 (unit roundoff v) from :math:`c=\mathrm{fl}(\gamma s)` and may be
rounded once more to the accumulator's type. The result is rounded to the storage type, at the
half types by way of float32. Nothing overflows.

**Method.** Every operation of :mod:`cdg_theory.discrete.sweeps` is linear in g, with factors
between 0 and 1. So an error made in one row travels down the sweeps as any right-hand side does,
and *the bound is computed by the algorithm itself*: the local errors go through the same two
sweeps, and the closure adds where the algorithm subtracts. Linear time, no norm of an inverse, and
nothing divided by a small :math:`\beta`.

Terms of first order in u are written out; products of them, and the rounding of the bound itself,
are absorbed by the factor :math:`1/(1-40nu)`, as no entry meets more than 40n roundings on its
way. The derivation, step by step, is in the docs: ``theory/rounding-derivation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import float_rows
from cdg_theory.discrete.curvature import solve_curvature
from cdg_theory.discrete.sweeps import (
    SweepFactors,
    carry_backward,
    carry_forward,
    path_pivots,
    split_mean,
    sweep_factors,
)
from cdg_theory.metric import check_metric
from cdg_theory.rounding.formats import FORMATS, FloatFormat, float_format
from cdg_theory.rounding.pairs import ClosedSweeps, PairSteps, V, closed_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Metric

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FactorErrors:
    """Bounds on the relative errors of the fields of ``SweepFactors``, to first order."""

    carry: Array
    gain: Array
    closure: Array
    flux: Array | None


def _normalized(weights: Array, errors: NDArray[Any], n: int) -> Array:
    r"""Return the relative error of :math:`h/\sum h`, for that of ``h``; ``weights`` sum to 1."""
    return errors + weights @ errors + (n + 1) * V


def factor_errors(metric: Metric, n: int) -> FactorErrors:
    r"""Return bounds on the relative errors of the sweeps' factors as float64 computes them.

    On the path, with :math:`e_i` the relative error of :math:`E_i` and v that of c,

    .. math::

        e_0 = 0,\qquad e_{i+1} = \frac{p_iE_i}{E_{i+1}}\bigl((1-p_i)v + p_ie_i + 3v\bigr) + v,
        \qquad \mathrm{err}(p_i) = (1-p_i)(v+e_i) + 2v .

    :math:`e_i` grows with i only while :math:`1-p_i` is small: the carries stay accurate to a few
    v whatever the weights are. On the cycle E is a sum of two positive terms, err(E) <= 5v.

    Raises
    ------
    ValueError
        If ``metric.derivative`` is 0 or ``n`` < 1.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> errors = factor_errors(Metric(1.0, 1e-12, 10.0), 4096)
    >>> bool(errors.carry.max() < 4 * 2.0**-53)
    True
    """
    factors = sweep_factors(metric, n)
    if metric.boundary == "natural":
        excess, carry = path_pivots(metric.fluctuation, metric.stiffness(n), n)
        e, pivot_error = [0.0], []
        for E, p in zip(excess, carry, strict=True):
            pivot_error.append(p * V + (1 - p) * e[-1] + V)
            through = p * E / (metric.fluctuation + p * E) if E else 0.0
            e.append(through * ((1 - p) * V + p * e[-1] + 3 * V) + V)
        p_, e_ = np.array(carry, dtype=np.float64), np.array(e[:-1])
        carry_error = ((1 - p_) * (V + e_) + 2 * V)[:-1]
        powers = np.append(carry_error + V, 0.0)[::-1].cumsum()[::-1]
        closure = _normalized(factors.closure, powers, n)
        return FactorErrors(carry_error, np.array(pivot_error) + V, closure, None)
    q = metric.stiffness(n) * float(factors.gain[0])
    carry_error = np.full(n - 1, (1 - q) * 6 * V + 2 * V)
    gain = np.full(n, q * V + (1 - q) * 5 * V + 2 * V)
    # A power taken at once or factor by factor: i errors of q, i roundings, and a few ulp of pow.
    powers = np.arange(n) * ((1 - q) * 6 * V + 3 * V) + 4 * V
    assert factors.flux is not None
    flux = _normalized(factors.flux, powers, n)
    return FactorErrors(carry_error, gain, flux[::-1], flux)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorBound:
    r"""A gradient in the metric, in float64, and bounds on the error of its entries.

    ===================  =============  =========================================================
    symbol               field          meaning
    ===================  =============  =========================================================
    :math:`k`            ``gradient``   (n, columns), computed in float64: only its size is used
    :math:`|\hat k-k|`   ``bound``      (n, columns): no error of an entry is larger
    ===================  =============  =========================================================

    See Also
    --------
    cdg_theory.rounding.forward_error_bound : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.rounding import forward_error_bound
    >>> forward_error_bound(np.ones((4, 1)), Metric.l2()).bound.shape
    (4, 1)
    """

    gradient: Array
    bound: Array


def closing_remainder(errors: NDArray[Any], carry: NDArray[Any], *, backward: bool) -> NDArray[Any]:
    r"""Return what a closure with weights η adds, as a multiple of η, to the swept errors.

    A local error :math:`\ell_j` reaches row i with a factor :math:`h_i/h_j`, where the sweep
    passes i after j, and the sum of all rows with a factor :math:`a_j`. Closing leaves
    :math:`h_i/h_j-\eta_ia_j\ge0` of it in the rows that it reaches and :math:`-\eta_ia_j` in the
    others. The sum of the moduli is

    .. math::

        \sum_{j\text{ reaches }i}\frac{h_i}{h_j}\ell_j
        + \eta_i\Bigl(2\sum_{j\text{ does not}}a_j\ell_j - \sum_j a_j\ell_j\Bigr).

    The bracket is returned; the first sum is the sweep itself. Over any field.

    Examples
    --------
    >>> closing_remainder(np.array([[1.0], [2.0]]), np.array([1.0]), backward=False)
    array([[ 0.],
           [-4.]])
    """
    reach = errors[:, :1] * 0 + 1
    if backward:
        carry_forward(reach, carry)
        seen = reach * errors
        missed = np.cumsum(seen, axis=0) - seen
    else:
        carry_backward(reach, carry)
        seen = reach * errors
        missed = np.cumsum(seen[::-1], axis=0)[::-1] - seen
    remainder: NDArray[Any] = 2 * missed - seen.sum(axis=0)
    return remainder


def slack(metric: Metric, n: int, u: float) -> float:
    """Return what products of errors, and the rounding of the bound itself, can add, relatively."""
    return (80 if metric.derivative_order == 2 else 40) * n * u


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of the algorithm on values and, beside them, on bounds of their errors."""

    n: int
    u: float
    tiny: float
    slack: float

    def mean(self, values: Array, errors: Array) -> Array:
        r"""Return :math:`(n+1)u\,\mathrm{mean}|v|+\mathrm{mean}(e)`: a sum in any order."""
        bound: Array = (self.n + 1) * self.u * np.abs(values).mean(axis=0) + errors.mean(axis=0)
        return bound + self.tiny

    def split_mean(self, g: Array) -> tuple[Array, Array, Array, Array]:
        """Return the mean, the fluctuation, the shift of all its rows, and each row's own error.

        The shift is what the second pass misses of the mean: also the error of the mean itself.
        """
        mean, r = split_mean(g)
        first = self.mean(g, np.zeros_like(g))
        # What the first pass leaves behind is in r1 and is seen by the second pass.
        local = self.u * (np.abs(r) + first) + self.tiny
        shift = self.mean(np.abs(r) + first, local)
        return mean, r, shift, 2 * local

    def carry(
        self, values: Array, errors: Array, carry: Array, carry_error: Array, *, backward: bool
    ) -> Array:
        """Run a sweep over values and errors, in place; return the :func:`closing_remainder`."""
        sweep = carry_backward if backward else carry_forward
        sweep(values, carry)
        size = np.abs(values)
        errors += self.u * size + self.tiny
        carried = (carry * (carry_error + 2 * self.u))[:, None]
        if backward:
            errors[:-1] += carried * size[1:]
        else:
            errors[1:] += carried * size[:-1]
        remainder = closing_remainder(errors, carry, backward=backward)
        sweep(errors, carry)
        return remainder

    def close(
        self, values: Array, errors: Array, remainder: Array, weights: Array, relative: Array
    ) -> None:
        """Take off the multiple of ``weights`` that makes the sum vanish; in place."""
        total, moduli = values.sum(axis=0), np.abs(values).sum(axis=0)
        column, known = weights[:, None], (relative + 3 * self.u)[:, None]
        values -= column * total
        # remainder may cancel most of what was there: its own rounding counts.
        errors += column * remainder + self.slack * (errors + column * np.abs(remainder))
        errors += column * (self.n * self.u * moduli + known * np.abs(total))
        errors += self.u * np.abs(values) + self.tiny * (1 + np.abs(total))

    def scale(self, values: Array, errors: Array, weights: Array, relative: Array) -> None:
        """Multiply by ``weights``, known to a relative error; in place."""
        values *= weights[:, None]
        errors *= weights[:, None]
        errors += (relative + 2 * self.u)[:, None] * np.abs(values) + self.tiny

    def sweeps(self, r: Array, errors: Array, factors: SweepFactors, known: FactorErrors) -> None:
        """Turn r and its error into x and its error; in place."""
        remainder = self.carry(r, errors, factors.carry, known.carry, backward=False)
        if factors.flux is not None and known.flux is not None:
            self.close(r, errors, remainder, factors.flux, known.flux)
        self.scale(r, errors, factors.gain, known.gain)
        remainder = self.carry(r, errors, factors.carry, known.carry, backward=True)
        self.close(r, errors, remainder, factors.closure, known.closure)

    def shifted(self, factors: SweepFactors, known: FactorErrors) -> Array:
        """Return the modulus of what the sweeps make of a shift by 1 of all rows, (n, 1)."""
        response, errors = np.ones((self.n, 1)), np.zeros((self.n, 1))
        self.sweeps(response, errors, factors, known)
        return np.abs(response) + errors


def accumulator_for(g: Array, metric: Metric, name: str) -> FloatFormat:
    """Return the accumulator's format.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``g`` does not hold floating-point numbers.
    ValueError
        If there is none of that name, ``g`` is not a matrix, or the format is too narrow for it.
    """
    check_metric(metric)
    inner = float_format(name, argument="accumulator")
    if np.ndim(g) != 2 or len(g) == 0:
        msg = f"g must be an (n, columns) matrix with n >= 1, got shape {np.shape(g)}"
        raise ValueError(msg)
    float_rows("g", g)
    n, u = len(g), inner.unit_roundoff
    if slack(metric, n, u) >= 0.5:
        msg = (
            f"accumulator {name!r} is too narrow for n = {n}: the analysis needs "
            f"{slack(metric, 1, 1):.0f}·n·u < 1/2, got {slack(metric, n, u):.3g}; use float64 or "
            "float32"
        )
        raise ValueError(msg)
    return inner


def forward_error_bound(
    g: Array, metric: Metric, *, dtype: str = "float64", accumulator: str = "float64"
) -> ErrorBound:
    r"""Return theorem 7's bound on :math:`|\hat k - k|` for every entry of a gradient.

    .. math::

        |\hat k_i-k_i| \le \frac{1}{1-40nu}\Bigl(\epsilon_{\bar g}/\alpha + \epsilon_{x,i}
            + 3u|\bar g|/\alpha + u|k_i|\Bigr) + \tfrac12\mathrm{ulp}_{\mathrm{out}}(k_i)

    in each row :math:`i`, with the weight :math:`\alpha` of the mean, the error
    :math:`\epsilon_{\bar g}` of the mean and :math:`\epsilon_x` of the mean-zero
    part, both from the recursions of this module. The last term is for a storage type narrower
    than the accumulator, and taken at the largest value that the entry may have.

    ======================  ===============  ==================================================
    symbol                  argument         meaning
    ======================  ===============  ==================================================
    :math:`g`               ``g``            (n, columns) gradient, representable in ``dtype``
    :math:`M`               ``metric``       see :class:`cdg_theory.Metric`
    :math:`u_\mathrm{out}`  ``dtype``        storage type of the result
    :math:`u`               ``accumulator``  type of all arithmetic before the last rounding
    ======================  ===============  ==================================================

    Returns
    -------
    ErrorBound
        The gradient in float64, and the bound for each of its entries.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``g`` does not hold floating-point numbers.
    ValueError
        If a format is unknown, ``g`` is not a matrix, or 40nu >= 1/2: the accumulator is too narrow
        for so many rows.

    See Also
    --------
    cdg_theory.rounding.functional_error_bound : For kernels with known constants.
    cdg_theory.certify : Judges a solver by it.
    cdg_theory.rounding.bounds.ErrorBound : What is returned.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric
    >>> from cdg_theory.rounding import forward_error_bound

    Float32 with float64 inside: half an ulp, and next to nothing besides.

    >>> g = np.linspace(-1.0, 2.0, 512)[:, None]
    >>> e = forward_error_bound(g, Metric.sobolev(1.0), dtype="float32")
    >>> bool((e.bound <= 0.501 * 2.0**-23 * np.abs(e.gradient).max()).all())
    True

    Notes
    -----
    Theorem 7; docs: ``theory/rounding``.
    """
    storage, inner = float_format(dtype), accumulator_for(g, metric, accumulator)
    n, u = len(g), inner.unit_roundoff
    steps = _Steps(n, u, inner.smallest_normal, slack(metric, n, u))
    mean, x, shift, error = steps.split_mean(np.array(g, dtype=np.float64))
    if metric.derivative_order == 2:
        if n > 1:
            x, error = _curved(x, error, shift, PairSteps.of(metric, n, u, inner.smallest_normal))
    elif metric.derivative:
        factors, known = sweep_factors(metric, n), factor_errors(metric, n)
        steps.sweeps(x, error, factors, known)
        error += steps.shifted(factors, known) * shift
    else:
        error += shift
        steps.scale(x, error, np.full(n, 1 / metric.fluctuation), np.zeros(n))
    k = mean / metric.mean + x
    error += (shift + 3 * u * np.abs(mean)) / metric.mean + u * np.abs(k) + inner.smallest_normal
    return ErrorBound(k, stored(k, error / (1 - steps.slack), storage, inner))


def _curved(r: Array, own: Array, shift: Array, steps: PairSteps) -> tuple[Array, Array]:
    """Return x and its error for a metric with a curvature."""
    sweeps = ClosedSweeps.of(steps.factors, r)
    error, _ = closed_error(steps, sweeps, own)
    response = solve_curvature(np.ones((steps.n, 1)), steps.factors)
    return sweeps.z[0], error + np.abs(response) * shift


def stored(k: Array, error: Array, storage: FloatFormat, inner: FloatFormat) -> Array:
    """Return the error after the last rounding: half an ulp at the largest value it may see."""
    if storage.precision >= inner.precision:
        return error
    single = FORMATS["float32"]
    if storage.precision < single.precision < inner.precision:
        # PyTorch rounds float64 to a half type by way of float32.
        error = error + single.unit_roundoff * (np.abs(k) + error) + single.smallest_subnormal
    exponents = np.frexp(np.abs(k) + error)[1] - 1
    ulp = np.maximum(exponents, storage.min_exp) - storage.precision + 1
    stored: Array = error + np.ldexp(0.5, ulp)
    return stored
