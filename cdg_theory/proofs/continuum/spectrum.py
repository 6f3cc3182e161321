r"""Theorem 2: modes, eigenvalues, and that no mode is missing."""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct, integral, o, polynomial, strong_form
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.noise import fluctuation_power, fluctuation_trace
from cdg_theory.continuum.spectrum import (
    coefficient,
    eigenvalue,
    end_determinant,
    first_frequency,
    mode_number,
    modes,
)
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.kernels import at_weights

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/spectra-and-limits.md"
BOUNDARIES = get_args(Boundary)


def _sines(boundary: Boundary) -> tuple[Any]:
    """Return the sines, which do not end flat on the interval."""
    return (sp.sin(first_frequency(boundary) * mode_number * o),)


def _modes(waves: Callable[[Boundary], tuple[Any, ...]] = modes) -> bool:
    """Apply the derived operator and end conditions to the waves, m a symbol."""
    alpha, beta, gamma = sp.symbols("alpha beta gamma", positive=True)
    for boundary, delta in product(BOUNDARIES, (sp.Integer(0), sp.Symbol("delta", positive=True))):
        inner = InnerProduct(alpha, beta, gamma, boundary, curvature=delta)
        form, omega = strong_form(inner), first_frequency(boundary) * mode_number
        claimed = beta + gamma * omega**2 + delta * omega**4
        if not all(form.is_solved_by(wave, claimed * wave) for wave in waves(boundary)):
            return False
        numbered = [claimed.subs(mode_number, number) for number in (1, 3)]
        found = [eigenvalue(inner), *(eigenvalue(inner, number) for number in (1, 3))]
        if any(sp.expand(a - b) != 0 for a, b in zip(found, [claimed, *numbered], strict=True)):
            return False
        if eigenvalue(inner, 0) != alpha:
            return False
    return True


def _frequencies(every: int = 1) -> bool:
    """Find all zeros of the end conditions' determinant in two periods, and m of them beyond."""
    omega = sp.Symbol("omega", positive=True)
    for boundary in BOUNDARIES:
        first = every * first_frequency(boundary)
        determinant = end_determinant(boundary, omega)
        found = sp.solveset(determinant, omega, sp.Interval.Lopen(0, 2 * first))
        # sin and 1 − cos have period 2π, so two intervals of length ω₁ show all there is.
        if found != sp.FiniteSet(first, 2 * first):
            return False
        if sp.simplify(determinant.subs(omega, first * mode_number)) != 0:
            return False
    return True


def _complete(every: int = 1) -> bool:
    r"""Sum the smoothing factors and compare with the kernel's trace (Mercer's theorem).

    All factors are positive: a missing mode would leave the sum too small.
    """
    alpha, gamma = sp.symbols("alpha gamma", positive=True)
    for boundary in BOUNDARIES:
        inner = InnerProduct(alpha, 0, gamma, boundary)
        per_mode = len(modes(boundary))
        for power, kernel_side in ((1, fluctuation_trace), (2, fluctuation_power)):
            factor = per_mode / eigenvalue(inner, every * mode_number) ** power
            total = sp.summation(factor, (mode_number, 1, sp.oo))
            if not vanishes(total - kernel_side(inner)):
                return False
    return True


def _complete_general(times_beta: float = 1.0) -> bool:
    r"""Enclose the sum of the factors of the general member, and find the trace inside.

    The factors fall with m, so what a sum up to N leaves out lies between the integral from N + 1
    and the integral from N, :math:`\frac{1}{\omega_1\sqrt{\beta\gamma}}
    (\frac\pi2-\arctan(N\omega_1\sqrt{\gamma/\beta}))`.
    """
    terms = 2000
    for boundary in BOUNDARIES:
        inner = InnerProduct.general(boundary)
        symbolic = fluctuation_trace(inner)
        omega, per_mode = float(first_frequency(boundary)), len(modes(boundary))
        for gamma, mu in ((0.3, 1.0), (1e-3, 20.0), (2.0, 0.1)):
            trace = at_weights(symbolic, gamma, mu, digits=20)
            beta = times_beta * gamma * mu**2
            factors = math.fsum(1 / (beta + gamma * (omega * m) ** 2) for m in range(1, terms + 1))
            root = math.sqrt(beta * gamma)
            high, low = (
                per_mode * (factors + math.atan2(beta, root * omega * start) / (omega * root))
                for start in (terms, terms + 1)
            )
            # Correctly rounded sum, a handful of roundings per term.
            slack = 8 * 2.0**-52 * trace
            if not low - slack <= trace <= high + slack:
                return False
    return True


def _coefficients(normalized: Callable[[Any], Any] = lambda mode: integral(mode**2)) -> bool:
    r"""Check that what the coefficient leaves is orthogonal to the mode, and find known ones."""
    for boundary in BOUNDARIES:
        u, second = polynomial(2), (*modes(boundary, 2), sp.Integer(1))
        weights = sp.symbols(f"c:{len(second)}")
        mix = sum(c * wave for c, wave in zip(weights, second, strict=True))
        zero = [coefficient(mix, wave) - c for c, wave in zip(weights, second, strict=True)]
        for wave in (*modes(boundary), *second):
            zero.append(integral(u * wave) - coefficient(u, wave) * normalized(wave))
        if not all(map(vanishes, zero)):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T2.modes",
        title="modes and eigenvalues",
        statement="cos mπo (natural), cos and sin of 2mπo (periodic) satisfy the end conditions, "
        "and the operator only multiplies them, by β + γω² + δω⁴; the constant by α.",
        tex=r"\Lambda_m=\beta+\gamma\omega_1^2m^2+\delta\omega_1^4m^4,\quad\Lambda_0=\alpha",
        scope="all m ≥ 1, all weights, both boundaries",
        kind="symbolic",
        check=_modes,
        variant=partial(_modes, waves=_sines),
        perturbed="The same with sines on the interval.",
        page=PAGE,
    ),
    Theorem(
        id="T2.frequencies",
        title="there are no other frequencies",
        statement="A wave satisfies the end conditions exactly at the multiples of π (natural) or "
        "of 2π (periodic).",
        tex=r"\omega^2\sin\omega=0,\qquad 2\omega(1-\cos\omega)=0",
        scope="all frequencies > 0, both boundaries",
        kind="symbolic",
        check=_frequencies,
        variant=partial(_frequencies, every=2),
        perturbed="The same with every second multiple.",
        page=PAGE,
    ),
    Theorem(
        id="T2.coefficients",
        title="the coefficient of a mode",
        statement=(
            "The coefficient of the mode e in a function u is ∫ue/∫e²: u minus this multiple "
            "of e is orthogonal to e, and a mix of modes gives its own coefficients back."
        ),
        tex=r"\int\Bigl(u-\frac{\int ue}{\int e^2}\,e\Bigr)e\,do=0",
        scope="all quadratics u and every mode, both boundaries; mixes of mode 2 and the constant",
        kind="symbolic",
        check=_coefficients,
        variant=partial(_coefficients, normalized=lambda _mode: sp.Integer(1)),
        perturbed="It is ∫ue, as if all modes had length 1.",
        page=PAGE,
    ),
    Theorem(
        id="T2.mercer",
        title="the modes are all there is",
        statement="The smoothing factors of the Sobolev member add up to the trace of its kernel, "
        "and their squares to the integral of its square: no mode is missing.",
        tex=r"\sum_m\Lambda_m^{-1}=\int(G(o,o)-\tfrac1\alpha)\,do,\qquad"
        r"\sum_m\Lambda_m^{-2}=\iint(G-\tfrac1\alpha)^2",
        scope="β = 0, all α, γ > 0, both boundaries",
        kind="symbolic",
        check=_complete,
        variant=partial(_complete, every=2),
        perturbed="The same with every second mode.",
        page=PAGE,
    ),
    Theorem(
        id="T2.mercer-general",
        title="the modes are all there is, general member",
        statement=(
            "The sum of the factors 1/Λ_m over m ≥ 1 is enclosed between two numbers, and the "
            "trace of the general kernel without its mean lies between them: no mode is "
            "missing."
        ),
        tex=r"\sum_m\frac1{\beta+\gamma\omega_1^2m^2}=\int(G(o,o)-\tfrac1\alpha)\,do",
        scope="three drawn pairs of weights, both boundaries; tail enclosed by integrals",
        kind="numeric",
        check=_complete_general,
        variant=partial(_complete_general, times_beta=1.01),
        perturbed="The same with β larger by 1 %.",
        page=PAGE,
    ),
)
