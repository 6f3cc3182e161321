r"""Theorem 1: the named members of the family have the weights that the tables give.

The form is written out once more, with SymPy's own integrals on arbitrary functions, so that
neither the members nor the form itself can change unnoticed.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.continuum import InnerProduct, generic, o
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric, Spacing

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = "theory/metric-family.md"
BOUNDARIES, SPACINGS = get_args(Boundary), get_args(Spacing)
lam, t, ell = sp.symbols("lambda t ell", positive=True)
ORDINARY = (1, 1, lam, 0)


def _means(u: Any, weight: Any = 1) -> Any:
    return weight * sp.Integral(u, (o, 0, 1))


def _members(ordinary: tuple[Any, ...] = ORDINARY) -> bool:
    """Compare the weights of every member, as numbers and as symbols, with the table."""
    value = 0.375
    tables = {
        "l2": (1, 1, 0, 0),
        "reweighted_h0": (1, lam, 0, 0),
        "sobolev": (1, 0, lam, 0),
        "ordinary_sobolev": ordinary,
        "biharmonic": (1, 0, 0, lam),
        "spline": (1, 1, 0, lam),
    }
    default, asked = ("natural", "normalized"), [*product(BOUNDARIES, SPACINGS)]
    right = True
    for name, table in tables.items():
        make, form = getattr(Metric, name), getattr(InnerProduct, name)
        given = [] if name == "l2" else [lam]
        found: dict[tuple[Any, Any], Metric] = {default: make(*(value for _ in given))}
        right &= form(*given) == _product(table)
        order = 2 if table[3] != 0 else int(table[2] != 0)
        if order:
            found |= {ends: make(value, boundary=ends[0], spacing=ends[1]) for ends in asked}
            right &= found[default] == make(value)
            right &= all(form(lam, ends) == _product(table, ends) for ends in BOUNDARIES)
        weights = [float(sp.sympify(weight, strict=True).subs(lam, value)) for weight in table]
        for (boundary, spacing), metric in found.items():
            right &= metric == Metric(*weights, boundary=boundary, spacing=spacing)
            right &= metric.derivative_order == order
            # On n channels the derivative weighs γn², the curvature δn⁴, or γ and δ where a step is
            # one channel.
            scale = 25 if spacing == "normalized" else 1
            right &= metric.stiffness(5) == weights[2] * scale
            right &= metric.rigidity(5) == weights[3] * scale**2
            right &= metric.is_multiple_of_l2 == (name == "l2")
            if spacing == "normalized":
                right &= InnerProduct.of(metric) == _product(map(sp.Rational, weights), boundary)
    alike = [Metric(2.0, 2.0, *more).is_multiple_of_l2 for more in ((), (1.0,), (0.0, 1.0))]
    return right and alike == [True, False, False]


def _product(weights: Iterable[Any], boundary: Boundary = "natural") -> InnerProduct:
    alpha, beta, gamma, delta = weights
    return InnerProduct(alpha, beta, gamma, boundary, curvature=delta)


def _definition(own: int = 1) -> bool:
    """Compare the form on arbitrary functions with its definition, the integrals untouched."""
    alpha, beta, gamma, delta = sp.symbols("alpha beta gamma delta", real=True)
    h, k = generic("h"), generic("k")
    h_bar, k_bar = _means(h), _means(k)
    # ∫(h−h̄)(k−k̄) = ∫hk − h̄k̄, as h̄ and k̄ are numbers.
    fluctuation = _means(h * k) - own * h_bar * k_bar
    claimed = (
        alpha * h_bar * k_bar
        + beta * fluctuation
        + gamma * _means(h.diff(o) * k.diff(o))
        + delta * _means(h.diff(o, 2) * k.diff(o, 2))
    )
    forms = [_product((alpha, beta, gamma, delta), boundary) for boundary in BOUNDARIES]
    return all(sp.expand(form(h, k) - claimed) == 0 for form in forms)


def _length(kept: int = 2) -> bool:
    r"""Compare :meth:`Metric.of_length` with the member that halves waves of 2πℓ channels.

    One channel is the unit of length, so the eigenvalue of a wave of frequency ω on a line is
    β + γω² + δω⁴. On channels ω is 2 sin(θ/2) for a wave that turns by θ per channel, at most θ.
    """
    omega, theta = sp.symbols("omega theta", positive=True)
    right = sp.limit(2 * sp.sin(theta / 2) / theta, theta, 0) == 1
    for order, boundary, length in product((1, 2), BOUNDARIES, (0.5, 3.0)):
        metric = Metric.of_length(length, derivative_order=order, boundary=boundary)
        weights = (metric.fluctuation, metric.derivative, metric.curvature)
        beta, gamma, delta = map(sp.Rational, weights)
        eigenvalue = beta + gamma * omega**2 + delta * omega**4
        right &= eigenvalue.subs(omega, 1 / sp.Rational(length)) == kept
        right &= (metric.boundary, metric.spacing) == (boundary, "unit")
        right &= (metric.mean, metric.derivative_order) == (1, order)
        right &= weights[3 - order] == 0  # one term alone: the wave above fixes its weight
    return right and Metric.of_length(3.0) == Metric.of_length(3.0, derivative_order=2)


def _arrangements(length: Any = ell) -> bool:
    r"""Compare other arrangements of the terms with their integrals over :math:`[0,\ell]`.

    Quadratics with symbols as coefficients separate the four terms: their Gram matrix is that of
    :math:`1,t,t^2`. The form on [0, 1] is of h(ℓo); zero and unit arguments may be left out.
    """
    a, b, c, d, e = sp.symbols("a b c d e", positive=True)
    h = sum(coefficient * t**j for j, coefficient in enumerate(sp.symbols("h:3")))

    def over(u: Any) -> Any:
        return sp.integrate(sp.expand(u), (t, 0, length))

    mean = over(h) / length
    terms = {
        "square": (a, over(h**2)),
        "mean": (b, mean**2),
        "fluctuation": (c, over((h - mean) ** 2)),
        "derivative": (d, over(sp.diff(h, t) ** 2)),
        "curvature": (e, over(sp.diff(h, t, 2) ** 2)),
    }
    subsets = [
        tuple(terms),
        ("square", "derivative"),
        ("square", "curvature"),
        ("mean", "fluctuation"),
        ("mean", "square"),
    ]
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
        statement="L² is (1, 1, 0, 0), re-weighted H⁰ (1, λ, 0, 0), channel-directed Sobolev "
        "(1, 0, λ, 0), ordinary H¹ (1, 1, λ, 0), the biharmonic member (1, 0, 0, λ) and the spline "
        "(1, 1, 0, λ), in numbers and in symbols, with the ends and the spacing asked for, natural "
        "and normalized unless asked.",
        tex=r"(\alpha,\beta,\gamma,\delta)=(1,1,0,0),\ (1,\lambda,0,0),\ (1,0,\lambda,0),\ "
        r"(1,1,\lambda,0),\ (1,0,0,\lambda),\ (1,1,0,\lambda)",
        scope="symbolic λ for inner products, one λ for metrics; both boundaries and spacings",
        kind="exact",
        check=_members,
        variant=partial(_members, ordinary=(1, 0, lam, 0)),
        perturbed="Ordinary H¹ is (1, 0, λ, 0).",
        page=PAGE,
    ),
    Theorem(
        id="T1.length",
        title="the member of a correlation length",
        statement=(
            "The member of correlation length ℓ, of first or of second order, keeps the mean "
            "and halves a wave that is 2πℓ channels long."
        ),
        tex=r"\beta+\gamma\omega^2+\delta\omega^4\big|_{\omega=1/\ell}=2,\qquad "
        r"(\gamma,\delta)=(\ell^2,0)\ \text{or}\ (0,\ell^4)",
        scope="two lengths, both orders and boundaries; on a line: on channels ω is 2 sin(θ/2), "
        "so that more than half is kept, and half in the limit of long waves",
        kind="exact",
        check=_length,
        variant=partial(_length, kept=3),
        perturbed="A third is kept.",
        page=PAGE,
    ),
    Theorem(
        id="T1.definition",
        title="the code computes the form as it is defined",
        statement=(
            "On arbitrary functions the form that the code computes is αh̄k̄ + β∫(h−h̄)(k−k̄) "
            "+ γ∫h′k′ + δ∫h″k″."
        ),
        tex=r"\langle h,k\rangle=\alpha\,\bar h\bar k+\beta\Bigl(\int hk-\bar h\bar k\Bigr)"
        r"+\gamma\int h'k'+\delta\int h''k''",
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
        statement="a∫hk + bh̄k̄ + c∫(h−h̄)(k−k̄) + d∫h′k′ + e∫h″k″ over an interval of length ℓ "
        "is the member (aℓ + b, (a + c)ℓ, d/ℓ, e/ℓ³).",
        tex=r"a\int_0^\ell h^2dt+b\,\bar h^2+c\int_0^\ell(h-\bar h)^2dt+d\int_0^\ell\dot h^2dt"
        r"+e\int_0^\ell\ddot h^2dt=\langle h(\ell\,\cdot),h(\ell\,\cdot)\rangle",
        scope="all weights and lengths > 0, all quadratics h, which separate the terms; five "
        "choices of terms",
        kind="symbolic",
        check=_arrangements,
        variant=partial(_arrangements, length=sp.Integer(1)),
        perturbed="The length does not enter.",
        page=PAGE,
    ),
)
