r"""The Riemannian gradient in closed form, solved from its derived equation.

The weak form tested with h = 1 says :math:`\alpha\bar k=\bar g`. What is left is an ordinary
differential equation with constant coefficients:

===========================  ======================================================================
member                       gradient (:math:`k=\bar g/\alpha+\tilde k`)
===========================  ======================================================================
L²                           :math:`\tilde k = g-\bar g`
re-weighted H⁰               :math:`\tilde k = (g-\bar g)/\lambda`
channel-directed Sobolev     :math:`-\lambda\tilde k''=g-\bar g`: integrate twice
ordinary H¹                  :math:`-\lambda\tilde k''+\tilde k=g-\bar g`
general                      :math:`-\gamma\tilde k''+\beta\tilde k=g-\bar g`
===========================  ======================================================================

None of these lines is typed into the code below: it takes the operator that
:mod:`~cdg_theory.continuum.weak_form` derived, finds its fundamental system from the
characteristic polynomial, a particular solution by variation of parameters, and the constants from
the end conditions. Theorem 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.functions import collected, expanded, integral, mean, o
from cdg_theory.continuum.weak_form import StrongForm, strong_form

if TYPE_CHECKING:
    from cdg_theory.continuum.inner_product import InnerProduct


@dataclass(frozen=True)
class Equation:
    r"""The Euler–Lagrange equation with the mean of k eliminated: local(k) = g − coupling · k̄.

    ===================  =========================================================================
    field                meaning
    ===================  =========================================================================
    ``form``             the operator, the flux and the end conditions
    ``mean_weight``      :math:`\alpha` in :math:`\alpha\bar k=\bar g`, from testing with h = 1
    ``coupling``         what the operator puts before :math:`\bar k`
    ``leading``          what it puts before the highest derivative
    ``fundamental``      two solutions of local(k) = 0, or none where no derivative occurs
    ``degenerate``       whether constants solve local(k) = 0, so that the end conditions fix k
                         only up to a constant and the mean must fix the rest
    ===================  =========================================================================
    """

    form: StrongForm
    mean_weight: Any
    coupling: Any
    leading: Any
    fundamental: tuple[Any, ...]
    degenerate: bool

    def mean_of_gradient(self, g_bar: Any) -> Any:
        r"""Return :math:`\bar k` for a loss whose ordinary gradient has the mean ``g_bar``."""
        return g_bar / self.mean_weight

    def particular(self, right: Any) -> Any:
        r"""Return the solution of local(k) = ``right`` with k(0) = k′(0) = 0.

        With a fundamental system :math:`y_1,y_2` it is
        :math:`\int_0^o \frac{y_1(t)y_2(o)-y_2(t)y_1(o)}{y_1y_2'-y_2y_1'}\,
        \frac{\text{right}(t)}{\text{leading}}\,dt` (variation of parameters).
        """
        first, second = self.fundamental
        wronskian = sp.expand(first * second.diff(o) - second * first.diff(o))
        weight = right / (self.leading * wronskian)
        return expanded(
            second * integral(first * weight, 0, o) - first * integral(second * weight, 0, o)
        )


@cache
def equation_of(inner: InnerProduct) -> Equation:
    """Derive the equation of an inner product's gradient from its weak form.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> equation_of(InnerProduct.general()).fundamental
    (exp(-mu*o), exp(mu*o))
    >>> equation_of(InnerProduct.sobolev(sp.Symbol("lambda"))).fundamental
    (1, o)
    """
    form = strong_form(inner)
    k = form.unknown
    k_bar = integral(k)
    mean_weight = inner(sp.Integer(1), k).coeff(k_bar)
    coupling = form.operator.coeff(k_bar)
    local = form.operator.subs(k_bar, 0)
    if form.flux == 0:
        return Equation(form, mean_weight, coupling, local.coeff(k), (), degenerate=False)
    rho = sp.Symbol("rho")
    wave = sp.exp(rho * o)
    characteristic = sp.Poly(sp.expand(local.subs(k, wave).doit() / wave), rho)
    roots = sp.roots(characteristic)
    fundamental = [
        sp.exp(root * o) * o**power
        for root in sorted(roots, key=sp.default_sort_key)
        for power in range(roots[root])
    ]
    degenerate = characteristic.eval(0) == 0
    return Equation(
        form, mean_weight, coupling, characteristic.LC(), tuple(fundamental), degenerate
    )


def riemannian_gradient(g: Any, inner: InnerProduct) -> Any:
    r"""Return k with :math:`\langle k,h\rangle=\int g\,h\,do` for every h.

    Parameters
    ----------
    g
        The ordinary (L²) gradient: polynomials, exponentials and trigonometric functions of o,
        with symbols in them.
    inner
        The inner product; its form must be definite.

    Raises
    ------
    ValueError
        If the form is certainly not definite.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> lam = sp.Symbol("lambda", positive=True)

    The re-weighted H⁰ gradient is one line, :math:`\bar g + (g-\bar g)/\lambda`:

    >>> riemannian_gradient(o, InnerProduct.reweighted_h0(lam))
    1/2 + o/lambda - 1/(2*lambda)

    The channel-directed Sobolev gradient is two integrals:

    >>> riemannian_gradient(o, InnerProduct.sobolev(lam))
    1/2 - o**3/(6*lambda) + o**2/(4*lambda) - 1/(24*lambda)
    >>> riemannian_gradient(o, InnerProduct.sobolev(lam, "periodic"))
    1/2 - o**3/(6*lambda) + o**2/(4*lambda) - o/(12*lambda)
    """
    inner.check_definite()
    inner, weights = inner.with_symbols()
    equation = equation_of(inner)
    k_bar = equation.mean_of_gradient(mean(g))
    right = sp.expand(g - equation.coupling * k_bar)
    if not equation.fundamental:
        return sp.expand(right / equation.leading)
    constants = sp.symbols("c1 c2")
    k = equation.particular(right) + sum(
        c * y for c, y in zip(constants, equation.fundamental, strict=True)
    )
    conditions = equation.form.end_conditions(k)
    if equation.degenerate:
        # The last end condition follows from the others: the right side has mean 0.
        conditions = [conditions[0], mean(k) - k_bar]
    (solution,) = sp.linsolve(conditions, *constants)
    k = collected(k.subs(zip(constants, map(sp.factor, solution), strict=True)))
    return expanded(k.xreplace(weights))
