r"""Theorem 8 in the continuum: white noise through a metric, and the strength that errs least."""

from __future__ import annotations

import math
from functools import partial
from typing import get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.noise import (
    best_h0,
    best_lambda,
    chain_power,
    fluctuation_power,
    fluctuation_trace,
    noise_bound,
    worst_bias,
)
from cdg_theory.continuum.spectrum import first_frequency, modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.continuum.spectrum import at_weights

PAGE = "theory/noise.md"
BOUNDARIES = get_args(Boundary)
lam = sp.Symbol("lambda", positive=True)


def _sobolev(perturbed: bool) -> bool:
    """Integrate the squared kernel; compare with the limit of the closed forms on n channels."""
    from cdg_theory.discrete.noise import cycle_sobolev_trace, path_sobolev_trace

    n = sp.Symbol("n", positive=True)
    claims = {
        "natural": (sp.Rational(1, 90), path_sobolev_trace(n)),
        "periodic": (sp.Rational(1, 360 if perturbed else 720), cycle_sobolev_trace(n)),
    }
    for boundary in BOUNDARIES:
        kept, on_channels = claims[boundary]
        power = fluctuation_power(InnerProduct.sobolev(lam, boundary))
        # With s = n² the trace of the squared inverse is that of (L⁺)² over λ²n⁴.
        if not vanishes(power - kept / lam**2) or sp.limit(on_channels / n**4, n, sp.oo) != kept:
            return False
    return True


def _general(perturbed: bool) -> bool:
    r"""Check :math:`\iint(G-1/\alpha)^2=-\frac{d}{d\beta}\int(G(o,o)-1/\alpha)`, β = γμ²."""
    gamma, mu = sp.symbols("gamma mu", positive=True)
    for boundary in BOUNDARIES:
        inner = InnerProduct.general(boundary)
        slope = sp.diff(fluctuation_trace(inner), mu) / (2 * gamma * mu)
        if not vanishes(fluctuation_power(inner) + (-slope if perturbed else slope)):
            return False
    return True


def _general_sums(perturbed: bool) -> bool:
    r"""Find the integral of the squared kernel in an enclosure of the sum over the modes.

    The terms fall with m: what a sum up to N leaves out lies below
    :math:`\int_N^\infty\frac{dx}{(\gamma\omega_1^2x^2)^2}=\frac1{3\gamma^2\omega_1^4N^3}`, and
    above 0.
    """
    terms = 3000
    for boundary in BOUNDARIES:
        symbolic = fluctuation_power(InnerProduct.general(boundary))
        omega, per_mode = float(first_frequency(boundary)), len(modes(boundary))
        for gamma, mu in ((0.3, 1.0), (1e-3, 20.0), (2.0, 0.1)):
            # 30 digits: for small μ the closed form cancels.
            power = at_weights(symbolic, gamma, mu, digits=30)
            beta = gamma * mu**2
            exponent = 1 if perturbed else 2
            partial = per_mode * math.fsum(
                (beta + gamma * (omega * m) ** 2) ** -exponent for m in range(1, terms + 1)
            )
            rest = per_mode / (3 * gamma**2 * omega**4 * terms**3)
            # Correctly rounded sum, a handful of roundings per term.
            slack = 16 * 2.0**-52 * power
            if not partial - slack <= power <= partial + rest + slack:
                return False
    return True


def _chain(perturbed: bool) -> bool:
    r"""Compare the residue's closed form with the mean over the cycle's modes.

    The mean over N equally spaced θ is the cycle's exact value, and differs from the integral by
    terms of order :math:`N r^N`, which is far below rounding here.
    """
    b, c = sp.symbols("beta gamma", positive=True)
    claimed = (b + (1 if perturbed else 2) * c) / (b * (b + 4 * c)) ** sp.Rational(3, 2)
    if not vanishes(sp.simplify(chain_power(b, c) / claimed) - 1):
        return False
    count = 4000
    for beta, gamma in ((1.0, 1.0), (0.5, 2.0), (0.01, 3.0)):
        mean = math.fsum(
            (beta + 4 * gamma * math.sin(math.pi * m / count) ** 2) ** -2 for m in range(count)
        )
        expected = float(claimed.subs({b: beta, c: gamma}))
        if abs(mean / count - expected) > 32 * 2.0**-52 * expected:
            return False
    return True


def _best_h0(perturbed: bool) -> bool:
    r"""Complete the square: error minus least error is :math:`(F+V)(1/\lambda-1/\lambda^*)^2`."""
    f, v = sp.symbols("F V", positive=True)

    def error(strength: sp.Expr) -> sp.Expr:
        return (1 - 1 / strength) ** 2 * f + v / strength**2

    best = best_h0(f, v) + (v / f if perturbed else 0)
    return vanishes(error(lam) - error(best) - (f + v) * (1 / lam - 1 / best) ** 2)


def _worst_bias(perturbed: bool) -> bool:
    r"""Check where :math:`(x/(1+x))^2x^{-q}` is greatest, by the sign of its slope, q a symbol."""
    q, x = sp.symbols("q x", positive=True)
    lost = (x / (1 + x)) ** 2 / x**q
    # The logarithmic slope has the sign of its numerator, (2 − q) − qx: it falls through 0 once.
    numerator = sp.numer(sp.together(sp.simplify(sp.diff(sp.log(lost), x))))
    rising, turning = sp.Poly(sp.expand(numerator), x).coeffs()[::-1]
    claimed = (q / 2) ** q * (1 - q / 2) ** (2 - q) * (2 if perturbed else 1)
    # Both are products of powers of q and 2 − q, so their logarithms are compared.
    ratio = sp.expand_log(sp.log(worst_bias(q)) - sp.log(claimed), force=True)
    return (
        sp.expand(rising - (2 - q)) == 0
        and sp.expand(turning + q) == 0
        and sp.simplify(sp.expand(ratio.subs(sp.log(1 - q / 2), sp.log(2 - q) - sp.log(2)))) == 0
        and worst_bias(2) == (2 if perturbed else 1)
    )


def _noise_bound(perturbed: bool) -> bool:
    r"""Enclose the noise kept by H¹: the integral bounds the sum, to within its first term.

    :math:`\sum_{m\ge1}f(m)\le\int_0^\infty f\le f(0)+\sum_{m\ge1}f(m)` for falling f; the
    circle has two modes for each m, at twice the frequency.
    """
    for boundary in BOUNDARIES:
        inner = InnerProduct.ordinary_sobolev(lam, boundary)
        kept, bound = fluctuation_power(inner), noise_bound(lam)
        per_mode = len(modes(boundary))
        for value in (sp.Rational(1, 10**6), sp.Rational(1, 100), sp.Integer(1), sp.Integer(50)):
            exact, above = (sp.N(side.subs(lam, value), 30) for side in (kept, bound))
            if perturbed:
                above /= 2
            if not exact < above < exact + per_mode:
                return False
    return True


def _best_lambda(perturbed: bool) -> bool:
    r"""Check that the sum of the two bounds is least at λ*.

    In :math:`t=\log\lambda` it is a sum of two exponentials, convex: one stationary point, the
    minimum.
    """
    t, c, v = sp.symbols("t C V", positive=True)
    for q in (sp.Rational(1, 2), sp.Integer(1), sp.Rational(3, 2), sp.Integer(2)):
        phi = worst_bias(q)
        formula = (v / ((4 if perturbed else 8) * q * phi * c**2)) ** (2 / (2 * q + 1))
        error = phi * c**2 * sp.exp(q * t) + v * noise_bound(lam).subs(lam, sp.exp(t))
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
        if sp.simplify(best_lambda(q, c, v) / formula) != 1:
            return False
    return True


THEOREMS = (
    Theorem(
        id="T8.sobolev",
        title="noise kept by the channel-directed Sobolev metric",
        statement="Of white noise it keeps 1/90γ² (natural) or 1/720γ² (periodic) in the "
        "fluctuation: the integral of the squared kernel, and the limit of the closed forms on n "
        "channels.",
        tex=r"\iint(G-\tfrac1\alpha)^2=\frac1{90\gamma^2},\quad\frac1{720\gamma^2}",
        scope="all γ > 0, both boundaries",
        kind="symbolic",
        check=partial(_sobolev, False),
        variant=partial(_sobolev, True),
        perturbed="1/360γ² for periodic.",
        page=PAGE,
    ),
    Theorem(
        id="T8.general",
        title="noise kept by the general member",
        statement="The integral of the squared kernel is minus the derivative by β of the kernel's "
        "trace, and both are had in closed form.",
        tex=r"\iint(G-\tfrac1\alpha)^2=-\frac{d}{d\beta}\int(G(o,o)-\tfrac1\alpha)\,do",
        scope="all β, γ > 0, both boundaries",
        kind="symbolic",
        check=partial(_general, False),
        variant=partial(_general, True),
        perturbed="Plus the derivative.",
        page=PAGE,
    ),
    Theorem(
        id="T8.general-sums",
        title="the same, by adding up modes",
        statement="The closed form lies in an enclosure of the sum of 1/Λ_m² over all modes.",
        tex=r"\sum_{m\ge1}\Lambda_m^{-2}=\iint(G-\tfrac1\alpha)^2",
        scope="three pairs of weights, both boundaries; tail bounded by an integral",
        kind="numeric",
        check=partial(_general_sums, False),
        variant=partial(_general_sums, True),
        perturbed="It is the sum of 1/Λ_m.",
        page=PAGE,
    ),
    Theorem(
        id="T8.chain",
        title="noise kept per channel on a long chain",
        statement="One unit per channel, many channels: each keeps (β + 2γ)/(β(β + 4γ))^{3/2} of "
        "its noise.",
        tex=r"\frac1{2\pi}\int\frac{d\theta}{(\beta+4\gamma\sin^2\frac\theta2)^2}"
        r"=\frac{\beta+2\gamma}{(\beta(\beta+4\gamma))^{3/2}}",
        scope="β, γ > 0, unit spacing, n → ∞; residue symbolic, then compared at three pairs",
        kind="numeric",
        check=partial(_chain, False),
        variant=partial(_chain, True),
        perturbed="β + γ in the numerator.",
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
        check=partial(_best_h0, False),
        variant=partial(_best_h0, True),
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
        check=partial(_worst_bias, False),
        variant=partial(_worst_bias, True),
        perturbed="Twice that.",
        page=PAGE,
    ),
    Theorem(
        id="T8.noise-bound",
        title="noise kept by the ordinary H¹ metric",
        statement="It keeps less than 1/(4√λ) and more than that less 1 (natural) or 2 (periodic).",
        tex=r"\frac1{4\sqrt\lambda}-1<\sum_{m\ge1}\frac1{(1+\lambda\omega_m^2)^2}"
        r"<\frac1{4\sqrt\lambda}",
        scope="all λ > 0 by the integral test; four values compared with the closed form",
        kind="numeric",
        check=partial(_noise_bound, False),
        variant=partial(_noise_bound, True),
        perturbed="It keeps less than 1/(8√λ).",
        page=PAGE,
    ),
    Theorem(
        id="T8.best-lambda",
        title="the best λ for a signal of given smoothness",
        statement="Worst bias plus noise bound is least at λ* = (ε²/8qφC²)^{2/(2q+1)}, and nowhere "
        "else.",
        tex=r"\lambda^*=\Bigl(\frac{\epsilon^2}{8q\varphi C^2}\Bigr)^{2/(2q+1)}",
        scope="q = 1/2, 1, 3/2, 2; ordinary H¹; all C, ε",
        kind="symbolic",
        check=partial(_best_lambda, False),
        variant=partial(_best_lambda, True),
        perturbed="4 for 8.",
        page=PAGE,
    ),
)
