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
general, first order         :math:`-\gamma\tilde k''+\beta\tilde k=g-\bar g`
second order                 two of first order, see :func:`assembled`
===========================  ======================================================================

None of these lines is typed into the code below: it takes the operator that
:mod:`~cdg_theory.continuum.weak_form` derived, finds its fundamental system from the
characteristic polynomial, a particular solution by variation of parameters, and the constants from
the end conditions. With a curvature the gradient is made of two of first order
(:func:`assembled`); that it solves its own equation and end conditions is checked, not assumed.
Theorems 2 and 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.functions import collected, expanded, integral, mean, o, s
from cdg_theory.continuum.inner_product import InnerProduct, check_inner_product
from cdg_theory.continuum.weak_form import StrongForm, strong_form

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def response(self, source: Any, lower: Any, upper: Any) -> Any:
        r"""Return what a source between two points adds to k at o; its k and k′ are 0 at ``lower``.

        With a fundamental system :math:`y_1,y_2` it is
        :math:`\int_{\text{lower}}^{\text{upper}}\frac{y_1(t)y_2(o)-y_2(t)y_1(o)}{y_1y_2'-y_2y_1'}\,
        \frac{\text{source}(t)}{\text{leading}}\,dt` (variation of parameters).
        """
        first, second = self.fundamental
        weight = source / self._scale
        return expanded(
            second * integral(first * weight, lower, upper)
            - first * integral(second * weight, lower, upper)
        )

    def impulse(self, channel: Any) -> Any:
        """Return what a unit source at one channel adds to k at o, right of it."""
        first, second = self.fundamental
        below, above = (y.subs(o, channel) for y in self.fundamental)
        return expanded((below * second - above * first) / self._scale)

    @property
    def _scale(self) -> Any:
        """The leading coefficient times the Wronskian, which is constant."""
        first, second = self.fundamental
        return self.leading * sp.expand(first * second.diff(o) - second * first.diff(o))

    def closed(self, left: Any, right: Any, k_bar: Any) -> tuple[Any, Any]:
        """Return two pieces that meet at s, made to meet the end conditions and to have a mean."""
        constants = sp.symbols("c1 c2")
        free = sum(c * y for c, y in zip(constants, self.fundamental, strict=True))
        conditions = self.form.end_conditions(left + free, right + free)
        if self.degenerate:
            # The last end condition follows from the others: the right side has mean 0.
            conditions[-1] = mean_of_pieces(left + free, right + free) - k_bar
        (solution,) = sp.linsolve(conditions, *constants)
        found = dict(zip(constants, map(sp.factor, solution), strict=True))
        return collected((left + free).subs(found)), collected((right + free).subs(found))


def mean_of_pieces(left: Any, right: Any) -> Any:
    """Return the mean of a function in two pieces, which change at s."""
    return mean(left) if left == right else integral(left, 0, s) + integral(right, s, 1)


@cache
def equation_of(inner: InnerProduct) -> Equation:
    """Derive the equation of a gradient of at most first order from its weak form.

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
    TypeError
        If ``inner`` is not an inner product.
    ValueError
        If the form is certainly not definite.
    sympy.SympifyError
        If ``g`` is not a SymPy expression or a number.

    See Also
    --------
    cdg_theory.continuum.strong_form : The equation that it solves.
    cdg_theory.continuum.green_function : The kernel that gives it.
    cdg_theory.discrete.riemannian_gradient : The same on n channels.
    cdg_theory.continuum.weak_residual : Its definition.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, o, riemannian_gradient
    >>> lam = sp.Symbol("lambda", positive=True)

    The re-weighted H⁰ gradient is one line, :math:`\bar g + (g-\bar g)/\lambda`:

    >>> riemannian_gradient(o, InnerProduct.reweighted_h0(lam))
    1/2 + o/lambda - 1/(2*lambda)

    The channel-directed Sobolev gradient is two integrals:

    >>> riemannian_gradient(o, InnerProduct.sobolev(lam))
    1/2 - o**3/(6*lambda) + o**2/(4*lambda) - 1/(24*lambda)
    >>> riemannian_gradient(o, InnerProduct.sobolev(lam, "periodic"))
    1/2 - o**3/(6*lambda) + o**2/(4*lambda) - o/(12*lambda)

    The biharmonic member's is four:

    >>> riemannian_gradient(o, InnerProduct.biharmonic(1))
    o**5/120 - o**4/48 + o**2/48 + 119/240
    """
    check_inner_product(inner)
    inner.check_definite()
    factors, values = inner.factors()
    (k,) = assembled(factors, lambda chain: (_along(chain, g),), mean(g) / factors[0].mean)
    return expanded(k.xreplace(values))


def _along(chain: tuple[InnerProduct, ...], k: Any) -> Any:
    """Return the gradients of a chain of members, one after the other."""
    for equation in map(equation_of, chain):
        k_bar = equation.mean_of_gradient(mean(k))
        k = sp.expand(k - equation.coupling * k_bar)
        if equation.fundamental:
            particular = equation.response(k, 0, o)
            k, _ = equation.closed(particular, particular, k_bar)
        else:
            k = sp.expand(k / equation.leading)
    return k


def assembled(
    factors: tuple[InnerProduct, ...],
    solve: Callable[[tuple[InnerProduct, ...]], tuple[Any, ...]],
    k_bar: Any,
) -> tuple[Any, ...]:
    r"""Return a member's solution, of solutions of first order.

    ``solve`` takes a chain of members and returns the pieces of the solution; all of them have the
    mean ``k_bar``. For the factors with roots μ and ν, and :math:`k_\mu` that of
    :math:`(\alpha,\mu^2,1)`, it is

    .. math:: k=\bar k-\frac1\delta\,\frac{k_\mu-k_\nu}{\mu^2-\nu^2},\qquad
        k=\bar k-\frac1{2\mu\delta}\frac{\partial k_\mu}{\partial\mu}\quad(\mu=\nu\ne0),

    which needs less algebra than one factor after the other; that is left for μ = ν = 0.
    """
    first, second = factors[0], factors[-1]
    if len(factors) == 1 or first.fluctuation == second.fluctuation == 0:
        return solve(factors)
    p, q, delta = first.fluctuation, second.fluctuation / second.derivative, second.derivative
    pieces, mu, nu = solve((first,)), sp.sqrt(p), sp.sqrt(q)
    if p == q:
        quotients = [sp.diff(piece, mu) / (2 * mu) for piece in pieces]
    else:
        # The same with ν for μ, unless it is 0 and the equation another.
        again = InnerProduct(first.mean, q, 1, first.boundary)
        others = [piece.xreplace({mu: nu}) for piece in pieces] if q != 0 else solve((again,))
        quotients = [(a - b) / (p - q) for a, b in zip(pieces, others, strict=True)]
    return tuple(k_bar - quotient / delta for quotient in quotients)
