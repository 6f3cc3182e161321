r"""Theorem 18: Green's functions of second order, and the noise that these members keep.

With F(p) the kernel of :math:`(\alpha,p,1)` less :math:`1/\alpha`, the kernel is
:math:`\frac1\alpha-\frac1\delta\,F[p,q]`, a divided difference: of two values, its limit where
they meet, the fourth Bernoulli polynomial where both are 0.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import GreenFunction, InnerProduct, green_function, o, s
from cdg_theory.continuum.functions import vanishes
from cdg_theory.continuum.noise import fluctuation_power, fluctuation_trace
from cdg_theory.continuum.spectrum import first_frequency, modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.kernels import curved_members, first_order_part, in_digits

if TYPE_CHECKING:
    from collections.abc import Callable

KERNELS = "theory/greens-functions.md"
BOUNDARIES = get_args(Boundary)
# Besides the biharmonic: two integrations by parts of long kernels are slow.
REPRODUCED = {"natural": "different", "periodic": "double"}
mu, nu, kappa, tau, delta = sp.symbols("mu nu kappa tau delta", positive=True)


def _bernoulli(lo: Any, hi: Any, boundary: Boundary) -> Any:
    """Return the kernel of the fourth derivative alone, of mean 0, for δ = 1."""
    if boundary == "periodic":
        return -sp.bernoulli(4, hi - lo) / 24
    return -(sp.bernoulli(4, (hi - lo) / 2) + sp.bernoulli(4, (hi + lo) / 2)) / 3


def _formula(lo: Any, hi: Any, name: str, boundary: Boundary) -> Any:
    """Return δ(G − 1/α), lo = min(o, s) and hi = max(o, s), for a kind of roots."""

    def part(rate: Any) -> Any:
        return first_order_part(lo, hi, InnerProduct(1, rate**2, 1, boundary))

    if name == "biharmonic":
        return _bernoulli(lo, hi, boundary)
    if name == "double":
        return -sp.diff(part(mu), mu) / (2 * mu)
    high, low = (mu, sp.Integer(0)) if name == "β = 0" else (2 * mu, mu)
    return -(part(high) - part(low)) / (high**2 - low**2)


def _green(boundary: Boundary, share: Any = 1) -> bool:
    """Compare every kernel with its formula; see that it reproduces, and others do not."""
    for name, inner in curved_members(boundary).items():
        kernel = green_function(inner)
        claims = [kernel.left - 1 - share * _formula(o, s, name, boundary) / delta]
        if name in ("biharmonic", "β = 0"):
            claims.append(kernel.right - 1 - share * _formula(s, o, name, boundary) / delta)
        if not all(map(vanishes, claims)):
            return False
        if name == REPRODUCED[boundary] and not kernel.is_reproducing(inner):
            return False
        if name == "biharmonic":
            others = [
                GreenFunction(kernel.right, kernel.left),
                # A kink at s, of mean 0.
                GreenFunction(kernel.left, kernel.right + (o - s) - (1 - s) ** 2 / 2),
            ]
            if not kernel.is_reproducing(inner) or any(k.is_reproducing(inner) for k in others):
                return False
    return True


def _complex(boundary: Boundary, x: Any) -> Any:
    r"""Return what a circle adds to δ(G − 1/α + 1/β) at distance x, in real functions only."""
    length = 1 if boundary == "periodic" else 2
    y, end = sp.Rational(length, 2) - x, sp.Rational(length, 2)
    a, b = sp.cosh(kappa * y) * sp.cos(tau * y), sp.sinh(kappa * y) * sp.sin(tau * y)
    big = sp.sinh(kappa * end) * sp.cos(tau * end), sp.cosh(kappa * end) * sp.sin(tau * end)
    u, v = kappa * big[0] - tau * big[1], kappa * big[1] + tau * big[0]
    return (a * v - b * u) / (4 * kappa * tau * (u**2 + v**2))


def _complex_roots(sign: int = 1) -> bool:
    r"""Compare kernels at κ ± iτ with real functions, in 60 digits, at drawn rational numbers.

    Some hundred operations lose a few digits, growth by :math:`e^{2\kappa}` a few more; 30 must
    agree. γ = 0 is κ = τ.
    """
    third, most = sp.Rational(1, 3), sp.Rational(7, 8)
    for boundary in BOUNDARIES:
        for k, t in ((3, 1), (2, 2)):
            k, t = sp.Integer(k), sp.Integer(t)
            inner = InnerProduct.with_roots(2, k + sp.I * t, k - sp.I * t, 3, boundary)
            kernel, beta = green_function(inner), 3 * (k**2 + t**2) ** 2
            for low, high in ((third, most), (third, third), (0, 1)):
                distances = [high - low] if boundary == "periodic" else [high - low, high + low]
                images = sum(_complex(boundary, x) for x in distances)
                claimed = sp.Rational(1, 2) - 1 / beta + sign * images / 3
                claimed = claimed.subs({kappa: k, tau: t})
                found = kernel.left.subs({o: low, s: high})
                if abs(in_digits(found - claimed, 60)) > 1e-30:
                    return False
    return True


def _noise(natural: Any, periodic: Any) -> bool:
    """Integrate the square of the biharmonic kernel; its trace and it are sums over the modes."""
    claims = dict(zip(("natural", "periodic"), (natural, periodic), strict=True))
    m = sp.Symbol("m", integer=True, positive=True)
    for boundary in BOUNDARIES:
        inner = InnerProduct.biharmonic(delta, boundary)
        weight = len(modes(boundary, 1)) / (delta * (first_frequency(boundary) * m) ** 4)
        if not vanishes(fluctuation_power(inner) - claims[boundary] / delta**2):
            return False
        if not vanishes(fluctuation_trace(inner) - sp.summation(weight, (m, 1, sp.oo))):
            return False
    return True


def _sums(exponent: Callable[[int], int] = lambda power: power) -> bool:
    r"""Find trace and power of every kind of roots in an enclosure of the sums over the modes.

    What a sum up to N leaves out of :math:`\Lambda^{-p}` lies between 0 and
    :math:`\int_N^\infty\frac{dx}{(\delta\omega_1^4x^4)^p}`, as :math:`\beta,\gamma\ge0`.
    """
    terms = 200
    drawn = {
        "natural": ((4, 5, 1), (1, 0, sp.Rational(1, 100))),
        "periodic": ((4, 4, 1), (9, 1, 2)),
    }
    for boundary in BOUNDARIES:
        omega, per_mode = float(first_frequency(boundary)), len(modes(boundary))
        for b, c, d in drawn[boundary]:
            inner = InnerProduct(1, b, c, boundary, curvature=d)
            for p, closed_form in ((1, fluctuation_trace), (2, fluctuation_power)):
                value = complex(in_digits(closed_form(inner), 40))
                total = per_mode * math.fsum(
                    (float(b) + float(c) * x**2 + float(d) * x**4) ** -exponent(p)
                    for x in (omega * m for m in range(1, terms + 1))
                )
                rest = per_mode / (float(d) * omega**4) ** p / (4 * p - 1) / terms ** (4 * p - 1)
                # Correctly rounded sum, a handful of roundings per term.
                slack = 16 * 2.0**-52 * abs(value)
                if abs(value.imag) > slack:
                    return False
                if not total - slack <= value.real <= total + rest + slack:
                    return False
    return True


_TEX = r"G=\frac1\alpha-\frac1\delta\,\frac{F(\mu^2)-F(\nu^2)}{\mu^2-\nu^2}"
_SCOPE = (
    "roots (2μ, μ), (μ, μ), (μ, 0), (0, 0), symbolic δ and μ, α = 1; reproduction of (0, 0) and of "
    "different (natural) or double roots (periodic)"
)

THEOREMS = (
    Theorem(
        id="T18.green-natural",
        title="Green's functions of second order, natural ends",
        statement="The kernel is 1/α less 1/δ times the divided difference of the first-order "
        "kernel's fluctuation F in the squared roots; for β = γ = 0 a Bernoulli polynomial. It "
        "reproduces: ⟨G(·,s),h⟩ = h(s) for every h with h′ = 0 at the ends.",
        tex=_TEX,
        scope=_SCOPE,
        kind="symbolic",
        check=partial(_green, "natural"),
        variant=partial(_green, "natural", share=sp.Rational(1, 2)),
        perturbed="The same with half the fluctuation's part.",
        page=KERNELS,
    ),
    Theorem(
        id="T18.green-periodic",
        title="Green's functions of second order, periodic ends",
        statement=(
            "On the circle the kernel has the same form, with the periodic first-order "
            "kernel's fluctuation F: 1/α less 1/δ times its divided difference in the squared "
            "roots. It reproduces: ⟨G(·,s),h⟩ = h(s) for every periodic h."
        ),
        tex=_TEX,
        scope=_SCOPE,
        kind="symbolic",
        check=partial(_green, "periodic"),
        variant=partial(_green, "periodic", share=sp.Rational(1, 2)),
        perturbed="The same with half the fluctuation's part.",
        page=KERNELS,
    ),
    Theorem(
        id="T18.green-complex",
        title="Green's functions of complex roots, in real functions",
        statement="For roots κ ± iτ the kernel is −Im F/(2κτδ): waves cos τx, sin τx that decay "
        "like cosh κx, sinh κx, round the circle, or round one of length 2 with its mirror image.",
        tex=r"G=\frac1\alpha-\frac1\beta+\frac1\delta\sum_x\frac{AV-BU}{4\kappa\tau(U^2+V^2)}",
        scope="two pairs κ, τ, of which one has γ = 0; three pairs of channels; both boundaries; "
        "30 digits",
        kind="numeric",
        check=_complex_roots,
        variant=partial(_complex_roots, sign=-1),
        perturbed="The same with the other sign.",
        page=KERNELS,
    ),
    Theorem(
        id="T18.noise",
        title="noise kept by the biharmonic metric",
        statement=(
            "Of white noise this metric keeps 1/(9450δ²) (natural) or 1/(1209600δ²) "
            "(periodic) in the fluctuation: the integral of the squared kernel. The kernel's "
            "trace is the sum over the modes."
        ),
        tex=r"\iint(G-\tfrac1\alpha)^2=\frac1{9450\delta^2},\quad\frac1{1209600\delta^2}",
        scope="all δ > 0, both boundaries",
        kind="symbolic",
        check=partial(_noise, sp.Rational(1, 9450), sp.Rational(1, 1209600)),
        variant=partial(_noise, sp.Rational(1, 9450), sp.Rational(1, 604800)),
        perturbed="1/(604800δ²) with periodic ends.",
        page=KERNELS,
    ),
    Theorem(
        id="T18.noise-sums",
        title="trace and noise of second order, by adding up modes",
        statement="The closed forms of the kernel's trace and of the integral of its square lie in "
        "enclosures of the sums of 1/Λ_m and 1/Λ_m²: no mode is missing.",
        tex=r"\sum_{m\ge1}\Lambda_m^{-1}=\int(G(o,o)-\tfrac1\alpha)\,do,\qquad"
        r"\sum_{m\ge1}\Lambda_m^{-2}=\iint(G-\tfrac1\alpha)^2",
        scope="real and complex roots (natural), double and complex ones (periodic); "
        "tails bounded by integrals",
        kind="numeric",
        check=_sums,
        variant=partial(_sums, exponent=lambda power: 3 - power),
        perturbed="Trace and noise exchanged.",
        page=KERNELS,
    ),
)
