r"""k = M⁻¹g enclosed between rational numbers: integers only, no rounding error unaccounted for.

The gradient's floats and the metric's weights are taken at their exact binary values, and
:math:`c = \gamma s` is not rounded. All numbers are Python integers with a common scale.

*One of β, c is 0*: the exact rational solution, by running sums of integers.

*Both positive*: exact rationals would grow by a hundred bits per row. Instead, any approximate
solution :math:`\tilde x` (here: the two sweeps in fixed-point arithmetic) is judged by its exact
residual. :math:`A = \beta I + cL` is an M-matrix with :math:`A\mathbf 1=\beta\mathbf 1`, so
:math:`A^{-1}\ge0` has row sums :math:`1/\beta` and

.. math:: \|x-\tilde x\|_\infty \le \|A^{-1}\|_\infty\,\|r-A\tilde x\|_\infty
          = \|r-A\tilde x\|_\infty/\beta .

*With a curvature* the inverse has negative entries. But :math:`A = \beta I+cL+dL^2` is symmetric,
and of its eigenvalues on vectors of mean zero none is below that at :math:`\ell_1\ge4/n^2`:

.. math:: \|x-\tilde x\|_\infty \le \|r-A\tilde x\|_2\,
          \Bigl(\beta+\frac{4c}{n^2}+\frac{16d}{n^4}\Bigr)^{-1}
          \quad\text{for }\tilde x\text{ of mean zero} .

Here :math:`\tilde x` comes from the sweeps over pairs, in decimal arithmetic with enough digits.

How :math:`\tilde x` came about does not matter for the proof. Where the radius is too wide, the
sweeps run again with more bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.curvature import curvature_factors, solve_curvature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Metric

#: Two rounds do, as a rule: the first one tells how many bits are missing.
ROUNDS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Enclosure:
    r"""Numbers known to lie in :math:`(\mathtt{center}\pm\mathtt{radius})\,2^{-\mathtt{scale}}`.

    ``center`` is an (n, columns) array of Python integers, ``radius`` one integer per column.
    """

    center: NDArray[Any]
    radius: NDArray[Any]
    scale: int

    def contains(self, row: int, column: int, value: Fraction) -> bool:
        """Whether ``value`` lies in the interval of one entry."""
        distance = abs(value * 2**self.scale - self.center[row, column])
        return bool(distance <= self.radius[column])


def scaled_integers(values: NDArray[Any], scale: int) -> NDArray[Any]:
    """Return floor(values·2**scale) as Python integers (exact where ``scale`` is large enough).

    Raises
    ------
    ValueError
        If a value is not finite.

    Examples
    --------
    >>> scaled_integers(np.array([0.75, -0.3]), 2)
    array([3, -2], dtype=object)
    """
    if not np.isfinite(values).all():
        msg = "only finite numbers can be scaled to integers"
        raise ValueError(msg)
    significands, exponents = np.frexp(np.asarray(values, dtype=np.float64))
    integers = np.ldexp(significands, 53).astype(np.int64)
    out = np.empty(values.shape, dtype=object)
    flat = zip(integers.ravel().tolist(), (exponents + scale - 53).ravel().tolist(), strict=True)
    out.ravel()[:] = [m << shift if shift >= 0 else m >> -shift for m, shift in flat]
    return out


def _binary_places(values: NDArray[Any]) -> int:
    """Return the scale at which all ``values`` are integers (0 for integers)."""
    exponents = np.frexp(values)[1][values != 0]
    return max(0, 53 - int(exponents.min())) if exponents.size else 0


@dataclass(frozen=True, slots=True)
class _Weights:
    """α, β, c = γs and d = δs² as integers over 2**scale, without rounding."""

    alpha: int
    beta: int
    c: int
    d: int
    scale: int

    def smallest(self, n: int) -> int:
        """Return n⁴ times what no eigenvalue on vectors of mean zero is below, d > 0."""
        return self.beta * n**4 + 4 * self.c * n**2 + 16 * self.d


def _exact_weights(metric: Metric, n: int) -> _Weights:
    spacing = n * n if metric.spacing == "normalized" else 1
    exact = (
        Fraction(metric.mean),
        Fraction(metric.fluctuation),
        Fraction(metric.derivative) * spacing,
        Fraction(metric.curvature) * spacing**2,
    )
    scale = max(weight.denominator.bit_length() - 1 for weight in exact)
    alpha, beta, c, d = (int(weight * 2**scale) for weight in exact)
    return _Weights(alpha, beta, c, d, scale)


def _laplacian(x: NDArray[Any], boundary: str) -> NDArray[Any]:
    flux = x[:-1] - x[1:]
    out = x * 0
    out[:-1] += flux
    out[1:] -= flux
    if boundary == "periodic":
        out[0] += x[0] - x[-1]
        out[-1] -= x[0] - x[-1]
    return out


def _running_sums(nr: NDArray[Any], boundary: str) -> tuple[NDArray[Any], int]:
    """Return integers v and a factor f with L(v/f) = nr, v of mean zero: the case β = 0."""
    n, factor = len(nr), 1
    flux = np.cumsum(nr, axis=0)  # c(x[i] − x[i+1]), up to a constant on the cycle
    if boundary == "periodic":
        flux, factor = n * flux - flux.sum(axis=0), n
    x = np.cumsum(flux[::-1], axis=0)[::-1]  # the last flux is in all rows: the mean takes it off
    return n * x - x.sum(axis=0), n * factor


def _close(u: NDArray[Any], homogeneous: list[int]) -> None:
    total, weight = u.sum(axis=0), sum(homogeneous)
    for i, h in enumerate(homogeneous):
        u[i] -= h * total // weight


def _fixed_point_sweeps(
    nr: NDArray[Any], w: _Weights, boundary: str, shift: int, bits: int
) -> NDArray[Any]:
    """Return an approximation of 2**shift·A⁻¹(nr/n) for integers ``nr`` of sum zero."""
    n, one = len(nr), 1 << bits
    if boundary == "natural":
        excess = w.beta << bits
        pivots, carry = [], []
        for _ in range(n):
            pivots.append((w.c << bits) + excess)
            carry.append((w.c << 2 * bits) // pivots[-1])
            excess = (w.beta << bits) + (carry[-1] * excess >> bits)
    else:
        root = math.isqrt((w.beta * (4 * w.c + w.beta)) << (2 * bits))
        pivots = [(w.c << bits) + (((w.beta << bits) + root) >> 1)] * n
        carry = [(w.c << 2 * bits) // pivots[0]] * n
    y = nr * one
    for i in range(n - 1):
        y[i + 1] += y[i] * carry[i] >> bits
    homogeneous = [one]
    for p in reversed(carry[:-1]):
        homogeneous.append(homogeneous[-1] * p >> bits)
    homogeneous.reverse()
    if boundary == "periodic":
        _close(y, homogeneous[::-1])
    x = np.empty_like(y)
    for i in range(n):
        x[i] = (y[i] << (w.scale + shift)) // (n * pivots[i])
    # Whatever the last row holds, the closure takes it off.
    for i in reversed(range(n - 1)):
        x[i] += x[i + 1] * carry[i] >> bits
    _close(x, homogeneous)
    return x


def _decimal_sweeps(nr: NDArray[Any], w: _Weights, boundary: str, shift: int) -> NDArray[Any]:
    """Return an approximation of 2**shift·A⁻¹(nr/n) for d > 0, of mean 0 to a unit."""
    n = len(nr)
    largest = max(int(abs(nr).max()), w.beta, w.c, w.d)
    bits = abs(shift) + w.scale + 2 * largest.bit_length() + 8 * n.bit_length()
    with localcontext() as context:
        context.prec = bits // 3 + 10
        beta, c, d = map(Decimal, (w.beta, w.c, w.d))
        factors = curvature_factors(beta, c, d, n, periodic=boundary == "periodic")
        unit = Decimal(2) ** (w.scale + shift) / n
        r = np.array([Decimal(entry) for entry in nr.flat]).reshape(nr.shape)
        x = np.array([int(entry * unit) for entry in solve_curvature(r, factors).flat], object)
    x = x.reshape(nr.shape)
    x -= x.sum(axis=0) // n
    return x


def _distance(residual: NDArray[Any], w: _Weights) -> NDArray[Any]:
    """Return a bound on the distance to x of what has mean 0 to a unit and this residual, d > 0."""
    n = len(residual)
    squares = (residual**2).sum(axis=0)
    norm = np.array([math.isqrt(square) + 1 for square in squares], dtype=object)
    bound: NDArray[Any] = norm * n**3 // w.smallest(n) + 2
    return bound


def _amplification(w: _Weights, n: int) -> int:
    """Return about how many bits the radius is wider than a unit of rounding in x."""
    if w.d:
        return ((w.beta + 4 * w.c + 16 * w.d) * n**5).bit_length() - w.smallest(n).bit_length()
    # The residual of a unit is about 4c, which 1/β amplifies.
    return max(0, w.c.bit_length() - w.beta.bit_length()) if w.beta else 0


def _enclose(
    g: NDArray[Any], places: int, w: _Weights, boundary: str, scale: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return center and radius of k at ``scale``, for the gradient g·2**-places."""
    n = len(g)
    total = g.sum(axis=0)
    nr = n * g - total
    shift = scale - places
    mean = (total << (shift + w.scale)) // (n * w.alpha)
    # Every floor division is off by less than one unit.
    radius: NDArray[Any] = np.ones_like(total)
    if n == 1:
        x = nr
    elif w.d:
        x = _decimal_sweeps(nr, w, boundary, shift)
        Ax = w.beta * x + _laplacian(w.c * x + w.d * _laplacian(x, boundary), boundary)
        radius = _distance((nr << (shift + w.scale)) - n * Ax, w)
    elif w.c == 0:
        x = (nr << (shift + w.scale)) // (n * w.beta)
    elif w.beta == 0:
        v, factor = _running_sums(nr, boundary)
        x = (v << (shift + w.scale)) // (n * factor * w.c)
    else:
        x = _fixed_point_sweeps(nr, w, boundary, shift, scale)
        residual = (nr << (shift + w.scale)) - n * (w.beta * x + w.c * _laplacian(x, boundary))
        radius = abs(residual).max(axis=0) // (n * w.beta) + 1
    # x = 0 exactly where the gradient is constant, and then only the mean was divided.
    radius = np.where(abs(nr).max(axis=0) == 0, 0, radius) + np.where(total == 0, 0, 1)
    return mean + x, radius


def enclose_gradient(
    g: NDArray[np.float64], metric: Metric, resolution: NDArray[np.float64]
) -> Enclosure:
    r"""Return intervals that hold the exact gradient in the metric, narrower than asked for.

    ==================  ==============  =========================================================
    symbol              argument        meaning
    ==================  ==============  =========================================================
    :math:`g`           ``g``           (n, columns) gradient, taken at its exact binary values
    :math:`M`           ``metric``      weights at their exact binary values
    (radius)            ``resolution``  (columns,) the radii to stay below, > 0
    ==================  ==============  =========================================================

    Raises
    ------
    ValueError
        If ``g`` is not finite.
    ArithmeticError
        If more bits do not narrow the intervals: the approximate solver is broken.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> k = enclose_gradient(np.array([[1.0], [2.0], [6.0]]), Metric.reweighted_h0(2.0), [1e-9])
    >>> [k.contains(i, 0, Fraction(value)) for i, value in enumerate(("2", "5/2", "9/2"))]
    [True, True, True]
    """
    wanted = np.asarray(resolution, dtype=np.float64)
    places = _binary_places(g)
    integers = scaled_integers(g, places)
    w = _exact_weights(metric, len(g))
    # A column of zeros is solved exactly, whatever the scale.
    finest = wanted.min(initial=1.0, where=g.any(axis=0))
    scale = places + 16 + _amplification(w, len(g)) + max(0, -math.frexp(finest)[1])
    for _ in range(ROUNDS):
        center, radius = _enclose(integers, places, w, metric.boundary, scale)
        limits = scaled_integers(wanted, scale)
        if (radius <= limits).all():
            return Enclosure(center, radius, scale)
        # A radius shrinks with every bit; a few more than are missing end the search.
        missing = max(
            int(r).bit_length() - int(limit).bit_length()
            for r, limit in zip(radius, limits, strict=True)
        )
        scale += max(missing, 8) + 8
    msg = (
        f"no enclosure of the exact gradient for {metric} at n = {len(g)} after {ROUNDS} rounds, "
        f"with {scale} bits; the approximate solution that it encloses must be wrong"
    )
    raise ArithmeticError(msg)
