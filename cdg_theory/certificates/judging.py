r"""certify: any solver against the exact gradient, entry by entry, within theorem 7's bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cdg_theory.certificates.certificate import Certificate, Finding
from cdg_theory.certificates.draws import KINDS, draw_column
from cdg_theory.certificates.oracle import Enclosure, enclose_gradient, scaled_integers
from cdg_theory.checks import channel_count, described, one_of, whole_number
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.metric import Metric, check_metric
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FloatFormat, float_format
from cdg_theory.rounding.functionals import functional_error_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: (n, columns) gradient -> (n, columns) result, anything that NumPy reads as float64.
Solver = Callable[[Any], Any]

#: Theorem 7's bound for sweeps that close themselves, and for known constants.
Algorithm = Literal["closing", "functionals"]
BOUNDS = {"closing": forward_error_bound, "functionals": functional_error_bound}

#: The enclosure of the exact solution is this many times narrower than the bound it judges by.
NARROWER = 2.0**-20


def certify(
    solve: Solver,
    metric: Metric,
    n: int,
    *,
    columns: int = 16,
    dtype: str = "float64",
    accumulator: str = "float64",
    algorithm: Algorithm = "closing",
    seed: int = 0,
) -> Certificate:
    r"""Compare any solver of :math:`Mk=g` with the exact solution, and judge it by theorem 7.

    Draws gradients of every kind in :mod:`~cdg_theory.certificates.draws`, calls the solver once
    with all of them, and encloses the exact gradient of these very floats between rational
    numbers (:mod:`~cdg_theory.certificates.oracle`). The error is reported in ulp at the largest
    entry of each column; every single entry must meet its bound.

    ==================  ===============  ========================================================
    symbol              argument         meaning
    ==================  ===============  ========================================================
    :math:`g\mapsto k`  ``solve``        takes an (n, columns) array: float64 or float32, or for
                                         the half types float32 that holds representable values;
                                         returns what ``numpy.asarray(result, float64)`` can read
    :math:`M`           ``metric``       see :class:`cdg_theory.Metric`
    :math:`n`           ``n``            number of output channels
    (draws)             ``columns``      how many gradients; below 9 not every kind is drawn
    :math:`u_{out}`     ``dtype``        storage type: ``"float64"``, ``"float32"``,
                                         ``"float16"`` or ``"bfloat16"``
    :math:`u`           ``accumulator``  type of the solver's arithmetic, named likewise
    (constants)         ``algorithm``    ``"closing"``: the sweeps close themselves, as in
                                         :mod:`cdg_theory.discrete.sweeps`; ``"functionals"``:
                                         their constants are known beforehand, as in
                                         :mod:`cdg_theory.rounding.functionals` (less accurate)
    (draws)             ``seed``         same seed, same gradients
    ==================  ===============  ========================================================

    Returns
    -------
    Certificate
        Whether the solver ``holds``, where it is nearest its bound, and its largest error.

    Raises
    ------
    TypeError
        If ``solve`` is not callable, ``metric`` is not a metric, or an integer is not one.
    ValueError
        If an argument is out of range, the solver returns another shape than it was given, or no
        gradient of this dtype has a result that the dtype can hold.

    See Also
    --------
    cdg_theory.certificates.Certificate : What is returned.
    cdg_theory.certificates.examine : The drawn gradients and their bounds alone.
    cdg_theory.rounding.forward_error_bound : The bound.

    Examples
    --------
    >>> from cdg_theory import Metric, certify, discrete
    >>> metric = Metric.sobolev(0.5)
    >>> certify(lambda g: discrete.riemannian_gradient(g, metric), metric, 64).holds
    True
    >>> certify(lambda g: g, metric, 64).holds
    False

    Notes
    -----
    Theorem 7. The bound is that of the sweeps with an accumulator of the given type. An algorithm
    that is right and less accurate need not meet it: the certificate is about accuracy, too.
    """
    if not callable(solve):
        msg = f"solve must be callable, got {described(solve)}"
        raise TypeError(msg)
    return examine(
        metric,
        n,
        columns=columns,
        dtype=dtype,
        accumulator=accumulator,
        algorithm=algorithm,
        seed=seed,
    ).judge(solve)


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """Drawn gradients, their exact solutions and error bounds: the same for every solver.

    ===============  ======================================================================
    field            meaning
    ===============  ======================================================================
    ``blank``        the certificate without its findings
    ``kinds``        the kind of each column
    ``gradient``     (n, columns), representable in the storage type
    ``exact``        the exact gradient in the metric, enclosed
    ``bound``        (n, columns) theorem 7's bound on the error
    ===============  ======================================================================

    See Also
    --------
    cdg_theory.certificates.examine : Makes it.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.certificates import examine
    >>> exam = examine(Metric.reweighted_h0(4.0), 10, columns=9)
    >>> exam.gradient.shape
    (10, 9)
    >>> exam.judge(lambda g: g).holds
    False
    """

    blank: Certificate
    kinds: tuple[str, ...]
    gradient: Array
    exact: Enclosure
    bound: Array

    def judge(self, solve: Solver) -> Certificate:
        """Return the certificate of a solver, ``solve``, that takes and returns (n, columns).

        Raises
        ------
        ValueError
            If the solver returns another shape than it was given.
        """
        fmt = float_format(self.blank.dtype)
        got = _call(solve, self.gradient, fmt)
        return replace(self.blank, findings=_findings(got, self.exact, self.bound, self.kinds, fmt))


def examine(
    metric: Metric,
    n: int,
    *,
    columns: int = 16,
    dtype: str = "float64",
    accumulator: str = "float64",
    algorithm: Algorithm = "closing",
    seed: int = 0,
) -> Examination:
    """Return drawn gradients, exact solutions and bounds, to judge several solvers by.

    The arguments are those of :func:`certify`, and so is the verdict on :math:`Mk=g`.

    ===============  ===============  ===================================================
    symbol           argument         meaning
    ===============  ===============  ===================================================
    :math:`M`        ``metric``       a :class:`cdg_theory.Metric`
    :math:`n`        ``n``            number of output channels
    (draws)          ``columns``      how many gradients; below 9 not every kind is drawn
    :math:`u_{out}`  ``dtype``        storage type
    :math:`u`        ``accumulator``  type of the solver's arithmetic
    (constants)      ``algorithm``    ``"closing"`` or ``"functionals"``
    (draws)          ``seed``         same seed, same gradients
    ===============  ===============  ===================================================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric or ``n`` not an integer.
    ValueError
        As :func:`certify`.

    See Also
    --------
    cdg_theory.certify : Draws and judges in one call.
    cdg_theory.certificates.Examination : What is returned.

    Examples
    --------
    >>> from cdg_theory import Metric, discrete
    >>> from cdg_theory.certificates import examine
    >>> metric = Metric.reweighted_h0(4.0)
    >>> exam = examine(metric, 10)
    >>> exam.judge(lambda g: discrete.riemannian_gradient(g, metric)).holds
    True
    """
    check_metric(metric)
    n = channel_count(n)
    whole_number("columns", columns, least=1)
    whole_number("seed", seed, least=0)
    one_of("algorithm", algorithm, tuple(BOUNDS))
    float_format(accumulator, argument="accumulator")
    fmt = float_format(dtype)
    kinds = tuple(islice(cycle(KINDS), columns))
    g = _draw(kinds, metric, n, fmt, seed)
    limit = BOUNDS[algorithm](g, metric, dtype=dtype, accumulator=accumulator)
    exact = enclose_gradient(g, metric, limit.bound.min(axis=0) * NARROWER)
    blank = Certificate(metric, n, dtype, accumulator, algorithm, columns, seed, ())
    return Examination(blank, kinds, g, exact, limit.bound)


def _draw(kinds: tuple[str, ...], metric: Metric, n: int, fmt: FloatFormat, seed: int) -> Array:
    """Return columns of the given kinds, scaled so that gradient and result fit the format."""
    rng = np.random.default_rng(seed)
    g = np.stack([draw_column(kind, n, fmt, rng) for kind in kinds], axis=1)
    k = np.abs(riemannian_gradient(g, metric)).max(axis=0)
    # frexp: the largest entry lies below 2**exponent. Two bits are left for the solver's errors.
    room = fmt.max_exp - 2 - np.maximum(np.frexp(np.abs(g).max(axis=0))[1], np.frexp(k)[1])
    # A result below the normal numbers would be judged by its last bits alone: lift it.
    lift = np.where(k > 0, fmt.min_exp + fmt.precision - np.frexp(k)[1], 0)
    # Scaling by a power of two changes no digit, unless the smallest entry leaves the range.
    scaled: Array = fmt.round(np.ldexp(g, np.minimum(np.maximum(lift, 0), room)))
    if (scaled.any(axis=0) != g.any(axis=0)).any():
        msg = (
            f"{metric} amplifies so much at n = {n} that no gradient of {fmt.name} has a "
            f"gradient in the metric that {fmt.name} can hold; use a wider dtype"
        )
        raise ValueError(msg)
    return scaled


def _call(solve: Solver, g: Array, fmt: FloatFormat) -> Array:
    """Return what the solver makes of a copy of ``g``."""
    carrier = np.float64 if fmt.name == "float64" else np.float32
    result = np.asarray(solve(g.astype(carrier)), dtype=np.float64)
    if result.shape != g.shape:
        msg = f"solve must return the shape it is given, {g.shape}, got {result.shape}"
        raise ValueError(msg)
    return result


def _findings(
    got: Array, exact: Enclosure, bound: Array, kinds: tuple[str, ...], fmt: FloatFormat
) -> tuple[Finding, ...]:
    """Return the worst entry of each kind, by the quotient of error and bound."""
    errors = largest_errors(got, exact)
    scale = exact.scale
    worst: dict[str, Finding] = {}
    for column, kind in enumerate(kinds):
        size = int(abs(exact.center[:, column]).max())
        unit = fmt.ulp_exponent(size.bit_length() - 1 - scale) if size else fmt.ulp_exponent(-9999)
        ulps = np.array([_ldexp(error, -scale - unit) for error in errors[:, column]])
        bounds = np.ldexp(bound[:, column], -unit)
        row = int(np.argmax(ulps / bounds))
        found = Finding(
            kind,
            float(ulps[row]),
            float(bounds[row]),
            row,
            column,
            _ldexp(exact.center[row, column], -scale),
            float(got[row, column]),
            float(ulps.max()),
        )
        known = worst.get(kind, found)
        largest = max(known.max_ulp, found.max_ulp)
        worst[kind] = replace(max(known, found, key=lambda f: f.share), max_ulp=largest)
    return tuple(worst.values())


def largest_errors(got: Array, exact: Enclosure) -> NDArray[Any]:
    """Return how far each entry can be from the exact one, in units of 2**-scale.

    Integers, and infinity where ``got`` is not finite.
    """
    finite = np.isfinite(got)
    # Flooring the result to the common scale moves it by less than one unit, and 0 not at all.
    distance = abs(scaled_integers(np.where(finite, got, 0.0), exact.scale) - exact.center)
    return np.where(finite, distance + exact.radius + (got != 0), math.inf)


def _ldexp(integer: Any, exponent: int) -> float:
    """Return integer·2**exponent as a float, infinite where it overflows or was infinite."""
    if integer == math.inf:
        return math.inf
    # Keep 64 bits: a Python integer can exceed the range of float where the product does not.
    excess = max(0, abs(integer).bit_length() - 64)
    try:
        return math.ldexp(float(integer >> excess), exponent + excess)
    except OverflowError:
        return math.copysign(math.inf, integer)
