r"""Green's functions: the gradient of a loss that looks at one channel only.

:math:`G(\cdot,s)` is the gradient of the loss :math:`w\mapsto w(s)`:

.. math:: \langle G(\cdot,s),h\rangle = h(s) \quad\text{for every } h, \qquad
    (\operatorname{grad}L)(o)=\int_0^1 G(o,s)\,g(s)\,ds .

It is the kernel that smooths an ordinary gradient into the Riemannian one, and the reproducing
kernel of the space. With :math:`\mu=\sqrt{\beta/\gamma}`, :math:`d=|o-s|`,

.. math::

    G = \frac1\alpha-\frac1\beta+\frac{\cosh(\mu\min(o,s))\,\cosh(\mu(1-\max(o,s)))}
        {\gamma\mu\sinh\mu}\ \text{(natural)},\qquad
    G = \frac1\alpha-\frac1\beta+\frac{\cosh(\mu(\frac12-d))}{2\gamma\mu\sinh(\mu/2)}
        \ \text{(periodic)},

and for :math:`\beta=0`

.. math::

    G = \frac1\alpha+\frac1\gamma\Bigl(\frac{o^2+s^2}2-\max(o,s)+\frac13\Bigr)\ \text{(natural)},
    \qquad
    G = \frac1\alpha+\frac1\gamma\Bigl(\frac{d^2}2-\frac d2+\frac1{12}\Bigr)\ \text{(periodic)}.

The natural kernel is that of a circle of length 2 and its mirror image at the end:
:math:`c_2(|o-s|)+c_2(o+s)`, where the circle of length :math:`\ell` has
:math:`c_\ell(x)=\cosh(\mu(\frac\ell2-x))/(2\mu\sinh\frac{\mu\ell}2)`, less its mean
:math:`1/\ell\mu^2`.

**With a curvature** the kernel is a divided difference. Let μ and ν be the roots,
:math:`\beta+\gamma\omega^2+\delta\omega^4=\delta(\omega^2+\mu^2)(\omega^2+\nu^2)`, and F(μ²) what
the kernel of :math:`(\alpha,\mu^2,1)` has besides :math:`1/\alpha`. As
:math:`\frac1{(x+p)(x+q)}=-\frac{(x+p)^{-1}-(x+q)^{-1}}{p-q}`,

.. math::

    G = \frac1\alpha-\frac1\delta\,\frac{F(\mu^2)-F(\nu^2)}{\mu^2-\nu^2}.

Complex roots :math:`\kappa\pm i\tau` make it :math:`-\operatorname{Im}F/(2\kappa\tau\delta)` at
:math:`\mu=\kappa+i\tau`, a double root :math:`-F'(\mu^2)/\delta`. Without fluctuation ν = 0, and
without derivative besides it is a polynomial: with Bernoulli's
:math:`B_4(x)=x^4-2x^3+x^2-\frac1{30}`,

.. math::

    G = \frac1\alpha-\frac{B_4(\frac{|o-s|}2)+B_4(\frac{o+s}2)}{3\delta}\ \text{(natural)},\qquad
    G = \frac1\alpha-\frac{B_4(d)}{24\,\delta}\ \text{(periodic)}.

The code derives the two pieces (left and right of s) of first order from the weak form, and makes
those of second order of them; that they reproduce and are these formulas is theorems 2 and 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp

from cdg_theory.continuum.functions import expanded, integral, o, s, vanishes
from cdg_theory.continuum.gradient import assembled, equation_of, mean_of_pieces
from cdg_theory.continuum.inner_product import InnerProduct, check_inner_product
from cdg_theory.continuum.weak_form import strong_form


@dataclass(frozen=True)
class GreenFunction:
    """Green's function :math:`G(o,s)` in two pieces, expressions in o and s.

    ==========  =================
    field       holds for
    ==========  =================
    ``left``    o ≤ s
    ``right``   o ≥ s
    ==========  =================

    See Also
    --------
    cdg_theory.continuum.green_function : Makes it.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, green_function
    >>> sp.expand(green_function(InnerProduct.sobolev(1)).diagonal)
    o**2 - o + 4/3
    """

    left: Any
    right: Any

    @property
    def piecewise(self) -> Any:
        """Both pieces in one expression."""
        return sp.Piecewise((self.left, o <= s), (self.right, True))

    @property
    def diagonal(self) -> Any:
        """G(o, o): how strongly a channel's gradient acts on the channel itself."""
        return self.left.subs(s, o)

    def smooth(self, g: Any) -> Any:
        r"""Return :math:`\int_0^1 G(o,s)\,g(s)\,ds` for a known function ``g`` of o.

        Examples
        --------
        >>> from cdg_theory.continuum import InnerProduct
        >>> kernel = green_function(InnerProduct.sobolev(1))
        >>> kernel.smooth(o)
        -o**3/6 + o**2/4 + 11/24
        """
        # ``integral`` runs over o, so the two variables change places.
        swap = {o: s, s: o}
        right, left = (piece.xreplace(swap) for piece in (self.right, self.left))
        smoothed = integral(right * g, 0, s) + integral(left * g, s, 1)
        return expanded(smoothed.subs(s, o))

    def is_reproducing(self, inner: InnerProduct) -> bool:
        """Return whether ⟨G(·,s), h⟩ = h(s) in ``inner`` for *every* h.

        Inside, the Euler–Lagrange operator must vanish on both pieces (its mean is that of the
        whole of G); at s the pieces must meet, with a curvature their slopes and moments too, and
        the flux must drop by exactly 1, the weight of h(s); at the ends the end conditions must
        hold.
        """
        form = strong_form(inner)
        k_bar = mean_of_pieces(self.left, self.right)
        operator = form.operator.subs(integral(form.unknown), sp.Symbol("k_bar"))
        inside = [
            operator.subs({form.unknown: piece, sp.Symbol("k_bar"): k_bar}).doit()
            for piece in (self.left, self.right)
        ]
        sides = zip(form.continuous(self.left), form.continuous(self.right), strict=True)
        meet = [(left - right).subs(o, s) for left, right in sides]
        drop = (form.flux_of(self.left) - form.flux_of(self.right)).subs(o, s) - 1
        ends = form.end_conditions(self.left, self.right)
        return all(map(vanishes, [*inside, *meet, drop, *ends]))


def green_function(inner: InnerProduct) -> GreenFunction:
    r"""Return Green's function, :math:`\langle G(\cdot,s),h\rangle=h(s)` for every h.

    =================================  =========  ==============================================
    symbol                             argument   meaning
    =================================  =========  ==============================================
    :math:`\langle\cdot,\cdot\rangle`  ``inner``  an :class:`~cdg_theory.continuum.InnerProduct`
    =================================  =========  ==============================================

    Returns
    -------
    GreenFunction
        In two pieces, for o ≤ s and for o ≥ s.

    Raises
    ------
    TypeError
        If ``inner`` is not an inner product.
    ValueError
        If the form has neither derivative nor curvature, since its kernel is then a multiple of a
        delta, or if it is certainly not definite.

    See Also
    --------
    cdg_theory.continuum.GreenFunction : What is returned.
    cdg_theory.continuum.riemannian_gradient : What it smooths to.
    cdg_theory.discrete.inverse_matrix : The same on n channels.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, green_function, o, s, vanishes

    For the natural Sobolev member:

    >>> alpha, gamma = sp.symbols("alpha gamma", positive=True)
    >>> kernel = green_function(InnerProduct(alpha, sp.Integer(0), gamma))
    >>> vanishes(kernel.left - 1 / alpha - ((o**2 + s**2) / 2 - s + sp.Rational(1, 3)) / gamma)
    True

    For the general member of first order, periodic:

    >>> general = InnerProduct.general("periodic")
    >>> beta, mu = general.fluctuation, sp.Symbol("mu", positive=True)
    >>> claimed = 1 / alpha - 1 / beta + sp.cosh(mu * (sp.Rational(1, 2) - s + o)) / (
    ...     2 * gamma * mu * sp.sinh(mu / 2)
    ... )
    >>> vanishes(green_function(general).left - claimed)
    True
    """
    check_inner_product(inner)
    if inner.derivative_order == 0:
        msg = (
            f"derivative and curvature must not both be 0, got {inner}; without them the kernel is "
            "1/mean - 1/fluctuation plus a delta over fluctuation"
        )
        raise ValueError(msg)
    inner.check_definite()
    factors, values = inner.factors()
    kernel = kernel_of(factors)
    return GreenFunction(*(expanded(p.xreplace(values)) for p in (kernel.left, kernel.right)))


@cache
def kernel_of(factors: tuple[InnerProduct, ...]) -> GreenFunction:
    """Return Green's function of the member with these factors, in their symbols.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> factors, values = InnerProduct.sobolev(2).factors()
    >>> sp.simplify(kernel_of(factors).left.xreplace(values))
    o**2/4 + s**2/4 - s/2 + 7/6
    """
    return GreenFunction(*assembled(factors, _along, 1 / factors[0].mean))


@cache
def _along(chain: tuple[InnerProduct, ...]) -> tuple[Any, Any]:
    """Return the two pieces of the gradients of a unit source, one after the other."""
    first, *others = map(equation_of, chain)
    # A unit source has mean 1; away from s it is 0.
    k_bar = first.mean_of_gradient(sp.Integer(1))
    left = first.response(-first.coupling * k_bar, 0, o)
    left, right = first.closed(left, left + first.impulse(s), k_bar)
    for equation in others:
        # The kernel so far is the source now, a function in two pieces.
        k_bar = equation.mean_of_gradient(k_bar)
        left, right = (expanded(piece - equation.coupling * k_bar) for piece in (left, right))
        right = equation.response(left, 0, s) + equation.response(right, s, o)
        left, right = equation.closed(equation.response(left, 0, o), right, k_bar)
    return left, right
