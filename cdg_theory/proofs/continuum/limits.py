r"""Theorem 3: limits within the family, and the one that does not exist.

A gradient operator is diagonal in the modes, so operators converge in norm when their smoothing
factors do so uniformly in m, and strongly (for each g) when they do so for each m and stay bounded.
"""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct, green_function, o, riemannian_gradient
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.spectrum import (
    eigenvalue,
    first_frequency,
    mode_number,
    modes,
    smoothing_factor,
)
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary

PAGE = "theory/spectra-and-limits.md"
BOUNDARIES = get_args(Boundary)
alpha, beta, gamma, lam = sp.symbols("alpha beta gamma lambda", positive=True)


def _falls(difference: sp.Expr) -> bool:
    """Whether an expression falls with the frequency, so that mode 1 has the largest value."""
    omega = sp.Symbol("omega", positive=True)
    slope = sp.factor(sp.diff(difference.subs(mode_number, omega), omega))
    return bool(slope.is_negative)


def _exist(from_h0: Any = 1 / beta) -> bool:
    """Take each limit in norm, by the largest difference of smoothing factors.

    It must tend to 0, but for γ → 0, where it must be ``from_h0`` whatever γ is.
    """
    for boundary in BOUNDARIES:
        general = smoothing_factor(InnerProduct(alpha, beta, gamma, boundary))
        sobolev = smoothing_factor(InnerProduct(alpha, sp.Integer(0), gamma, boundary))
        # β → 0: the channel-directed Sobolev member. γ → ∞: only the mean is left.
        to_sobolev, to_mean = sp.factor(sobolev - general), general
        if not (_falls(to_sobolev) and _falls(to_mean)):
            return False
        # γ → 0: re-weighted H⁰, for each mode; the largest difference is that for m → ∞.
        to_h0 = sp.factor(1 / beta - general)
        limits = [
            sp.limit(to_sobolev.subs(mode_number, 1), beta, 0),
            sp.limit(to_mean.subs(mode_number, 1), gamma, sp.oo),
            sp.limit(to_h0, gamma, 0),
            sp.limit(to_h0, mode_number, sp.oo) - from_h0,
        ]
        if not all(map(vanishes, limits)):
            return False
    # H⁰ at λ = 1 is the ordinary gradient, and tends to it.
    h0 = riemannian_gradient(sp.Function("g", real=True)(o), InnerProduct.reweighted_h0(lam))
    return sp.expand(h0.subs(lam, 1) - sp.Function("g", real=True)(o)) == 0


def _kernels(times_mean: int = 1) -> bool:
    """Take the limit of the general kernel as of a quotient, by derivatives at μ = 0."""
    mu = sp.Symbol("mu", positive=True)
    for boundary in BOUNDARIES:
        general = InnerProduct.general(boundary)
        end = InnerProduct(general.mean, sp.Integer(0), general.derivative, boundary)
        fluctuation = green_function(general).left - 1 / general.mean
        above, below = sp.fraction(sp.together(fluctuation))
        # Both vanish at 0, to the same order.
        while sp.simplify(below.subs(mu, 0)) == 0:
            if not vanishes(above.subs(mu, 0)):
                return False
            above, below = sp.diff(above, mu), sp.diff(below, mu)
        limit = (above / below).subs(mu, 0) + times_mean / general.mean
        if not vanishes(limit - green_function(end).left):
            return False
    return True


def _no_zero_smoothing(limit: Any = sp.oo) -> bool:
    """Let λ → 0 in the Sobolev member; find where it starts to amplify; take the way out."""
    for boundary in BOUNDARIES:
        inner = InnerProduct.sobolev(lam, boundary)
        mode = modes(boundary, 1)[0]
        gradient = riemannian_gradient(mode, inner)
        factor = sp.simplify(gradient / mode)
        amplifies_below = sp.solve(factor - 1, lam)
        if sp.limit(factor, lam, 0) != limit:
            return False
        if amplifies_below != [1 / first_frequency(boundary) ** 2]:
            return False
        # Inside the cone: (1−t)·Sobolev + t·L² tends to the ordinary gradient.
        t = sp.Symbol("t", positive=True)
        blend = InnerProduct(sp.Integer(1), t, (1 - t) * lam, boundary)
        if sp.limit(1 / eigenvalue(blend), t, 1) != 1:
            return False
    return True


THEOREMS = (
    Theorem(
        id="T3.limits",
        title="limits inside the family",
        statement="In norm: λ → 1 in H⁰ gives the ordinary gradient, β → 0 the channel-directed "
        "Sobolev member, γ → ∞ only the mean. For each g, but not in norm: γ → 0 gives H⁰ if "
        "β > 0.",
        tex=r"\sup_m\Bigl|\frac1{\beta+\gamma\omega_m^2}-\frac1{\gamma\omega_m^2}\Bigr|\to0,\qquad"
        r"\sup_m\Bigl|\frac1\beta-\frac1{\beta+\gamma\omega_m^2}\Bigr|=\frac1\beta",
        scope="all weights, both boundaries",
        kind="symbolic",
        check=_exist,
        variant=partial(_exist, from_h0=0),
        perturbed="γ → 0 gives H⁰ in norm too.",
        page=PAGE,
    ),
    Theorem(
        id="T3.kernel-limit",
        title="the kernel at β → 0",
        statement=(
            "As β → 0, that is μ = √(β/γ) → 0, the general Green's function tends to that of "
            "the Sobolev member: the term 1/β of the hyperbolic cosine and the −1/β beside it "
            "cancel."
        ),
        tex=r"\lim_{\mu\to0}\Bigl(-\frac1{\gamma\mu^2}+\frac{\cosh\mu o\,\cosh\mu(1-s)}"
        r"{\gamma\mu\sinh\mu}\Bigr)=\frac1\gamma\Bigl(\frac{o^2+s^2}2-s+\frac13\Bigr)",
        scope="o ≤ s, α, γ > 0, both boundaries",
        kind="symbolic",
        check=_kernels,
        variant=partial(_kernels, times_mean=2),
        perturbed="The same with the mean's part twice.",
        page=PAGE,
    ),
    Theorem(
        id="T3.no-zero-smoothing",
        title="the Sobolev metric has no zero-smoothing limit",
        statement="As λ → 0 the channel-directed Sobolev gradient of the first mode diverges; "
        "below λ = 1/ω₁² it is amplified. The path (1−t)·metric + t·L² does reach the ordinary "
        "gradient.",
        tex=r"\frac1{\lambda\omega_1^2}\xrightarrow{\lambda\to0}\infty,\qquad"
        r"\frac1{\lambda\omega_1^2}>1\iff\lambda<\frac1{\omega_1^2}",
        scope="(1, 0, λ), both boundaries",
        kind="symbolic",
        check=_no_zero_smoothing,
        variant=partial(_no_zero_smoothing, limit=1),
        perturbed="As λ → 0 it tends to the ordinary gradient.",
        page=PAGE,
    ),
)
