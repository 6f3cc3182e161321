r"""The ring of pairs of a level and a moment, over which second order is first order.

With a curvature term, :math:`(\beta I+cL+dL^2)\,x=r` reads, for :math:`p=c/d`, :math:`q=\beta/d`
and pairs of a level x and a moment :math:`m=Lx`,

.. math::

    (L+T)\begin{pmatrix}x\\m\end{pmatrix} = \begin{pmatrix}0\\r/d\end{pmatrix}, \qquad
    T = \begin{pmatrix}0&-1\\q&p\end{pmatrix}, \qquad T^2=pT-q .

The polynomials in T are a commutative ring. They are the matrices

.. math:: y = \begin{pmatrix}h&b\\-qb&a\end{pmatrix}, \qquad h=a+pb,

and what y makes of (0, 1) is its second column: *a pair (x, m) is the element with b = x, a = m*,
and a load (0, r) is the number r. So the equation of pairs is :math:`(L+T)z=r/d` for one unknown z
in the ring, an equation of first order with T for β/c; and x is the b of z.

**Why h is kept** though a and b tell it. What grows with T, as :math:`T(T+s)^{-1}` with s > 0 does,
has a, h ≥ 0 ≥ b; what falls, as :math:`(T+s)^{-1}` does, has a, b, h ≥ 0. (Sums of these are all
that a network of resistors and leaks T shows at its ends.) The determinant :math:`ah+qb^2`, by
which is divided, then has positive terms only. If :math:`p\gg q`, the sum :math:`a+pb` of something
that grows is a small difference, and h has digits that a and b do not hold.

Theorem 18 checks the arithmetic. It goes over any field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    r"""The matrix :math:`[[h,\ b],\ [-qb,\ a]]`; entries may be arrays of one number per column.

    Examples
    --------
    :math:`T^2=pT-q` for p = 3 and q = 2:

    >>> T = Element.pair(3.0, 2.0, 3.0, -1.0)
    >>> T * T
    Element(q=2.0, h=-2.0, b=-3.0, a=7.0)
    >>> 1 / (1 + T)
    Element(q=2.0, h=0.6666666666666666, b=0.16666666666666666, a=0.16666666666666666)
    """

    q: Any
    h: Any
    b: Any
    a: Any

    @classmethod
    def pair(cls, p: Any, q: Any, moment: Any, level: Any = None) -> Element:
        """Return the element that a pair is; without a level, a number."""
        b = 0 * moment if level is None else level
        return cls(q, moment + p * b, b, moment)

    def _with(self, other: Any, combine: Callable[[Element, Element], Element]) -> Any:
        # Over the entries of an array NumPy goes itself, and asks for one after the other.
        if isinstance(other, np.ndarray):
            return NotImplemented
        if not isinstance(other, Element):
            other = Element(self.q, other, 0 * other, other)
        return combine(self, other)

    def __add__(self, other: Any) -> Any:
        return self._with(other, lambda y, z: Element(y.q, y.h + z.h, y.b + z.b, y.a + z.a))

    def __sub__(self, other: Any) -> Any:
        return self._with(other, lambda y, z: Element(y.q, y.h - z.h, y.b - z.b, y.a - z.a))

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, lambda y, z: z - y)

    def __neg__(self) -> Element:
        return Element(self.q, -self.h, -self.b, -self.a)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, product)

    def __truediv__(self, other: Any) -> Any:
        return self._with(other, lambda y, z: product(y, inverse(z)))

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(other, lambda y, z: product(z, inverse(y)))

    __radd__ = __add__
    __rmul__ = __mul__


def product(y: Element, z: Element) -> Element:
    """Return yz = zy, the product of the matrices."""
    corner = y.q * y.b * z.b
    return Element(y.q, y.h * z.h - corner, y.h * z.b + y.b * z.a, y.a * z.a - corner)


def inverse(y: Element) -> Element:
    """Return 1/y: the adjugate over the determinant."""
    determinant = y.a * y.h + y.q * y.b * y.b
    return Element(y.q, y.a / determinant, -y.b / determinant, y.h / determinant)
