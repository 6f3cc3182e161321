r"""Theorem 18 in the continuum: the term δ∫h″k″, for which weights, which equation, which limits.

The functions have the slopes of the Laplacian's domain: h′ = 0 at natural ends, h′ the same at both
ends of the circle. So the term is that of :math:`(-\Delta)^2`, its modes are those of the other
terms, and its gradient is made of two of first order.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import (
    InnerProduct,
    generic,
    integral,
    mean,
    o,
    polynomial,
    riemannian_gradient,
    strong_form,
    weak_residual,
)
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.spectrum import eigenvalue, first_frequency, mode_number, modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric
from cdg_theory.proofs.tools.kernels import curved_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FAMILY = "theory/metric-family.md"
EQUATION = "theory/weak-form.md"
SPECTRUM = "theory/spectra-and-limits.md"
BOUNDARIES = get_args(Boundary)
# Long expressions, and nothing new beside the same roots with the other boundary.
SLOW = {("natural", "double"), ("natural", "β = 0"), ("periodic", "different")}
alpha, beta, gamma, delta = sp.symbols("alpha beta gamma delta", positive=True)
mu, lam, ell = sp.symbols("mu lambda ell", positive=True)


def _member(boundary: Boundary) -> InnerProduct:
    return InnerProduct(alpha, beta, gamma, boundary, curvature=delta)


def _form(power_of_length: int = 3) -> bool:
    r"""Write the form out on arbitrary functions; compare members, metrics and other intervals."""
    h, k = generic("h"), generic("k")
    bend = integral(h.diff(o, 2) * k.diff(o, 2))
    right = True
    for boundary in BOUNDARIES:
        without = InnerProduct(alpha, beta, gamma, boundary)
        right &= sp.expand(_member(boundary)(h, k) - without(h, k) - delta * bend) == 0
        terms = {"square": 1, "mean": 2, "derivative": 3, "curvature": lam}
        member = InnerProduct.from_terms(**terms, length=ell, boundary=boundary)
        claimed = InnerProduct(
            ell + 2, ell, 3 / ell, boundary, curvature=lam / ell**power_of_length
        )
        right &= member == claimed
        for name, weights in (("biharmonic", (1, 0, 0)), ("spline", (1, 1, 0))):
            named = getattr(InnerProduct, name)(lam, boundary)
            metric = getattr(Metric, name)(0.375, boundary=boundary)
            numbers = InnerProduct(*weights, boundary, curvature=sp.Rational(3, 8))
            right &= named == InnerProduct(*weights, boundary, curvature=lam)
            right &= InnerProduct.of(metric) == numbers
    return bool(right)


def _definite(asked: Iterable[int] = range(1, 9)) -> bool:
    r"""Check that the form is diagonal in the modes; compare the code's verdict with their signs.

    A mode e with :math:`\langle e,h\rangle=\Lambda\int eh` for every h is orthogonal to the others
    in the form as it is in L², so squares add up. Next to
    :math:`(\omega^2-\omega_j^2)^2\pm\epsilon` the eigenvalue of mode j alone decides.
    """
    a, b, c, d = sp.symbols("a b c d", real=True)
    for boundary in BOUNDARIES:
        inner = InnerProduct(a, b, c, boundary, curvature=d)
        first = first_frequency(boundary) ** 2
        form, own = strong_form(inner), _polynomial(inner, first * mode_number**2)
        if not all(form.is_solved_by(wave, own * wave) for wave in modes(boundary)):
            return False
        for j in (1, 2, 5):
            x = first * j**2
            for little in (sp.Rational(1, 10), 0, -sp.Rational(1, 10)):
                member = InnerProduct(1, x**2 + little, -2 * x, boundary, curvature=1)
                lowest = [sp.expand(_polynomial(member, first * m**2)) for m in asked]
                if _is_admitted(member) is not all(bool(value > 0) for value in lowest):
                    return False
        outside = InnerProduct(1, 1, 1, boundary, curvature=-sp.Rational(1, 10**6))
        if _is_admitted(outside) or not _is_admitted(InnerProduct.spline(1, boundary)):
            return False
    return True


def _polynomial(inner: InnerProduct, square: Any) -> Any:
    """Return β + γω² + δω⁴ at ω² = square."""
    return inner.fluctuation + inner.derivative * square + inner.curvature * square**2


def _is_admitted(inner: InnerProduct) -> bool:
    try:
        inner.check_definite()
    except ValueError:
        return False
    return True


def _strong_form(asked: Callable[[Any], Any] = lambda k: k.diff(o)) -> bool:
    """Compare what two integrations by parts leave with the claimed equation and end conditions."""
    for boundary in BOUNDARIES:
        form = strong_form(_member(boundary))
        k = form.unknown
        claimed = delta * k.diff(o, 4) - gamma * k.diff(o, 2) + beta * (k - mean(k))
        flux, moment = gamma * k.diff(o) - delta * k.diff(o, 3), -delta * k.diff(o, 2)
        if boundary == "natural":
            ends = [u.subs(o, x) for u in (asked(k), flux) for x in (0, 1)]
        else:
            ends = [u.subs(o, 1) - u.subs(o, 0) for u in (k, k.diff(o), moment, flux)]
        found = form.end_conditions(k)
        if sp.expand(form.operator - claimed - alpha * mean(k)) != 0 or any(
            sp.expand(one - other) != 0 for one, other in zip(found, ends, strict=True)
        ):
            return False
    # Every mode has a moment at natural ends: with moment 0 asked there, none would be a mode.
    (wave,) = modes("natural")
    bent = (-delta * wave.diff(o, 2)).subs(o, 0)
    return bool(bent.is_positive)


def _two_of_first_order(c: Callable[[Any, Any], Any] = lambda p, q: 1 / (q - p)) -> bool:
    r"""Insert the difference of two solutions of first order, and one after the other.

    u, v and w are arbitrary but for their equations, :math:`u''=pu-r`, :math:`v''=qv-r`,
    :math:`w''=qw-u/\delta`; p and q may be any numbers. What must vanish or agree at the ends is
    made of u, u′, v, v′ (u, u′, w, w′), which do.
    """
    p, q = sp.symbols("p q")
    u, v, w, r = map(generic, "uvwr")
    equations = {u: p * u - r, v: q * v - r, w: q * w - u / delta}

    def reduced(expression: Any) -> Any:
        for _ in range(2):
            for f, second in equations.items():
                expression = expression.subs(f.diff(o, 2), second).doit()
        return sp.expand(expression)

    inner = InnerProduct(alpha, delta * p * q, delta * (p + q), curvature=delta)
    form = strong_form(inner)
    local = form.operator.subs(integral(form.unknown), 0)
    for k in (c(p, q) * (u - v) / delta, w):
        equation = local.subs(form.unknown, k).doit() - r
        if not vanishes(reduced(equation)):
            return False
        flat = {f.diff(o): 0 for f in equations}
        slope, flux = reduced(k.diff(o)), reduced(form.flux_of(k))
        agree = [*map(reduced, form.continuous(k)), flux]
        if slope.subs(flat) != 0 or flux.subs(flat) != 0 or any(e.has(r) for e in agree):
            return False
    # The code's factors are these.
    factors, values = InnerProduct(1, 4, 5, curvature=1).factors()
    eigenvalues = [eigenvalue(factor).xreplace(values) for factor in factors]
    return vanishes(sp.Mul(*eigenvalues) - eigenvalue(InnerProduct(1, 4, 5, curvature=1)))


def _closed_forms(free: int = 0) -> bool:
    """Check equation and end conditions; what solves the equation for g = 0 is refused."""
    for boundary, name in product(BOUNDARIES, ("biharmonic", "β = 0", "double", "different")):
        if (boundary, name) in SLOW:
            continue
        inner = curved_members(boundary)[name]
        g = polynomial(2) if name == "biharmonic" else o
        form, k = strong_form(inner), riemannian_gradient(g, inner)
        centred = free * (o - sp.Rational(1, 2))  # solves it for g = 0, β = 0, and meets no end
        if not form.is_solved_by(k + centred, g) or form.is_solved_by(2 * mean(k) - k, g):
            return False
    return True


def _spline(weight: Any = lam) -> bool:
    r"""Expand the penalised sum of squares about the gradient of arbitrary g, in every direction h.

    :math:`E(k+h)-E(k)=\int h^2+\lambda\int h''^2+2(\langle k,h\rangle-\int gh)`, and the last is 0.
    """
    g, h, k = generic("g"), generic("h"), generic("k")

    def energy(u: Any) -> Any:
        return integral((u - g) ** 2) + weight * integral(u.diff(o, 2) ** 2)

    for boundary in BOUNDARIES:
        inner = InnerProduct.spline(lam, boundary)
        excess = integral(h**2) + lam * integral(h.diff(o, 2) ** 2)
        rest = energy(k + h) - energy(k) - excess - 2 * weak_residual(inner, k, g, h)
        if sp.expand(rest) != 0:
            return False
    return True


def _limits(rate: Any = delta / gamma**2) -> bool:
    r"""Bound the differences of smoothing factors, at every frequency.

    δ → 0 with γ > 0: at most ``rate``. δ → 0 with γ = 0: to H⁰ at each frequency, and by 1/β at
    the highest. β, γ → 0: the largest difference from the biharmonic is at the first mode.
    """
    omega = sp.Symbol("omega", positive=True)
    factor = 1 / (beta + gamma * omega**2 + delta * omega**4)
    first_order = 1 / (beta + gamma * omega**2)
    slack = sp.factor(sp.together(rate - (first_order - factor)))
    spline, biharmonic = 1 / (beta + delta * omega**4), 1 / (delta * omega**4)
    gap = sp.factor(biharmonic - factor)
    falls = sp.factor(sp.diff(gap, omega))
    claims = [
        sp.limit(rate, delta, 0),
        sp.limit(1 / beta - spline, delta, 0),
        sp.limit(1 / beta - spline, omega, sp.oo) - 1 / beta,
        gap.subs({beta: 0, gamma: 0}),
        sp.limit(factor, delta, sp.oo),
    ]
    positive = [sp.numer(slack), -sp.numer(falls) * sp.denom(falls)]
    # δω⁴/Λ ≤ 1: the biharmonic amplifies the first mode below λ = 1/ω₁⁴, the spline no mode.
    amplified = [
        sp.solve(1 / eigenvalue(InnerProduct.biharmonic(lam, b), 1) - 1, lam) for b in BOUNDARIES
    ]
    return (
        all(map(vanishes, claims))
        and all(sp.expand(e).is_positive for e in positive)
        and amplified == [[1 / first_frequency(b) ** 4] for b in BOUNDARIES]
        and all(
            eigenvalue(_member(b))
            == sp.expand(_polynomial(_member(b), (first_frequency(b) * mode_number) ** 2))
            for b in BOUNDARIES
        )
    )


THEOREMS = (
    Theorem(
        id="T18.form",
        title="the form with a curvature",
        statement="The fourth term is δ∫h″k″; over an interval of length ℓ a weight e of second "
        "derivatives is δ = e/ℓ³; biharmonic is (1, 0, 0, λ) and spline (1, 1, 0, λ), for metrics "
        "and inner products.",
        tex=r"\langle h,k\rangle=\dots+\delta\int_0^1h''k'',\qquad "
        r"e\int_0^\ell\ddot h\ddot k\,dt=\frac e{\ell^3}\int_0^1h''k''\,do",
        scope="all functions, all weights, both boundaries",
        kind="symbolic",
        check=_form,
        variant=partial(_form, power_of_length=2),
        perturbed="The same with δ = e/ℓ².",
        page=FAMILY,
    ),
    Theorem(
        id="T18.definite",
        title="when the form with a curvature is positive definite",
        statement="Over the modes the form is a sum of squares with the weights α and "
        "½(β + γω² + δω⁴). So it is definite if and only if α > 0, δ > 0 and every mode's weight "
        "is positive; the first mode's alone is not enough where γ < 0.",
        tex=r"\langle h,h\rangle=\alpha\bar h^2+\tfrac12\sum_m"
        r"(\beta+\gamma\omega_m^2+\delta\omega_m^4)\,c_m^2",
        scope="all modes, all real weights, both boundaries; the code's verdict on the edges at "
        "modes 1, 2 and 5",
        kind="symbolic",
        check=_definite,
        variant=partial(_definite, asked=(1,)),
        perturbed="The first mode alone decides.",
        page=FAMILY,
    ),
    Theorem(
        id="T18.strong-form",
        title="the equation and the end conditions, with a curvature",
        statement="The weak form holds for every h with h′ = 0 at natural ends if and only if "
        "δk⁗ − γk″ + β(k − k̄) + αk̄ = g and the flux γk′ − δk‴ vanishes there; k′ = 0 is asked. "
        "Periodic: k, k′, moment −δk″ and flux agree at the ends.",
        tex=r"\delta k^{(4)}-\gamma k''+\beta(k-\bar k)+\alpha\bar k=g,\qquad k'=k'''=0",
        scope="all smooth k, all h; all weights; both boundaries",
        kind="symbolic",
        check=_strong_form,
        variant=partial(_strong_form, asked=lambda k: -delta * k.diff(o, 2)),
        perturbed="Natural ends have moment 0, the conditions of the form on all functions.",
        page=EQUATION,
    ),
    Theorem(
        id="T18.two-of-first-order",
        title="a gradient of second order is made of two of first order",
        statement=(
            "Write β + γω² + δω⁴ = δ(ω² + p)(ω² + q). The fluctuation of the gradient is the "
            "difference of those in the metrics (1, p, 1) and (1, q, 1), divided by δ(q − p). "
            "It is also the result of the two applied one after the other, for p = q too. "
            "Equation and end conditions hold."
        ),
        tex=r"\tilde k=\frac{k_p-k_q}{\delta\,(q-p)}",
        scope="all g, all real or complex p ≠ q, all p = q for one after the other; both "
        "boundaries",
        kind="symbolic",
        check=_two_of_first_order,
        variant=partial(_two_of_first_order, c=lambda p, q: 1 / (q + p)),
        perturbed="The same divided by δ(q + p).",
        page=EQUATION,
    ),
    Theorem(
        id="T18.closed-forms",
        title="the gradients of second order in closed form",
        statement="The closed forms for different, double, twice vanishing and four times "
        "vanishing roots satisfy equation and end conditions.",
        tex=r"\langle k,h\rangle=\int_0^1g\,h\,do\quad\text{for all }h",
        scope="g = o, for the biharmonic member quadratics with symbolic coefficients; "
        "symbolic δ and μ; natural: (0, 0), (2μ, μ), periodic: (0, 0), (μ, 0), (μ, μ)",
        kind="symbolic",
        check=_closed_forms,
        variant=partial(_closed_forms, free=1),
        perturbed="The same with o − ½ added where β = 0.",
        page=EQUATION,
    ),
    Theorem(
        id="T18.spline",
        title="the spline metric's gradient is a smoothing spline",
        statement="For the metric (1, 1, 0, λ) the gradient is the only minimiser of "
        "∫(k − g)² + λ∫k″² among functions of slope 0 at natural ends (or periodic): any other "
        "k + h costs ∫h² + λ∫h″² more.",
        tex=r"E(k+h)=E(k)+\int h^2+\lambda\int h''^2,\qquad "
        r"E(u)=\int(u-g)^2+\lambda\int u''^2",
        scope="all g, all h, all λ > 0, both boundaries",
        kind="symbolic",
        check=_spline,
        variant=partial(_spline, weight=2 * lam),
        perturbed="It minimises ∫(k − g)² + 2λ∫k″².",
        page=SPECTRUM,
    ),
    Theorem(
        id="T18.limits",
        title="limits of the second-order members",
        statement="In norm: δ → 0 gives the first-order member at the rate δ/γ² if γ > 0, β, γ → 0 "
        "the biharmonic member, δ → ∞ only the mean. For each g, but not in norm: δ → 0 gives H⁰ "
        "if γ = 0 < β. The biharmonic member amplifies the first mode below λ = 1/ω₁⁴.",
        tex=r"0\le\frac1{\beta+\gamma\omega^2}-\frac1{\beta+\gamma\omega^2+\delta\omega^4}"
        r"\le\frac\delta{\gamma^2}",
        scope="all weights, all frequencies, both boundaries",
        kind="symbolic",
        check=_limits,
        variant=partial(_limits, rate=delta**2 / gamma**2),
        perturbed="The same at the rate δ²/γ².",
        page=SPECTRUM,
    ),
)
