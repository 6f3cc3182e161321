r"""Theorem 15: the best metric where the spectra of signal and noise have been measured.

Each mode is decided by itself. Which member of the family, if any, is the best smoother then
depends on the signal's spectrum alone, if the noise is white: it is one for priors whose precision
is a member too.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.noise import best_lambda, noise_bound, worst_bias
from cdg_theory.discrete.shrinkage import (
    best_factors,
    best_scale,
    mode_factor,
    mode_risk,
    risk,
)
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import is_zero, vanish
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_matrix, draw_spd

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/measured-spectra.md"
kappa, s, nu, tau, lam = sp.symbols("kappa s nu tau lambda", positive=True)
q = sp.Symbol("q", positive=True)
alpha, beta, gamma, delta, ell = sp.symbols("alpha beta gamma delta ell", positive=True)
# Second moments whose factors and risks binary numbers hold exactly.
SIGNAL, NOISE = (3.0, 1.0, 0.0, 2.0), (1.0, 3.0, 2.0, 0.0)


def _mode_by_mode(best: Callable[[Any, Any], Any] = mode_factor) -> bool:
    r"""Complete the square in one mode, and have the functions that users call find the same."""
    least = s * nu / (s + nu)
    excess = (s + nu) * (kappa - best(s, nu)) ** 2
    if not is_zero(mode_risk(kappa, s, nu) - least - excess):
        return False
    expected = [
        best(Fraction(one), Fraction(other)) for one, other in zip(SIGNAL, NOISE, strict=True)
    ]
    found = best_factors(SIGNAL, NOISE)
    leasts = [one * other / (one + other) for one, other in zip(SIGNAL, NOISE, strict=True)]
    return (
        found.tolist() == expected
        and risk(found, SIGNAL, NOISE) == sum(leasts)
        and risk((0, 0, 0, 0), SIGNAL, NOISE) == sum(SIGNAL)
        and risk((1, 1, 1, 1), SIGNAL, NOISE) == sum(NOISE)
        and best_factors((0.0,), (0.0,)).tolist() == [1]
    )


def _correlated(power: int = 1) -> bool:
    r"""Measure modes that are correlated with one another: only their own moments enter.

    :math:`K=V\operatorname{diag}(\kappa)V^T` and drawn second moments S and N, to a power; what is
    measured are the diagonals of :math:`V^TSV` and :math:`V^TNV`.
    """
    rng = random.Random(15)
    for n in (1, 2, 3, 4):
        modes = draw_spd(rng, n).vectors
        S, N = draw_spd(rng, n), draw_spd(rng, n)
        factors = [sp.Rational(rng.randint(0, 8), 4) for _ in range(n)]
        left = modes * sp.diag(*factors) * modes.T - sp.eye(n)
        smoother = left + sp.eye(n)
        error = (left * S.matrix * left.T + smoother * N.matrix * smoother.T).trace()
        measured = [modes.T * moment.power(power) * modes for moment in (S, N)]
        claimed = sum(mode_risk(factors[m], measured[0][m, m], measured[1][m, m]) for m in range(n))
        if error != claimed:
            return False
    return True


def _scale(power: int = 2) -> bool:
    r"""Find the best scale t of given factors, and what it gains, by the slope's zero.

    Sums over the modes are symbols: :math:`A=\sum s\kappa`, :math:`B=\sum(s+\nu)\kappa^2`. The gain
    over dropping everything is :math:`A^2/B`; by Cauchy and Schwarz the fraction of the best
    smoother's :math:`\sum s^2/(s+\nu)` is a squared cosine.
    """
    t, A, B = sp.symbols("t A B", positive=True)
    square, linear, constant = sp.Poly(mode_risk(t * kappa, s, nu), t).all_coeffs()
    if not vanish([square - (s + nu) * kappa**2, linear + 2 * s * kappa, constant - s]):
        return False
    gain = 2 * t * A - t**2 * B
    (best,) = sp.solve(sp.diff(gain, t), t)
    if not vanish([best - A / B, gain.subs(t, best) - A**power / B]):
        return False
    # The cosine: in the weights s + ν, between the factors and the best ones.
    for one, other in ((kappa, mode_factor(s, nu)), (mode_factor(s, nu), mode_factor(s, nu))):
        product = (s + nu) * one * other
        if not is_zero(product - s * one):
            return False
    factors = (2.0, 1.0, 0.0, 1.0)
    found = best_scale(factors, SIGNAL, NOISE)
    # A = 9, B = 4·4 + 4 + 2 = 22.
    scaled = [found * factor for factor in factors]
    gained = sum(SIGNAL) - risk(scaled, SIGNAL, NOISE)
    return found == 9 / 22 and abs(gained - 81 / 22) <= 16 * 2.0**-52 * 6


def _family(shift: Any = tau) -> bool:
    r"""Solve "the metric's factor is the best factor" for the signal, in every mode.

    It is positive exactly if :math:`\lambda_m>\tau`. Then, as matrices: the precision of that prior
    is :math:`(M-\tau I)/\nu\tau`, and :math:`M-\tau I` has the same form with α − τ for α and
    β − τ for β.
    """
    solutions = sp.solve(sp.Eq(mode_factor(s, nu), tau / lam), s)
    if len(solutions) != 1 or not is_zero(solutions[0] - nu * tau / (lam - shift)):
        return False
    eigenvalue = beta + gamma * ell + delta * ell**2
    prior = solutions[0].subs(lam, eigenvalue)
    member = (beta - shift) + gamma * ell + delta * ell**2
    mean = solutions[0].subs(lam, alpha)
    if not vanish([nu * tau / prior - member, nu * tau / mean - (alpha - shift)]):
        return False
    # The same for drawn matrices: S = ντ(M − τI)⁻¹ gives S(S + νI)⁻¹ = τM⁻¹.
    rng = random.Random(150)
    for n in (1, 2, 3):
        metric = draw_spd(rng, n)
        rate, white = min(metric.values) / 3, sp.Rational(5, 2)
        prior = white * rate * (metric.matrix - rate * sp.eye(n)).inv()
        if prior * (prior + white * sp.eye(n)).inv() != rate * metric.inverse:
            return False
        if not prior.is_positive_definite:
            return False
    return True


def _from_prior(ratio: Any = nu) -> bool:
    r"""Read it backwards: a prior :math:`N(0,sM_0^{-1})` under white noise ν.

    The best smoother is :math:`(I+\tfrac\nu sM_0)^{-1}`: the gradient, with rate 1, in the member
    with the weights :math:`1+\tfrac\nu s\alpha_0,\ 1+\tfrac\nu s\beta_0,\ \tfrac\nu s\gamma_0`.
    """
    weight = ratio / s
    for eigenvalue in (alpha, beta + gamma * ell + delta * ell**2):
        if not is_zero(mode_factor(s / eigenvalue, nu) - 1 / (1 + weight * eigenvalue)):
            return False
    rng = random.Random(151)
    for n in (1, 2, 3):
        prior: SPD = draw_spd(rng, n)
        column = draw_matrix(rng, n, 1)
        size, white = sp.Rational(7, 3), sp.Rational(2, 5)
        covariance = size * prior.inverse
        posterior = covariance * (covariance + white * sp.eye(n)).inv() * column
        weight = (ratio / s).subs({nu: white, s: size})
        if (sp.eye(n) + weight * prior.matrix) * posterior != column:
            return False
    return True


def _best_rate(power: Any = 4 * q / (2 * q + 1)) -> bool:
    r"""Bound the worst error of every linear smoother from below, and compare with H¹ at its best.

    Let N modes have signals of independent signs and the size ε of the noise. They are of
    smoothness q and size C if :math:`\varepsilon^2\sum_{m\le N}\omega_m^{2q}\le C^2`, as for
    :math:`N^{2q+1}=C^2/\varepsilon^2\pi^{2q}`. On the average over signs none errs by less than
    :math:`\sum s\nu/(s+\nu)`, so for some signal none does.
    """
    epsilon, size = sp.symbols("epsilon C", positive=True)
    modes = (size**2 / (epsilon**2 * sp.pi ** (2 * q))) ** (1 / (2 * q + 1))
    white = epsilon**2
    below = modes * mode_risk(mode_factor(white, white), white, white)
    for smoothness in (sp.Rational(1, 2), sp.Integer(1), sp.Rational(3, 2), sp.Integer(2)):
        strength = best_lambda(smoothness, size, white)
        bias = worst_bias(smoothness) * size**2 * strength**smoothness
        above = bias + white * noise_bound(strength)
        for error in (below.subs(q, smoothness), above):
            rate = sp.simplify(epsilon * sp.diff(sp.log(error), epsilon))
            if rate != power.subs(q, smoothness):
                return False
        # Half the order: a quarter when N is rounded down.
        order = (size**2 / sp.pi ** (2 * q)) ** (1 / (2 * q + 1)) * epsilon**power
        if sp.simplify((below / order).subs(q, smoothness)) != sp.Rational(1, 2):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T15.mode-by-mode",
        title="the best smoother for measured spectra",
        statement=(
            "Let s and ν be the second moments of signal and noise in a mode. The factors "
            "s/(s + ν) have the least squared error, Σ sν/(s + ν); any other factors κ have Σ "
            "(s + ν)(κ − s/(s + ν))² more."
        ),
        tex=r"R(\kappa)=\sum_m\frac{s_m\nu_m}{s_m+\nu_m}"
        r"+\sum_m(s_m+\nu_m)\Bigl(\kappa_m-\frac{s_m}{s_m+\nu_m}\Bigr)^2",
        scope="all s, ν ≥ 0 that are not both 0, all factors; signal and noise uncorrelated; "
        "risk and best_factors on four modes, exactly",
        kind="symbolic",
        check=_mode_by_mode,
        variant=partial(_mode_by_mode, best=lambda s, nu: s / (s + 2 * nu)),
        perturbed="The best factors are s/(s + 2ν).",
        page=PAGE,
    ),
    Theorem(
        id="T15.correlated-modes",
        title="only each mode's own moments enter",
        statement="The error of a smoother that acts mode by mode depends on the second moments "
        "of each mode alone, however modes are correlated with one another.",
        tex=r"\mathbb E|V\kappa V^Tg-s|^2=\sum_m(1-\kappa_m)^2(V^TSV)_{mm}"
        r"+\kappa_m^2(V^TNV)_{mm}",
        scope="drawn second moments and modes, up to four channels, rational",
        kind="exact",
        check=_correlated,
        variant=partial(_correlated, power=-1),
        perturbed="It depends on the inverse second moments of each mode alone.",
        page=PAGE,
    ),
    Theorem(
        id="T15.scale",
        title="a metric at its best learning rate",
        statement=(
            "Let the factors be tκ, with a scale t that the learning rate sets. Their squared "
            "error is least at t = Σ sκ/Σ(s + ν)κ², where they gain (Σ sκ)²/Σ(s + ν)κ² over "
            "the estimate 0. This is what the best smoother gains times the squared cosine "
            "between κ and s/(s + ν), with the weights s + ν."
        ),
        tex=r"\frac{(\sum s\kappa)^2}{\sum(s+\nu)\kappa^2\ \sum\frac{s^2}{s+\nu}}"
        r"=\cos^2\angle\Bigl(\kappa,\frac s{s+\nu}\Bigr)",
        scope="all s, ν, κ > 0, every number of modes; best_scale on four modes",
        kind="symbolic",
        check=_scale,
        variant=partial(_scale, power=1),
        perturbed="They gain Σ sκ/Σ(s + ν)κ².",
        page=PAGE,
    ),
    Theorem(
        id="T15.family",
        title="when a member of the family is the best smoother",
        statement="For white noise ν, the gradient in a metric times τ is the best smoother for "
        "one signal and no other: sₘ = ντ/(λₘ − τ), which asks for τ below every eigenvalue λₘ. "
        "That prior's precision is, up to ντ, the member with α − τ and β − τ.",
        tex=r"s_m=\frac{\nu\tau}{\beta-\tau+\gamma s\ell_m+\delta s^2\ell_m^2}\ (m\ge1),\qquad "
        r"s_0=\frac{\nu\tau}{\alpha-\tau}",
        scope="all weights, first and second order, both boundaries: any ℓ; matrices drawn, "
        "rational",
        kind="symbolic",
        check=_family,
        variant=partial(_family, shift=0),
        perturbed="The same for sₘ = ντ/λₘ.",
        page=PAGE,
    ),
    Theorem(
        id="T15.from-prior",
        title="the metric that a prior asks for",
        statement="If columns are drawn from N(0, s M₀⁻¹) and seen under white noise ν, the best "
        "smoother is the gradient, at rate 1, in I + (ν/s)M₀: the weights are 1 + (ν/s)α₀, "
        "1 + (ν/s)β₀, (ν/s)γ₀, (ν/s)δ₀.",
        tex=r"sM_0^{-1}\bigl(sM_0^{-1}+\nu I\bigr)^{-1}=\bigl(I+\tfrac\nu sM_0\bigr)^{-1}",
        scope="all weights, any ℓ; matrices drawn, rational",
        kind="symbolic",
        check=_from_prior,
        variant=partial(_from_prior, ratio=1 / nu),
        perturbed="The same in the metric I + M₀/(sν).",
        page=PAGE,
    ),
    Theorem(
        id="T15.best-rate",
        title="no linear smoother has a better rate",
        statement="Over the signals of smoothness q and size C the worst error of every linear "
        "smoother falls no faster than ε^{4q/(2q+1)}, the rate of the ordinary H¹ metric at its "
        "best λ.",
        tex=r"\inf_K\sup_{\sum\omega^{2q}c_\omega^2\le C^2}\mathbb E|K(c+\epsilon z)-c|^2"
        r"\ge\tfrac14\Bigl(\frac{C^2}{\pi^{2q}}\Bigr)^{1/(2q+1)}\epsilon^{4q/(2q+1)}",
        scope="natural ends, ε small enough for one mode (N ≥ 1; a quarter, not a half, for "
        "rounding N down); the exponents of both bounds at q = 1/2, 1, 3/2, 2",
        kind="symbolic",
        check=_best_rate,
        variant=partial(_best_rate, power=2 * q / (2 * q + 1)),
        perturbed="The same with ε^{2q/(2q+1)}.",
        page="theory/noise.md",
    ),
)
