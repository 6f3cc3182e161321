r"""Theorem 1: for which weights the form is an inner product, and what breaks it otherwise.

Sufficiency rests on the Poincaré inequality with its best constant,
:math:`\int h'^2\ge\omega_1^2\int(h-\bar h)^2` with :math:`\omega_1=\pi` (natural) or
:math:`2\pi` (periodic), and that on one identity (Picone's), true for every function v:

.. math::

    v'^2-\omega^2v^2
    = (v'-\omega\cot(\omega o)\,v)^2 + \bigl(\omega\cot(\omega o)\,v^2\bigr)' .

If v vanishes wherever the cotangent has a pole, integrating gives
:math:`\int v'^2\ge\omega^2\int v^2`. *Periodic*: :math:`v=h-h(c)` with c such that
:math:`h(c)=h(c+\frac12)` (there is one: the difference changes sign); v vanishes at the two ends of
both half periods, and taking off a constant other than the mean only makes :math:`\int v^2` larger.
*Natural*: :math:`v=\int_0^o(h-\bar h)` vanishes at 0 and 1, and
:math:`\int v'^2=-\int v\,v''\le\|v\|\,\|h'\|\le\frac1\pi\|v'\|\,\|h'\|`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct, generic, integral, integrate_by_parts, mean, o
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.spectrum import first_frequency, mode_number, modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/metric-family.md"
BOUNDARIES = get_args(Boundary)
alpha, beta, gamma = sp.symbols("alpha beta gamma", real=True)


def _metric(u: Any, v: Any) -> Any:
    """Return the form with arbitrary weights."""
    return InnerProduct(alpha, beta, gamma)(u, v)


def _bilinear_symmetric(form: Callable[[Any, Any], Any] = _metric) -> bool:
    """Expand the form on arbitrary functions and arbitrary factors."""
    g, h, k = generic("g"), generic("h"), generic("k")
    a, b = sp.symbols("a b")
    linear = form(a * g + b * h, k) - a * form(g, k) - b * form(h, k)
    return sp.expand(linear) == 0 and sp.expand(form(h, k) - form(k, h)) == 0


def _poincare(times_omega: int = 1) -> bool:
    """Check Picone's identity, where the cotangent has poles, and the function of equality."""
    v = generic("v")
    for boundary in BOUNDARIES:
        omega = times_omega * first_frequency(boundary)
        length = 1 if boundary == "natural" else sp.Rational(1, 2)
        slope = omega * sp.cos(omega * o) / sp.sin(omega * o)
        square = (v.diff(o) - slope * v) ** 2
        identity = v.diff(o) ** 2 - omega**2 * v**2 - square - sp.diff(slope * v**2, o)
        if sp.simplify(sp.expand(identity)) != 0:
            return False
        # v vanishes at 0 and at ``length``: there the pole is of first order, v² of second (in
        # the mean: v(o)² ≤ o∫v'²). No pole may lie between.
        inside = sp.solveset(sp.sin(omega * o), o, sp.Interval.open(0, length))
        orders = [sp.limit(slope * o, o, 0), sp.limit(slope * (length - o), o, length)]
        if inside is not sp.S.EmptySet or not all(order.is_finite for order in orders):
            return False
        best = modes(boundary, 1)[0]
        equality = integral(sp.diff(best, o) ** 2) - omega**2 * integral((best - mean(best)) ** 2)
        if equality != 0:
            return False
    # The natural case's detour: ∫v'·v' = −∫v·v'' when v vanishes at the ends.
    operator, flux = integrate_by_parts(v.diff(o) * sp.Function("f")(o), v)
    return operator == -sp.Function("f")(o).diff(o) and flux.coeff(v) == sp.Function("f")(o)


def _definite(
    threshold: Callable[[Any], Any] = lambda omega: beta + gamma * omega**2,
) -> bool:
    r"""Split off a square: with the Poincaré inequality the form is at least two squares.

    :math:`\langle h,h\rangle = \alpha\bar h^2+(\beta+\gamma\omega_1^2)\int(h-\bar h)^2
    +\gamma(\int h'^2-\omega_1^2\int(h-\bar h)^2)`, and at the first mode the last term is 0.
    """
    h = generic("h")
    for boundary in BOUNDARIES:
        inner = InnerProduct(alpha, beta, gamma, boundary)
        omega = first_frequency(boundary)
        fluctuation = integral((h - mean(h)) ** 2)
        rest = integral(sp.diff(h, o) ** 2) - omega**2 * fluctuation
        split = alpha * mean(h) ** 2 + threshold(omega) * fluctuation + gamma * rest
        mode = modes(boundary, 1)[0]
        least = inner(mode, mode) - threshold(omega) * integral(mode**2)
        if sp.expand(inner(h, h) - split) != 0 or sp.expand(least) != 0:
            return False
    return True


def _is_admitted(inner: InnerProduct) -> bool:
    try:
        inner.check_definite()
    except ValueError:
        return False
    return True


def _breaking_vectors(lowest: int = 1) -> bool:
    """Evaluate the form on the vectors that are claimed to break it, the lowest mode first.

    Just outside of the condition, and on its edge, the code refuses the form; just inside not.
    """
    for boundary in BOUNDARIES:
        edge, little = first_frequency(boundary) ** 2, sp.Rational(1, 1000)
        admitted = [
            _is_admitted(InnerProduct(a, b, c, boundary))
            for a, b, c in (
                (little, little - edge, 1),
                (1, 1, 0),
                (0, 1, 1),
                (1, -edge, 1),
                (1, 2 * edge, -1),
                (1, 0, 0),
            )
        ]
        if admitted != [True, True, False, False, False, False]:
            return False
        inner = InnerProduct(alpha, beta, gamma, boundary)
        omega = first_frequency(boundary)
        first, any_mode = modes(boundary, lowest)[0], modes(boundary)[0]
        claims = [
            (sp.Integer(1), alpha),
            (first, (beta + gamma * omega**2) / 2),
            (any_mode, (beta + gamma * omega**2 * mode_number**2) / 2),
        ]
        if not all(vanishes(inner(h, h) - value) for h, value in claims):
            return False
        # γ < 0: whatever β is, a mode of high enough frequency has a negative square.
        steep = claims[2][1].subs(gamma, -sp.Symbol("c", positive=True))
        if sp.limit(steep, mode_number, sp.oo) is not sp.S.NegativeInfinity:
            return False
    return True


THEOREMS = (
    Theorem(
        id="T1.bilinear-symmetric",
        title="the metric is a symmetric bilinear form",
        statement="The form is linear in each argument and symmetric.",
        tex=r"\langle ag+bh,k\rangle=a\langle g,k\rangle+b\langle h,k\rangle,\quad"
        r"\langle h,k\rangle=\langle k,h\rangle",
        scope="all functions, all real weights, both boundaries",
        kind="symbolic",
        check=_bilinear_symmetric,
        variant=partial(
            _bilinear_symmetric, form=lambda u, v: _metric(u, v) + integral(u * sp.diff(v, o))
        ),
        perturbed="The same with the term ∫hk′ added: a derivative on one argument only.",
        page=PAGE,
    ),
    Theorem(
        id="T1.poincare",
        title="the Poincaré inequality with its best constant",
        statement="The integral of h′² is at least ω₁² times that of (h − h̄)², with ω₁ = π on "
        "the interval and 2π on the circle, and the first mode attains it.",
        tex=r"\int_0^1h'^2\,do\ \ge\ \omega_1^2\int_0^1(h-\bar h)^2\,do",
        scope="all h with a square-integrable derivative; periodic: h(0) = h(1)",
        kind="symbolic",
        check=_poincare,
        variant=partial(_poincare, times_omega=2),
        perturbed="The same with twice the frequency, 2π and 4π.",
        page=PAGE,
    ),
    Theorem(
        id="T1.definite",
        title="when the form is positive definite",
        statement="For γ ≥ 0 the form is at least α h̄² + (β + γω₁²)∫(h − h̄)², with equality at "
        "the first mode: it is definite if α > 0 and β + γω₁² > 0. So slightly negative β can "
        "still be definite; the library admits the convex cone β, γ ≥ 0 inside.",
        tex=r"\langle h,h\rangle\ \ge\ \alpha\bar h^2+(\beta+\gamma\omega_1^2)"
        r"\int_0^1(h-\bar h)^2\,do",
        scope="γ ≥ 0, α and β real, both boundaries, all h with square-integrable derivative",
        kind="symbolic",
        check=_definite,
        variant=partial(_definite, threshold=lambda omega: beta + 2 * gamma * omega**2),
        perturbed="The same with β + 2γω₁².",
        page=PAGE,
    ),
    Theorem(
        id="T1.breaking-vectors",
        title="the vector that breaks the form outside",
        statement=(
            "In the form the constant 1 has the square α, and mode m has (β + γω₁²m²)/2. So "
            "outside the condition of T1.definite one of these vectors has a square ≤ 0; for "
            "γ < 0 modes of high frequency have a negative one, whatever β is."
        ),
        tex=r"\langle 1,1\rangle=\alpha,\qquad \langle e_m,e_m\rangle="
        r"\tfrac12(\beta+\gamma\omega_1^2m^2)",
        scope="all real weights, both boundaries",
        kind="symbolic",
        check=_breaking_vectors,
        variant=partial(_breaking_vectors, lowest=2),
        perturbed="The second mode has the square that is claimed of the first.",
        page=PAGE,
    ),
)
