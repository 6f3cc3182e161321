r"""Theorem 8 in the continuum: white noise through a metric, and the strength that errs least."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct, o, polynomial, riemannian_gradient
from cdg_theory.continuum.functions import expanded, integral, vanishes
from cdg_theory.continuum.noise import (
    best_h0,
    best_lambda,
    chain_power,
    end_bias,
    fluctuation_power,
    fluctuation_trace,
    noise_bound,
    worst_bias,
)
from cdg_theory.continuum.spectrum import first_frequency, modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.kernels import at_weights

PAGE = "theory/noise.md"
BOUNDARIES = get_args(Boundary)
lam, beta, gamma, F, V, q = sp.symbols("lambda beta gamma F V q", positive=True)


def _sobolev(natural: Any, periodic: Any) -> bool:
    """Integrate the squared kernel; compare with the limit of the closed forms on n channels."""
    from cdg_theory.discrete.noise import cycle_sobolev_trace, path_sobolev_trace

    n = sp.Symbol("n", positive=True)
    claims = {
        "natural": (natural, path_sobolev_trace(n)),
        "periodic": (periodic, cycle_sobolev_trace(n)),
    }
    for boundary in BOUNDARIES:
        kept, on_channels = claims[boundary]
        power = fluctuation_power(InnerProduct.sobolev(lam, boundary))
        # With s = n² the trace of the squared inverse is that of (L⁺)² over λ²n⁴.
        if not vanishes(power - kept / lam**2) or sp.limit(on_channels / n**4, n, sp.oo) != kept:
            return False
    return True


def _general(sign: int = -1) -> bool:
    r"""Check :math:`\iint(G-1/\alpha)^2=\pm\frac{d}{d\beta}\int(G(o,o)-1/\alpha)`, β = γμ²."""
    mu = sp.Symbol("mu", positive=True)
    for boundary in BOUNDARIES:
        inner = InnerProduct.general(boundary)
        slope = sp.diff(fluctuation_trace(inner), mu) / (2 * gamma * mu)
        if not vanishes(fluctuation_power(inner) - sign * slope):
            return False
    return True


def _general_sums(exponent: int = -2) -> bool:
    r"""Find the integral of the squared kernel in an enclosure of the sum over the modes.

    The terms fall with m: what a sum up to N leaves out lies below
    :math:`\int_N^\infty\frac{dx}{(\gamma\omega_1^2x^2)^2}=\frac1{3\gamma^2\omega_1^4N^3}`, and
    above 0.
    """
    terms = 3000
    for boundary in BOUNDARIES:
        symbolic = fluctuation_power(InnerProduct.general(boundary))
        omega, per_mode = float(first_frequency(boundary)), len(modes(boundary))
        for c, mu in ((0.3, 1.0), (1e-3, 20.0), (2.0, 0.1)):
            # 30 digits: for small μ the closed form cancels.
            power = at_weights(symbolic, c, mu, digits=30)
            total = per_mode * math.fsum(
                (c * mu**2 + c * (omega * m) ** 2) ** exponent for m in range(1, terms + 1)
            )
            rest = per_mode / (3 * c**2 * omega**4 * terms**3)
            # Correctly rounded sum, a handful of roundings per term.
            slack = 16 * 2.0**-52 * power
            if not total - slack <= power <= total + rest + slack:
                return False
    return True


def _chain(numerator: Any = beta + 2 * gamma) -> bool:
    r"""Compare the residue's closed form with the mean over the cycle's modes.

    The mean over N equally spaced θ is the cycle's exact value, and differs from the integral by
    terms of order :math:`N r^N`, which is far below rounding here.
    """
    claimed = numerator / (beta * (beta + 4 * gamma)) ** sp.Rational(3, 2)
    if not vanishes(sp.simplify(chain_power(beta, gamma) / claimed) - 1):
        return False
    count = 4000
    for b, c in ((1.0, 1.0), (0.5, 2.0), (0.01, 3.0)):
        mean = math.fsum(
            (b + 4 * c * math.sin(math.pi * m / count) ** 2) ** -2 for m in range(count)
        )
        expected = float(claimed.subs({beta: b, gamma: c}))
        if abs(mean / count - expected) > 32 * 2.0**-52 * expected:
            return False
    return True


def _best_h0(best: Any = 1 + V / F) -> bool:
    r"""Complete the square: error minus least error is :math:`(F+V)(1/\lambda-1/\lambda^*)^2`."""

    def error(strength: sp.Expr) -> sp.Expr:
        return (1 - 1 / strength) ** 2 * F + V / strength**2

    excess = (F + V) * (1 / lam - 1 / best) ** 2
    return vanishes(error(lam) - error(best) - excess) and vanishes(best_h0(F, V) - best)


def _worst_bias(worst: Any = (q / 2) ** q * (1 - q / 2) ** (2 - q)) -> bool:
    r"""Check where :math:`(x/(1+x))^2x^{-q}` is greatest, by its slope's sign, and how great."""
    x = sp.Symbol("x", positive=True)
    lost = (x / (1 + x)) ** 2 / x**q
    # The logarithmic slope has the sign of its numerator, (2 − q) − qx: it falls through 0 once.
    numerator = sp.numer(sp.together(sp.simplify(sp.diff(sp.log(lost), x))))
    rising, turning = sp.Poly(sp.expand(numerator), x).coeffs()[::-1]

    def same(one: Any, other: Any) -> bool:
        # Products of powers of q and 2 − q: their logarithms are compared.
        ratio = sp.expand_log(sp.log(one) - sp.log(other), force=True)
        ratio = sp.expand(ratio.subs(sp.log(1 - q / 2), sp.log(2 - q) - sp.log(2)))
        return bool(sp.simplify(ratio) == 0)

    return (
        sp.expand(rising - (2 - q)) == 0
        and sp.expand(turning + q) == 0
        and same(sp.simplify(lost.subs(x, (2 - q) / q)), worst)
        and same(worst_bias(q), worst)
        and worst_bias(2) == sp.limit(worst, q, 2)
    )


def _end_slopes(share: Any) -> bool:
    r"""Compute the bias of cubics: rational in :math:`\mu=1/\sqrt\lambda` and :math:`e^\mu`.

    As :math:`\mu\to\infty` exponentials outgrow all powers, so the leading coefficients in
    :math:`e^\mu` are taken first.
    """
    mu, growth = sp.symbols("mu E", positive=True)
    # Over λ, the weights (1, 1, λ) are (μ², μ², 1).
    heavy = InnerProduct(mu**2, mu**2, 1)
    for g in (polynomial(3), o - sp.Rational(1, 2)):
        bias = integral(expanded((mu**2 * riemannian_gradient(g, heavy) - g) ** 2))
        rational = sp.expand(bias.rewrite(sp.exp), power_exp=True).replace(
            lambda e: isinstance(e, sp.exp), lambda e: growth ** (e.args[0] / mu)
        )
        above, below = (sp.Poly(part, growth) for part in sp.fraction(sp.together(rational)))
        if above.degree() != below.degree():
            return False
        leading = sp.limit(sp.cancel(above.LC() / below.LC()) * mu**3, mu, sp.oo)
        slope = sp.diff(g, o)
        claimed = share * (slope.subs(o, 0) ** 2 + slope.subs(o, 1) ** 2)
        if not (vanishes(leading - claimed) and vanishes(2 * share * end_bias(g) - claimed)):
            return False
    return True


def _noise_bound(bound: Any) -> bool:
    r"""Enclose the noise kept by H¹: the integral bounds the sum, to within its first term.

    :math:`\sum_{m\ge1}f(m)\le\int_0^\infty f\le f(0)+\sum_{m\ge1}f(m)` for falling f; the
    circle has two modes for each m, at twice the frequency.
    """
    for boundary in BOUNDARIES:
        inner = InnerProduct.ordinary_sobolev(lam, boundary)
        kept = fluctuation_power(inner)
        per_mode = len(modes(boundary))
        for value in (sp.Rational(1, 10**6), sp.Rational(1, 100), sp.Integer(1), sp.Integer(50)):
            exact, above = (sp.N(side.subs(lam, value), 30) for side in (kept, bound))
            if not exact < above < exact + per_mode:
                return False
    return vanishes(noise_bound(lam) - bound)


def _best_lambda(divisor: int = 8) -> bool:
    r"""Check that the sum of the two bounds is least at :math:`\lambda^*`.

    In :math:`t=\log\lambda` it is a sum of two exponentials, convex: one stationary point, the
    minimum.
    """
    t, c = sp.symbols("t C", positive=True)
    for smoothness in (sp.Rational(1, 2), sp.Integer(1), sp.Rational(3, 2), sp.Integer(2)):
        phi = worst_bias(smoothness)
        formula = (V / (divisor * smoothness * phi * c**2)) ** (2 / (2 * smoothness + 1))
        error = phi * c**2 * sp.exp(smoothness * t) + V * noise_bound(lam).subs(lam, sp.exp(t))
        slope, curvature = sp.diff(error, t), sp.diff(error, t, 2)
        # At λ* the rising and the falling part of the slope are equal and opposite.
        rising, falling = (
            term.subs(t, sp.log(formula)) for term in sp.Add.make_args(sp.expand(slope))
        )
        terms = sp.Add.make_args(sp.expand(curvature))
        if not all(term.subs(t, sp.Symbol("y", real=True)).is_positive for term in terms):
            return False
        if sp.simplify(rising / falling) != -1:
            return False
        if sp.simplify(best_lambda(smoothness, c, V) / formula) != 1:
            return False
    return True


THEOREMS = (
    Theorem(
        id="T8.sobolev",
        title="noise kept by the channel-directed Sobolev metric",
        statement=(
            "Of white noise this metric keeps 1/(90γ²) (natural) or 1/(720γ²) (periodic) in "
            "the fluctuation: the integral of the squared kernel, and the limit of the closed "
            "forms on n channels."
        ),
        tex=r"\iint(G-\tfrac1\alpha)^2=\frac1{90\gamma^2},\quad\frac1{720\gamma^2}",
        scope="all γ > 0, both boundaries",
        kind="symbolic",
        check=partial(_sobolev, sp.Rational(1, 90), sp.Rational(1, 720)),
        variant=partial(_sobolev, sp.Rational(1, 90), sp.Rational(1, 360)),
        perturbed="1/(360γ²) with periodic ends.",
        page=PAGE,
    ),
    Theorem(
        id="T8.general",
        title="noise kept by the general member",
        statement=(
            "The integral of the squared kernel is minus the derivative by β of the kernel's "
            "trace, and both have closed forms."
        ),
        tex=r"\iint(G-\tfrac1\alpha)^2=-\frac{d}{d\beta}\int(G(o,o)-\tfrac1\alpha)\,do",
        scope="all β, γ > 0, both boundaries",
        kind="symbolic",
        check=_general,
        variant=partial(_general, sign=1),
        perturbed="The same with plus for minus.",
        page=PAGE,
    ),
    Theorem(
        id="T8.general-sums",
        title="noise kept by the general member, by adding up modes",
        statement="The closed form lies in an enclosure of the sum of 1/Λ_m² over all modes.",
        tex=r"\sum_{m\ge1}\Lambda_m^{-2}=\iint(G-\tfrac1\alpha)^2",
        scope="three pairs of weights, both boundaries; tail bounded by an integral",
        kind="numeric",
        check=_general_sums,
        variant=partial(_general_sums, exponent=-1),
        perturbed="It is the sum of 1/Λ_m.",
        page=PAGE,
    ),
    Theorem(
        id="T8.chain",
        title="noise kept per channel on a long chain",
        statement=(
            "With unit spacing and many channels, each channel keeps (β + 2γ)/(β(β + "
            "4γ))^{3/2} of the variance of white noise."
        ),
        tex=r"\frac1{2\pi}\int\frac{d\theta}{(\beta+4\gamma\sin^2\frac\theta2)^2}"
        r"=\frac{\beta+2\gamma}{(\beta(\beta+4\gamma))^{3/2}}",
        scope="β, γ > 0, unit spacing, n → ∞; residue symbolic, then compared at three pairs",
        kind="numeric",
        check=_chain,
        variant=partial(_chain, numerator=beta + gamma),
        perturbed="The same with β + γ in the numerator.",
        page=PAGE,
    ),
    Theorem(
        id="T8.best-h0",
        title="the best λ of the re-weighted H⁰ metric",
        statement="With F the fluctuation of the signal and V that of the noise, the mean squared "
        "error exceeds its least value by (F + V)(1/λ − 1/λ*)², λ* = 1 + V/F.",
        tex=r"\lambda^*=1+V/F",
        scope="all F, V > 0, all λ > 0",
        kind="symbolic",
        check=_best_h0,
        variant=partial(_best_h0, best=1 + 2 * V / F),
        perturbed="λ* = 1 + 2V/F.",
        page=PAGE,
    ),
    Theorem(
        id="T8.worst-bias",
        title="the worst bias of the ordinary H¹ metric",
        statement="Among signals of smoothness q the squared bias is at most φ(q)C²λ^q, and comes "
        "as near to it as one likes.",
        tex=r"\varphi(q)=\sup_x\Bigl(\frac x{1+x}\Bigr)^2x^{-q}=(q/2)^q(1-q/2)^{2-q}",
        scope="0 < q ≤ 2; the supremum over all frequencies, attained only if one of the modes "
        "lies there",
        kind="symbolic",
        check=_worst_bias,
        variant=partial(_worst_bias, worst=2 * (q / 2) ** q * (1 - q / 2) ** (2 - q)),
        perturbed="Twice that is the least upper bound.",
        page=PAGE,
    ),
    Theorem(
        id="T8.end-slopes",
        title="what slopes at natural ends cost",
        statement="On a smooth signal with slopes at natural ends the ordinary H¹ metric has the "
        "bias λ^{3/2}(g′(0)² + g′(1)²)/2, to leading order as λ → 0: more than the λ² of a signal "
        "without.",
        tex=r"\int(k-g)^2=\tfrac12\lambda^{3/2}\bigl(g'(0)^2+g'(1)^2\bigr)+O(\lambda^2)",
        scope="all cubic g, natural boundary; the limit of the exact bias",
        kind="symbolic",
        check=partial(_end_slopes, sp.Rational(1, 2)),
        variant=partial(_end_slopes, sp.Integer(1)),
        perturbed="The same without the factor ½.",
        page=PAGE,
    ),
    Theorem(
        id="T8.noise-bound",
        title="noise kept by the ordinary H¹ metric",
        statement=(
            "Of white noise this metric keeps less than 1/(4√λ) in the fluctuation, and more "
            "than 1/(4√λ) − 1 (natural) or 1/(4√λ) − 2 (periodic)."
        ),
        tex=r"\frac1{4\sqrt\lambda}-1<\sum_{m\ge1}\frac1{(1+\lambda\omega_m^2)^2}"
        r"<\frac1{4\sqrt\lambda}",
        scope="all λ > 0 by the integral test; four values compared with the closed form",
        kind="numeric",
        check=partial(_noise_bound, 1 / (4 * sp.sqrt(lam))),
        variant=partial(_noise_bound, 1 / (8 * sp.sqrt(lam))),
        perturbed="It keeps less than 1/(8√λ).",
        page=PAGE,
    ),
    Theorem(
        id="T8.best-lambda",
        title="the best λ for a signal of given smoothness",
        statement=(
            "For signals of smoothness q and size C under noise of level ε, the sum of the "
            "worst bias φ(q)C²λ^q and the noise bound ε²/(4√λ) is least at λ* = "
            "(ε²/(8qφC²))^{2/(2q+1)}, and nowhere else."
        ),
        tex=r"\lambda^*=\Bigl(\frac{\epsilon^2}{8q\varphi C^2}\Bigr)^{2/(2q+1)}",
        scope="q = 1/2, 1, 3/2, 2; ordinary H¹; all C, ε",
        kind="symbolic",
        check=_best_lambda,
        variant=partial(_best_lambda, divisor=4),
        perturbed="The same with 4 for 8.",
        page=PAGE,
    ),
)
