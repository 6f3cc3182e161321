r"""Theorem 2: the gradient exists, is unique, and solves a derived boundary value problem."""

from __future__ import annotations

from functools import partial
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
    trigonometric,
    weak_residual,
)
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.spectrum import end_determinant
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.kernels import free_solution

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/weak-form.md"
BOUNDARIES = get_args(Boundary)
alpha, beta, gamma, lam, mu = sp.symbols("alpha beta gamma lambda mu", positive=True)


def _euler_lagrange(of_curvature: Any = -gamma) -> bool:
    """Compare what integration by parts leaves with the claimed equation and end conditions."""
    for boundary in BOUNDARIES:
        form = strong_form(InnerProduct(alpha, beta, gamma, boundary))
        k = form.unknown
        claimed = of_curvature * k.diff(o, 2) + beta * (k - mean(k)) + alpha * mean(k)
        slope = gamma * k.diff(o)
        start, stop = slope.subs(o, 0), slope.subs(o, 1)
        ends = (
            [start, stop] if boundary == "natural" else [k.subs(o, 1) - k.subs(o, 0), stop - start]
        )
        found = form.end_conditions(k)
        if sp.expand(form.operator - claimed) != 0 or any(
            sp.expand(one - other) != 0 for one, other in zip(found, ends, strict=True)
        ):
            return False
    return True


def _unique(frequency: Any = sp.I * mu) -> bool:
    r"""Check that no exponential satisfies the end conditions.

    Two gradients of one loss would differ by a solution for g = 0, of mean 0: a combination of
    :math:`e^{\pm\mu o}`, waves of imaginary frequency. Waves of real frequency (β < 0) can: modes.
    """
    claimed = {
        "natural": -sp.I * mu**2 * sp.sinh(mu),
        "periodic": -4 * sp.I * mu * sp.sinh(mu / 2) ** 2,
    }
    return all(
        (claimed[boundary] / -sp.I).is_positive
        and vanishes(end_determinant(boundary, frequency) - claimed[boundary])
        for boundary in BOUNDARIES
    )


def _members() -> list[tuple[InnerProduct, Any]]:
    """Return the named and the general members, each with gradients of a class to try."""
    rich = polynomial(3) + trigonometric(1)
    # Without a derivative nothing is asked of the ends, a circle's neither.
    members = [(InnerProduct.l2(), rich), (InnerProduct(1, lam, 0, "periodic"), rich)]
    members.append((InnerProduct.reweighted_h0(lam), rich))
    for boundary in BOUNDARIES:
        members += [
            (InnerProduct.sobolev(lam, boundary), rich),
            (InnerProduct.ordinary_sobolev(lam, boundary), polynomial(1)),
            (InnerProduct.general(boundary), polynomial(1)),
        ]
    return members


def _closed_forms(free: int = 0) -> bool:
    r"""Check equation and end conditions, hence the weak form for every test function.

    k plus what solves the equation for g = 0 must be refused for its ends, and k with the sign of
    its fluctuation turned round for its equation. ``free`` counts how often the former is added.
    """
    for inner, g in _members():
        form, k = strong_form(inner), riemannian_gradient(g, inner)
        y = free_solution(inner) if inner.derivative != 0 else sp.Integer(0)
        wrong = [2 * mean(k) - k] if y == 0 else [2 * mean(k) - k, k + y]
        if not (vanishes(form.apply(y)) and form.is_solved_by(k + free * y, g)):
            return False
        if any(form.is_solved_by(other, g) for other in wrong):
            return False
    return True


def _weak_form(times_g: int = 1) -> bool:
    """Check the weak form itself, against test functions with symbols as coefficients and degree.

    The general argument is that of the closed forms; this is the definition, without detour.
    """
    degree = sp.Symbol("p", integer=True, positive=True)
    g = polynomial(2)
    waves = sp.Symbol("u") * sp.cos(degree * sp.pi * o) + sp.sin(degree * sp.pi * o)
    tests = [polynomial(3, "t"), waves, o**degree]
    inners = [InnerProduct.l2(), InnerProduct.reweighted_h0(lam), InnerProduct.sobolev(lam)]
    for inner in inners:
        k = riemannian_gradient(g, inner)
        if not all(vanishes(weak_residual(inner, k, times_g * g, h)) for h in tests):
            return False
    # Periodic test functions meet at the ends.
    inner = InnerProduct.sobolev(lam, "periodic")
    k = riemannian_gradient(g, inner)
    periodic = sp.cos(2 * sp.pi * degree * o) + sp.sin(2 * sp.pi * degree * o) + o * (1 - o)
    return vanishes(weak_residual(inner, k, times_g * g, periodic))


def _one_line(line: Callable[[Any], Any] = lambda g: mean(g) + (g - mean(g)) / lam) -> bool:
    """Check the re-weighted H⁰ gradient with an arbitrary g against an arbitrary h."""
    g, h = generic("g"), generic("h")
    inner, k = InnerProduct.reweighted_h0(lam), line(g)
    return weak_residual(inner, k, g, h) == 0 and sp.expand(riemannian_gradient(g, inner) - k) == 0


def _two_integrals(means_off: int = 1) -> bool:
    r"""Check the Sobolev gradient of an arbitrary g, given by its second antiderivative.

    Every g is :math:`\Phi''` with :math:`\Phi=o^2F(o)`, so that :math:`\Phi(0)=\Phi'(0)=0`,
    :math:`\int_0^o\int_0^tg=\Phi` and :math:`\bar g=\Phi'(1)`.
    """
    twice = o**2 * generic("F")
    g, g_bar = twice.diff(o, 2), twice.diff(o).subs(o, 1).doit()
    for boundary in BOUNDARIES:
        form = strong_form(InnerProduct(alpha, sp.Integer(0), gamma, boundary))
        fluctuation = -(twice - means_off * g_bar * o**2 / 2) / gamma
        if boundary == "periodic":
            fluctuation += (twice.subs(o, 1) - g_bar / 2) / gamma * o
        # Which constant is added to it, the mean decides: αk̄ = ḡ.
        operator = form.operator.subs(integral(form.unknown), g_bar / alpha)
        equation = operator.subs(form.unknown, fluctuation).doit() - g
        residuals = [equation, *form.end_conditions(fluctuation)]
        if any(sp.expand(residual.doit()) != 0 for residual in residuals):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T2.euler-lagrange",
        title="the equation and the end conditions, derived",
        statement="The weak form holds for every h if and only if −γk″ + β(k − k̄) + αk̄ = g and "
        "γk′ vanishes at the ends (natural), or k and γk′ agree at the ends (periodic).",
        tex=r"-\gamma k''+\beta(k-\bar k)+\alpha\bar k=g",
        scope="all smooth k, all h; all weights; both boundaries",
        kind="symbolic",
        check=_euler_lagrange,
        variant=partial(_euler_lagrange, of_curvature=gamma),
        perturbed="The same with +γk″.",
        page=PAGE,
    ),
    Theorem(
        id="T2.unique",
        title="the gradient is unique",
        statement=(
            "With μ = √(β/γ), the solutions exp(±μo) of the homogeneous equation, put into "
            "the two end conditions, have the determinant −iμ² sinh μ (natural) or −4iμ "
            "sinh²(μ/2) (periodic). It is never 0, so a loss has only one gradient."
        ),
        tex=r"\det=-i\mu^2\sinh\mu,\qquad \det=-4i\mu\sinh^2(\mu/2)",
        scope="β, γ > 0, both boundaries; at β = 0 constants remain, and αk̄ = ḡ fixes them",
        kind="symbolic",
        check=_unique,
        variant=partial(_unique, frequency=mu),
        perturbed="The same for waves instead of exponentials, that is for β < 0.",
        page=PAGE,
    ),
    Theorem(
        id="T2.closed-forms",
        title="the gradients in closed form",
        statement="The closed forms of the L², re-weighted H⁰, channel-directed Sobolev, ordinary "
        "H¹ and general gradients satisfy equation and end conditions, hence the weak form for "
        "every test function.",
        tex=r"\langle k,h\rangle=\int_0^1g\,h\,do\quad\text{for all }h",
        scope="g: polynomials and trigonometric polynomials with symbolic coefficients; symbolic "
        "weights; both boundaries",
        kind="symbolic",
        check=_closed_forms,
        variant=partial(_closed_forms, free=1),
        perturbed="The same with a solution for g = 0 added, which does not meet the ends.",
        page=PAGE,
    ),
    Theorem(
        id="T2.weak-form",
        title="the definition itself, on classes of test functions",
        statement="The closed forms satisfy ⟨k,h⟩ = ∫gh for polynomials and trigonometric "
        "polynomials h with symbolic coefficients, and for o^p and waves of symbolic degree.",
        tex=r"\langle k,h\rangle-\int_0^1g\,h\,do=0",
        scope="L², re-weighted H⁰, channel-directed Sobolev; both boundaries",
        kind="symbolic",
        check=_weak_form,
        variant=partial(_weak_form, times_g=2),
        perturbed="The same with 2g for g.",
        page=PAGE,
    ),
    Theorem(
        id="T2.one-line",
        title="the re-weighted H⁰ gradient is one line",
        statement="k = ḡ + (g − ḡ)/λ satisfies the weak form, for every g and every h.",
        tex=r"k=\bar g+\frac{g-\bar g}{\lambda}",
        scope="all g, all h, all λ > 0",
        kind="symbolic",
        check=_one_line,
        variant=partial(_one_line, line=lambda g: mean(g) + g / lam),
        perturbed="k = ḡ + g/λ.",
        page=PAGE,
    ),
    Theorem(
        id="T2.two-integrals",
        title="the Sobolev gradient is two integrals",
        statement="Integrate g − ḡ twice from 0, change the sign, divide by γ; periodic: add the "
        "linear function that closes the ends; then give it the mean ḡ/α. That is the gradient.",
        tex=r"\tilde k=-\frac1\gamma\int_0^o\!\!\int_0^t(g-\bar g)+\text{const}"
        r"\ (+\text{ linear, periodic})",
        scope="all continuous g, α, γ > 0, β = 0, both boundaries",
        kind="symbolic",
        check=_two_integrals,
        variant=partial(_two_integrals, means_off=0),
        perturbed="The same with g in place of g − ḡ under the integrals.",
        page=PAGE,
    ),
)
