r"""Theorem 1: the named members of the family are the ones that the tables name.

The form is written out once more, with SymPy's own integrals on arbitrary functions, so that
neither the members nor the form itself can change unnoticed.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct, generic, o
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric, Spacing

PAGE = "theory/metric-family.md"
BOUNDARIES, SPACINGS = get_args(Boundary), get_args(Spacing)
lam, t, ell = sp.symbols("lambda t ell", positive=True)
ORDINARY = (1, 1, lam)


def _means(u: Any, weight: Any = 1) -> Any:
    return weight * sp.Integral(u, (o, 0, 1))


def _members(ordinary: tuple[Any, Any, Any] = ORDINARY) -> bool:
    """Compare the weights of every member, as numbers and as symbols, with the table."""
    value = 0.375
    tables = {
        "l2": (1, 1, 0),
        "reweighted_h0": (1, lam, 0),
        "sobolev": (1, 0, lam),
        "ordinary_sobolev": ordinary,
    }
    default, asked = ("natural", "normalized"), [*product(BOUNDARIES, SPACINGS)]
    right = True
    for name, table in tables.items():
        make, form = getattr(Metric, name), getattr(InnerProduct, name)
        given = [] if name == "l2" else [lam]
        found: dict[tuple[Any, Any], Metric] = {default: make(*(value for _ in given))}
        right &= form(*given) == InnerProduct(*table)
        if table[2] != 0:
            found |= {ends: make(value, boundary=ends[0], spacing=ends[1]) for ends in asked}
            right &= found[default] == make(value)
            right &= all(form(lam, ends) == InnerProduct(*table, ends) for ends in BOUNDARIES)
        alpha, beta, gamma = (
            float(sp.sympify(weight, strict=True).subs(lam, value)) for weight in table
        )
        for (boundary, spacing), metric in found.items():
            right &= metric == Metric(alpha, beta, gamma, boundary=boundary, spacing=spacing)
            # On n channels the derivative weighs γn², or γ where a step is one channel.
            right &= metric.stiffness(5) == gamma * (25 if spacing == "normalized" else 1)
            right &= metric.is_multiple_of_l2 == (name == "l2")
            if spacing == "normalized":
                a, b, c = map(sp.Rational, (alpha, beta, gamma))
                right &= InnerProduct.of(metric) == InnerProduct(a, b, c, boundary)
    alike = [Metric(2.0, 2.0).is_multiple_of_l2, Metric(2.0, 2.0, 1.0).is_multiple_of_l2]
    return right and alike == [True, False]


def _definition(own: int = 1) -> bool:
    """Compare the form on arbitrary functions with its definition, the integrals untouched."""
    alpha, beta, gamma = sp.symbols("alpha beta gamma", real=True)
    h, k = generic("h"), generic("k")
    h_bar, k_bar = _means(h), _means(k)
    # ∫(h−h̄)(k−k̄) = ∫hk − h̄k̄, as h̄ and k̄ are numbers.
    fluctuation = _means(h * k) - own * h_bar * k_bar
    claimed = alpha * h_bar * k_bar + beta * fluctuation + gamma * _means(h.diff(o) * k.diff(o))
    return all(
        sp.expand(InnerProduct(alpha, beta, gamma, boundary)(h, k) - claimed) == 0
        for boundary in BOUNDARIES
    )


def _arrangements(length: Any = ell) -> bool:
    r"""Compare other arrangements of the terms with their integrals over :math:`[0,\ell]`.

    Quadratics with symbols as coefficients separate the three terms: their Gram matrix is that of
    :math:`1,t,t^2`. The form on [0, 1] is of h(ℓo); zero and unit arguments may be left out.
    """
    a, b, c, d = sp.symbols("a b c d", positive=True)
    h = sum(coefficient * t**j for j, coefficient in enumerate(sp.symbols("h:3")))

    def over(u: Any) -> Any:
        return sp.integrate(sp.expand(u), (t, 0, length))

    mean = over(h) / length
    terms = {
        "square": (a, over(h**2)),
        "mean": (b, mean**2),
        "fluctuation": (c, over((h - mean) ** 2)),
        "derivative": (d, over(sp.diff(h, t) ** 2)),
    }
    subsets = [tuple(terms), ("square", "derivative"), ("mean", "fluctuation"), ("mean", "square")]
    for boundary, names in product(BOUNDARIES, subsets):
        weights = {name: terms[name][0] for name in names}
        member = InnerProduct.from_terms(**weights, length=ell, boundary=boundary)
        claimed = sum(weight * integral for weight, integral in (terms[name] for name in names))
        if member.boundary != boundary:
            return False
        own = h.subs(t, ell * o)
        if not vanishes(member(own, own) - claimed):
            return False
        unit = InnerProduct.from_terms(**weights)
        if unit != InnerProduct.from_terms(**weights, length=1, boundary="natural"):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T1.members",
        title="the named members",
        statement="L² is (1, 1, 0), re-weighted H⁰ (1, λ, 0), channel-directed Sobolev (1, 0, λ) "
        "and ordinary H¹ (1, 1, λ), in numbers and in symbols, with the ends and the spacing "
        "asked for, natural and normalized unless asked.",
        tex=r"(\alpha,\beta,\gamma)=(1,1,0),\ (1,\lambda,0),\ (1,0,\lambda),\ (1,1,\lambda)",
        scope="symbolic λ for inner products, one λ for metrics; both boundaries and spacings",
        kind="exact",
        check=_members,
        variant=partial(_members, ordinary=(1, 0, lam)),
        perturbed="Ordinary H¹ is (1, 0, λ).",
        page=PAGE,
    ),
    Theorem(
        id="T1.definition",
        title="the form is its definition",
        statement="On arbitrary functions the code's form is αh̄k̄ + β∫(h−h̄)(k−k̄) + γ∫h′k′.",
        tex=r"\langle h,k\rangle=\alpha\,\bar h\bar k+\beta\Bigl(\int hk-\bar h\bar k\Bigr)"
        r"+\gamma\int h'k'",
        scope="all functions, all real weights, both boundaries",
        kind="symbolic",
        check=_definition,
        variant=partial(_definition, own=0),
        perturbed="β weighs ∫hk, the means left in.",
        page=PAGE,
    ),
    Theorem(
        id="T1.arrangements",
        title="other arrangements of the terms are members",
        statement="a∫hk + bh̄k̄ + c∫(h−h̄)(k−k̄) + d∫h′k′ over an interval of length ℓ is the "
        "member (aℓ + b, (a + c)ℓ, d/ℓ).",
        tex=r"a\int_0^\ell h^2dt+b\,\bar h^2+c\int_0^\ell(h-\bar h)^2dt+d\int_0^\ell\dot h^2dt"
        r"=\langle h(\ell\,\cdot),h(\ell\,\cdot)\rangle",
        scope="all weights and lengths > 0, all quadratics h, which separate the terms; four "
        "choices of terms",
        kind="symbolic",
        check=_arrangements,
        variant=partial(_arrangements, length=sp.Integer(1)),
        perturbed="The length does not enter.",
        page=PAGE,
    ),
)
