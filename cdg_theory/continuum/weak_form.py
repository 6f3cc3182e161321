r"""From the definition of the gradient to a differential equation and its end conditions.

The gradient k of a loss with ordinary gradient g is *defined* by the weak form

.. math:: \langle k,h\rangle = \int_0^1 g\,h\,do \qquad\text{for every } h .

To read an equation for k off it, move every derivative from h to k. :func:`integrate_by_parts`
does that on any integrand that is linear in an arbitrary function h, and checks its own work by
differentiating it. What stands beside h under the integral is the Euler–Lagrange operator; what
stands beside h at the ends gives the end conditions.

For the family the code finds, with any symbols as weights,

.. math:: \delta k^{(4)} - \gamma k'' + \beta k + (\alpha-\beta)\,\bar k = g ,

and what is left at the ends is :math:`[\,qh-mh'\,]_0^1` with the *flux*
:math:`q=\gamma k'-\delta k^{(3)}` beside h and the *moment* :math:`m=-\delta k''` beside
:math:`-h'`. So

============  ==================================  ============================================
member        natural                             periodic
============  ==================================  ============================================
first order   q(0) = q(1) = 0                     k and q agree at the ends
second order  k′(0) = k′(1) = 0 (asked of k),     k and k′ (asked of k), q and m agree at the
              q(0) = q(1) = 0; hence k‴ = 0       ends
============  ==================================  ============================================

With a curvature the slope is asked to vanish at natural ends, so the moment is free there. If it
were not asked, the moment would have to vanish instead: another operator, with other modes.

Theorems 2 and 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.core.function import AppliedUndef

from cdg_theory.checks import described
from cdg_theory.continuum.functions import at, generic, integral, o, vanishes
from cdg_theory.continuum.inner_product import InnerProduct, check_inner_product

if TYPE_CHECKING:
    from cdg_theory.metric import Boundary


def integrate_by_parts(density: Any, h: Any) -> tuple[Any, Any]:
    r"""Return (X, F) with ``density`` = h X + F′, for a density linear in the arbitrary function h.

    Each term :math:`c\,h^{(j)}` becomes :math:`(-1)^j c^{(j)} h` and leaves
    :math:`\sum_{i<j} (-1)^i c^{(i)} h^{(j-1-i)}` in the flux F.

    =========  ===========  ==============================================
    symbol     argument     meaning
    =========  ===========  ==============================================
    (density)  ``density``  an expression, linear in h and its derivatives
    :math:`h`  ``h``        an arbitrary function, :func:`generic`
    =========  ===========  ==============================================

    Raises
    ------
    TypeError
        If ``h`` is not an arbitrary function of o.
    ValueError
        If the density is not linear in ``h`` and its derivatives.

    See Also
    --------
    cdg_theory.continuum.strong_form : Uses it.
    cdg_theory.continuum.generic : Makes arbitrary functions.

    Examples
    --------
    >>> from cdg_theory.continuum import generic, integrate_by_parts, o
    >>> h, k = generic("h"), generic("k")
    >>> integrate_by_parts(h.diff(o) * k.diff(o), h)
    (-Derivative(k(o), (o, 2)), h(o)*Derivative(k(o), o))
    """
    if not isinstance(h, AppliedUndef):
        msg = f"h must be an arbitrary function of o, got {described(h)}; generic('h') is one"
        raise TypeError(msg)
    order = max(
        (d.derivative_count for d in density.atoms(sp.Derivative) if d.expr == h), default=0
    )
    jet = [h, *(sp.Derivative(h, (o, j)) for j in range(1, order + 1))]
    remainder = sp.expand(density)
    coefficients = [remainder.coeff(jet[order])]
    for j in range(order - 1, -1, -1):
        coefficients.insert(0, remainder.coeff(jet[j]))
    operator, flux = sp.Integer(0), sp.Integer(0)
    for j, coefficient in enumerate(coefficients):
        operator += (-1) ** j * sp.diff(coefficient, o, j)
        flux += sum((-1) ** i * sp.diff(coefficient, o, i) * jet[j - 1 - i] for i in range(j))
    # The product rule has the last word.
    if sp.expand(h * operator + sp.diff(flux, o) - density) != 0:
        msg = f"the density must be linear in {h} and its derivatives, got {density}"
        raise ValueError(msg)
    return operator, flux


@dataclass(frozen=True)
class StrongForm:
    r"""The conditions on k that follow from the weak form: an equation inside, and end conditions.

    =================  ===========================================================================
    field              meaning
    =================  ===========================================================================
    ``operator``       the expression in ``unknown`` that must equal g inside (0, 1)
    ``flux``           what stands beside h at an end: :math:`[\,qh-mh'\,]_0^1`
    ``moment``         what stands beside :math:`-h'` there; 0 without a curvature
    ``unknown``        the arbitrary function k that all are written in
    ``boundary``       which h are allowed, hence which end conditions follow
    =================  ===========================================================================

    See Also
    --------
    cdg_theory.continuum.strong_form : Derives it.
    cdg_theory.continuum.weak_residual : The weak form.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, o, strong_form
    >>> form = strong_form(InnerProduct.sobolev(1))
    >>> form.is_solved_by(sp.cos(sp.pi * o), sp.pi**2 * sp.cos(sp.pi * o))
    True
    """

    operator: Any
    flux: Any
    moment: Any
    unknown: Any
    boundary: Boundary

    def apply(self, k: Any) -> Any:
        """Return the Euler–Lagrange operator applied to ``k``."""
        return _substitute(self.operator, self.unknown, k)

    def flux_of(self, k: Any) -> Any:
        """Return the flux of ``k`` as a function of o."""
        return _substitute(self.flux, self.unknown, k)

    def continuous(self, k: Any) -> list[Any]:
        """Return what must not jump: ``k`` and, with a curvature, its slope and its moment."""
        if self.moment == 0:
            return [k]
        return [k, _slope(k), _substitute(self.moment, self.unknown, k)]

    def end_conditions(self, left: Any, right: Any | None = None) -> list[Any]:
        """Return the expressions that must vanish at the ends.

        A function in two pieces is given as ``left`` (which holds at o = 0) and ``right`` (at 1).
        Natural: h(0) and h(1) are free, so the flux vanishes at each end; with a curvature the
        slope of k is asked to vanish too, as that of h. Periodic: k(0) = k(1) is asked of k itself,
        and h(0) = h(1) is free, so the flux is the same at both ends; with a curvature slopes and
        moments likewise. With no derivative in the form there is no flux and nothing is asked.
        """
        right = left if right is None else right
        if self.flux == 0:
            return []
        if self.boundary == "natural":
            vanishing = [self.flux_of] if self.moment == 0 else [_slope, self.flux_of]
            return [at(end(k), x) for end in vanishing for k, x in ((left, 0), (right, 1))]
        starts = [*self.continuous(left), self.flux_of(left)]
        stops = [*self.continuous(right), self.flux_of(right)]
        return [at(stop, 1) - at(start, 0) for start, stop in zip(starts, stops, strict=True)]

    def is_solved_by(self, k: Any, g: Any) -> bool:
        """Return whether ``k`` is the gradient for ``g``: the weak form holds for *every* h.

        The equation and the conditions are checked as identities; integration by parts, run
        backwards, then gives the weak form for arbitrary h.
        """
        return vanishes(self.apply(k) - g) and all(map(vanishes, self.end_conditions(k)))


def _slope(k: Any) -> Any:
    return sp.diff(k, o)


def _substitute(expression: Any, unknown: Any, k: Any) -> Any:
    # Integrals of k over [0, 1] are numbers; ours knows how to integrate term by term.
    means = {
        number: integral(number.function.subs(unknown, k).doit(integrals=False))
        for number in expression.atoms(sp.Integral)
    }
    return expression.xreplace(means).subs(unknown, k).doit(integrals=False)


def strong_form(inner: InnerProduct) -> StrongForm:
    r"""Derive the Euler–Lagrange operator, the flux and the moment from :math:`\langle k,h\rangle`.

    =================================  =========  ==============================================
    symbol                             argument   meaning
    =================================  =========  ==============================================
    :math:`\langle\cdot,\cdot\rangle`  ``inner``  an :class:`~cdg_theory.continuum.InnerProduct`
    =================================  =========  ==============================================

    Returns
    -------
    StrongForm
        Equation, flux and moment, in an arbitrary function k.

    Raises
    ------
    TypeError
        If ``inner`` is not an inner product.

    See Also
    --------
    cdg_theory.continuum.StrongForm : What is returned.
    cdg_theory.continuum.integrate_by_parts : How it is derived.
    cdg_theory.continuum.riemannian_gradient : Solves it.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, generic, integral, o, strong_form
    >>> a, b, c = sp.symbols("alpha beta gamma", positive=True)
    >>> form = strong_form(InnerProduct(a, b, c))
    >>> k = generic("k")
    >>> sp.collect(form.operator, [b, c]) == (
    ...     -c * k.diff(o, 2) + b * (k - integral(k)) + a * integral(k)
    ... )
    True
    >>> form.flux
    gamma*Derivative(k(o), o)
    """
    check_inner_product(inner)
    h, k = generic("h"), generic("k")
    operator, flux, moment = sp.Integer(0), sp.Integer(0), sp.Integer(0)
    for term in sp.Add.make_args(inner(h, k)):
        # Each term is numbers times one integral of h: a mean of k beside it is a number.
        inside = [factor for factor in sp.Mul.make_args(term) if factor.has(h)]
        (integral_of_h,) = inside
        number = sp.Mul(*(f for f in sp.Mul.make_args(term) if not f.has(h)))
        part, end = integrate_by_parts(integral_of_h.function, h)
        operator += number * part
        flux += number * end.coeff(h)
        moment -= number * end.coeff(h.diff(o))
    operator, flux, moment = map(sp.expand, (operator, flux, moment))
    return StrongForm(operator, flux, moment, k, inner.boundary)


def weak_residual(inner: InnerProduct, k: Any, g: Any, h: Any) -> Any:
    r"""Return :math:`\langle k,h\rangle-\int gh\,do`, which a gradient k makes 0 for every h.

    =================================  =========  ==============================================
    symbol                             argument   meaning
    =================================  =========  ==============================================
    :math:`\langle\cdot,\cdot\rangle`  ``inner``  an :class:`~cdg_theory.continuum.InnerProduct`
    :math:`k`                          ``k``      the gradient, an expression in o
    :math:`g`                          ``g``      the ordinary (L²) gradient, an expression in o
    :math:`h`                          ``h``      the test function, an expression in o
    =================================  =========  ==============================================

    Raises
    ------
    TypeError
        If ``inner`` is not an inner product.
    sympy.SympifyError
        If ``k``, ``g`` or ``h`` is not a SymPy expression or a number.

    See Also
    --------
    cdg_theory.continuum.strong_form : Decides for every h at once.
    cdg_theory.continuum.riemannian_gradient : The k that makes it 0.
    cdg_theory.continuum.vanishes : Whether it is 0.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, o, polynomial, weak_residual

    The gradient in H̃¹ of a loss whose ordinary gradient is g = o, against every polynomial of
    degree 3:

    >>> k = o**2 / 4 - o**3 / 6 + sp.Rational(11, 24)
    >>> weak_residual(InnerProduct.sobolev(1), k, o, polynomial(3))
    0
    """
    check_inner_product(inner)
    k, g, h = (sp.sympify(u, strict=True) for u in (k, g, h))
    return sp.expand(inner(k, h) - integral(g * h))
