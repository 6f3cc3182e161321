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

The code derives the two pieces (left and right of s) from the weak form; that they are these
formulas is theorem 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.functions import collected, expanded, integral, o, s, vanishes
from cdg_theory.continuum.gradient import equation_of

if TYPE_CHECKING:
    from cdg_theory.continuum.inner_product import InnerProduct


@dataclass(frozen=True)
class GreenFunction:
    """Green's function in two pieces, expressions in o and s.

    ==========  =================
    field       holds for
    ==========  =================
    ``left``    o ≤ s
    ``right``   o ≥ s
    ==========  =================
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
        """Whether ⟨G(·,s), h⟩ = h(s) for *every* h, by the strong form on either side of s.

        Inside, the Euler–Lagrange operator must vanish on both pieces (its mean is that of the
        whole of G); at s the pieces must meet and the flux must drop by exactly 1, the weight of
        h(s); at the ends the end conditions must hold.
        """
        equation = equation_of(inner)
        form = equation.form
        k_bar = integral(self.left, 0, s) + integral(self.right, s, 1)
        operator = form.operator.subs(integral(form.unknown), sp.Symbol("k_bar"))
        inside = [
            operator.subs({form.unknown: piece, sp.Symbol("k_bar"): k_bar}).doit()
            for piece in (self.left, self.right)
        ]
        meet = (self.left - self.right).subs(o, s)
        drop = (form.flux_of(self.left) - form.flux_of(self.right)).subs(o, s) - 1
        ends = form.end_conditions(self.left, self.right)
        return all(map(vanishes, [*inside, meet, drop, *ends]))


def green_function(inner: InnerProduct) -> GreenFunction:
    r"""Solve :math:`\langle G(\cdot,s),h\rangle=h(s)` on either side of s.

    Raises
    ------
    ValueError
        If the form has no derivative: its kernel is then a multiple of a delta, not a function; or
        if it is certainly not definite.

    Examples
    --------
    The docstring's formula for the natural Sobolev member, derived:

    >>> from cdg_theory.continuum import InnerProduct
    >>> alpha, gamma = sp.symbols("alpha gamma", positive=True)
    >>> kernel = green_function(InnerProduct(alpha, sp.Integer(0), gamma))
    >>> vanishes(kernel.left - 1 / alpha - ((o**2 + s**2) / 2 - s + sp.Rational(1, 3)) / gamma)
    True

    and the general one, periodic:

    >>> general = InnerProduct.general("periodic")
    >>> beta, mu = general.fluctuation, sp.Symbol("mu", positive=True)
    >>> claimed = 1 / alpha - 1 / beta + sp.cosh(mu * (sp.Rational(1, 2) - s + o)) / (
    ...     2 * gamma * mu * sp.sinh(mu / 2)
    ... )
    >>> vanishes(green_function(general).left - claimed)
    True
    """
    if inner.derivative == 0:
        msg = (
            f"derivative must not be 0, got {inner.derivative}; without it the kernel is "
            "1/mean - 1/fluctuation plus a delta over fluctuation"
        )
        raise ValueError(msg)
    inner.check_definite()
    general, weights = inner.with_symbols()
    pieces = _solve(general)
    return GreenFunction(*(expanded(piece.xreplace(weights)) for piece in pieces))


@cache
def _solve(inner: InnerProduct) -> tuple[Any, Any]:
    """Return the two pieces of Green's function."""
    equation = equation_of(inner)
    form, y = equation.form, equation.fundamental
    # A unit source has mean 1; away from s it is 0.
    k_bar = equation.mean_of_gradient(sp.Integer(1))
    particular = equation.particular(-equation.coupling * k_bar)
    constants = sp.symbols("a1 a2 b1 b2")
    a1, a2, b1, b2 = constants
    left = particular + a1 * y[0] + a2 * y[1]
    right = particular + b1 * y[0] + b2 * y[1]
    conditions = [
        (left - right).subs(o, s),
        (form.flux_of(left) - form.flux_of(right)).subs(o, s) - 1,
        *form.end_conditions(left, right),
    ]
    if equation.degenerate:
        conditions[-1] = integral(left, 0, s) + integral(right, s, 1) - k_bar
    (solution,) = sp.linsolve(conditions, *constants)
    found = dict(zip(constants, map(sp.factor, solution), strict=True))
    return collected(left.subs(found)), collected(right.subs(found))
