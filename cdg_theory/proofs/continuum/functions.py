r"""Theorem 2 rests on a calculus: integrals, and a decision for "equal", put to the test.

An integral is known by the fundamental theorem: its slope in the upper limit is the integrand, it
is 0 on an interval of length 0, and intervals add up. Nothing is integrated twice to compare.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import sympy as sp

from cdg_theory.continuum import generic, integral, mean, o, polynomial, s, trigonometric, vanishes
from cdg_theory.continuum.functions import at
from cdg_theory.ledger import Theorem

PAGE = "theory/weak-form.md"


def _integrals(slope: int = 1) -> bool:
    """Check integrals of known functions, and of arbitrary ones beside known ones."""
    mu, m = sp.Symbol("mu", positive=True), sp.Symbol("m", integer=True, positive=True)
    waves = (sp.Integer(1), sp.exp(mu * o), sp.exp(-2 * o), sp.cos(m * sp.pi * o), sp.sin(2 * o))
    g, h = generic("g"), generic("h")
    zero = []
    for power, wave in product(range(4), waves):
        u = 3 * o**power * wave - 1 / mu
        whole = integral(u, 0, s)
        zero += [sp.diff(whole, s) - slope * u.subs(o, s), whole.subs(s, 0), integral(u, s, s)]
        zero += [whole + integral(u, s, 1) - integral(u), integral(u) - mean(u)]
    inner = sp.Integral(g, (o, 0, 1))
    running = integral(g, 0, o)
    arbitrary = [
        integral(3 * h - mu * g + 2 * o) - 3 * integral(h) + mu * integral(g) - 1,
        integral(g) - inner,
        # Means are numbers, and leave the integral.
        integral(h * mean(g)) - mean(g) * mean(h),
        # By parts: ∫oG = ∫(1 − o²)/2·g with G the running integral of g.
        integral(o * running) - integral((1 - o**2) * g) / 2,
        at(1 + running, 0) - 1,
        at(running, 1) - inner,
    ]
    return all(map(vanishes, zero)) and all(sp.expand(term) == 0 for term in arbitrary)


def _decides(other: int = -1) -> bool:
    """Check that identities are found equal to 0, and neighbours of theirs not."""
    mu, a = sp.symbols("mu a", positive=True)
    g, h = integral(generic("g")), integral(generic("h"))
    identities = [
        (sp.cosh(o) ** 2, 1 + sp.sinh(o) ** 2),
        (sp.cos(2 * o), 1 - 2 * sp.sin(o) ** 2),
        (sp.exp(mu) / (sp.exp(mu) - 1), 1 / (1 - sp.exp(-mu))),
        (sp.sinh(mu), 2 * sp.sinh(mu / 2) * sp.cosh(mu / 2)),
        (sp.exp(mu / 3) * sp.exp(mu / 2), sp.exp(5 * mu / 6)),
        ((1 + o) ** 3, 1 + 3 * o + 3 * o**2 + o**3),
        (a * g + (g + h) * sp.exp(o), (a + sp.exp(o)) * g + h * sp.exp(o)),
    ]
    neighbours = [*(1 + a for _, a in identities), *(-a for _, a in identities)]
    left = [one for one, _ in identities] * 2
    return all(vanishes(one + other * same) for one, same in identities) and not any(
        vanishes(one - near) for one, near in zip(left, neighbours, strict=True)
    )


def _classes(degree: int = 2) -> bool:
    """Check the classes of functions that proofs try: their coefficients are all free."""
    a0, a1, a2, b0, b1, b2, c1, c2 = sp.symbols("a0 a1 a2 b0 b1 b2 b1_ b2_", real=True)
    quadratics = a0 + a1 * o + a2 * o**degree
    waves = b0 + b1 * sp.cos(sp.pi * o) + c1 * sp.sin(sp.pi * o)
    waves += b2 * sp.cos(2 * sp.pi * o) + c2 * sp.sin(2 * sp.pi * o)
    f = generic("f")
    return (
        sp.expand(polynomial(2) - quadratics) == 0
        and sp.expand(trigonometric(2) - waves) == 0
        and f.free_symbols == {o}
        and f.diff(o, 3) != 0
    )


THEOREMS = (
    Theorem(
        id="T2.integrals",
        title="the calculus computes integrals correctly",
        statement=(
            "The derivative of an integral by its upper limit is the integrand, the integral "
            "over a point is 0, and integrals over adjoining intervals add up. On arbitrary "
            "functions the integral is linear, constant factors come out of it, and "
            "integration by parts turns a running integral into a single one."
        ),
        tex=r"\frac{d}{ds}\int_0^su\,do=u(s),\qquad\int_0^1o\int_0^og=\int_0^1\frac{1-o^2}2\,g",
        scope="powers up to 3 times exponentials, cosines, sines, symbolic rates; all functions",
        kind="symbolic",
        check=_integrals,
        variant=partial(_integrals, slope=2),
        perturbed="Its slope is twice the integrand.",
        page=PAGE,
    ),
    Theorem(
        id="T2.decision",
        title="the procedure that decides whether expressions are equal",
        statement=(
            "The procedure finds identities between powers, exponentials, hyperbolic and "
            "trigonometric functions, with integrals of arbitrary functions as numbers. It "
            "tells apart expressions that differ in one place."
        ),
        tex=r"\cosh^2-\sinh^2-1=0\ne\cosh^2+\sinh^2-1",
        scope="seven identities and fourteen neighbours of theirs",
        kind="exact",
        check=_decides,
        variant=partial(_decides, other=1),
        perturbed="The same with the sum of both sides.",
        page=PAGE,
    ),
    Theorem(
        id="T2.classes",
        title="the classes of functions that proofs try",
        statement="Polynomials and trigonometric polynomials have every term, with a symbol for "
        "each coefficient.",
        tex=r"a_0+a_1o+a_2o^2,\qquad b_0+\sum_m b_m\cos m\pi o+c_m\sin m\pi o",
        scope="degree 2, two waves; an arbitrary function is one of o, and no polynomial",
        kind="symbolic",
        check=_classes,
        variant=partial(_classes, degree=3),
        perturbed="The last power is o³.",
        page=PAGE,
    ),
)
