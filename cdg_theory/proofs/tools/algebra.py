r"""What the proofs about n channels share: a decision for identities, and powers :math:`r^e`.

An identity between rational functions of independent symbols is decided, not simplified: bring
the difference over one denominator and expand the numerator; it is the zero polynomial or it is
not. Powers such as :math:`r^i` with a symbolic index are independent symbols too. An identity
that holds for all values of these symbols holds for the values that the indices give them.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from sympy.polys.fields import field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray


def is_zero(expression: Any) -> bool:
    """Decide whether a rational function of its symbols is zero.

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> is_zero(1 / (1 - x) - 1 - x / (1 - x)), is_zero(1 / (1 - x) - 1 - x)
    (True, False)
    """
    numerator, _ = sp.fraction(sp.together(sp.sympify(expression, strict=True)))
    return bool(sp.expand(numerator) == 0)


def vanish(expressions: Iterable[Any]) -> bool:
    """Decide whether every one of the rational functions is zero."""
    return all(is_zero(expression) for expression in expressions)


def row(*entries: Any) -> NDArray[Any]:
    """Return an array of objects over any field.

    Examples
    --------
    >>> row(sp.Symbol("x"), 1)
    array([x, 1], dtype=object)
    """
    return np.array(entries, dtype=object)


def all_zero(*arrays: Any) -> bool:
    """Decide whether all entries are 0, in fields whose elements tell: rational numbers, functions.

    Examples
    --------
    >>> x, y = RationalFunction.symbols("x y")
    >>> all_zero(row(x + y, x) - row(y + x, x)), all_zero([x * x, y - y])
    (True, False)
    """
    return all(entry == 0 for part in arrays for entry in row(*np.ravel(part)))


class Powers:
    r"""The powers of r whose exponents are linear in given indices, as independent symbols.

    Examples
    --------
    >>> i, j = sp.symbols("i j")
    >>> power = Powers("r", i, j)
    >>> power(2 * i - j + 1)
    r*r**i**2/r**j
    """

    def __init__(self, name: str, *indices: Any) -> None:
        self.base = sp.Symbol(name, positive=True)
        self.of = {index: sp.Symbol(f"{name}**{index}", positive=True) for index in indices}

    def __call__(self, exponent: Any) -> Any:
        """Return :math:`r^e`; every coefficient of e is an integer.

        Raises
        ------
        ValueError
            If ``exponent`` is not linear in the indices, with integer coefficients.
        """
        rest, product = sp.expand(exponent), sp.Integer(1)
        for index, symbol in self.of.items():
            coefficient = rest.coeff(index)
            product *= symbol**coefficient
            rest = sp.expand(rest - coefficient * index)
        if not rest.is_Integer:
            msg = f"the exponent must be an integer combination of the indices, got {exponent}"
            raise ValueError(msg)
        return product * self.base**rest

    def total(self, summand: Any, index: Any, first: Any, last: Any) -> Any:
        """Return the sum over ``index`` from ``first`` to ``last``: geometric series, term by term.

        The index may occur in the summand through its power only.
        """
        symbol, result = self.of[index], sp.Integer(0)
        numerator, denominator = sp.fraction(sp.together(summand))
        (((below,), scale),) = sp.Poly(denominator, symbol).terms()  # a monomial in r^index
        for (above,), coefficient in sp.Poly(numerator, symbol).terms():
            m = above - below
            if m == 0:
                series = last - first + 1
            else:
                series = (self(m * first) - self(m * (last + 1))) / (1 - self.base**m)
            result += coefficient / scale * series
        return result


def path_rows(
    entry: Callable[[Any, Any], Any], i: Any, j: Any, n: Any, diagonal: Any, c: Any, *, end: int = 1
) -> list[tuple[Any, int]]:
    r"""Return every row of :math:`(\beta I + cL)X` on the path, and what I has there.

    ``entry(lo, hi)`` is :math:`X_{lo,hi}`, ``diagonal`` is β. Rows are the first, an interior one i
    and the last; columns are left of, on and right of the diagonal. For n = 2 the first and the
    last row are all there is; n = 1 is the caller's. ``end`` is the diagonal of L in its end rows.
    """
    inner, outer = diagonal + 2 * c, diagonal + end * c
    return [
        (inner * entry(i, j) - c * entry(i - 1, j) - c * entry(i + 1, j), 0),
        (inner * entry(j, j) - c * entry(j - 1, j) - c * entry(j, j + 1), 1),
        (inner * entry(j, i) - c * entry(j, i - 1) - c * entry(j, i + 1), 0),
        (outer * entry(0, j) - c * entry(1, j), 0),
        (outer * entry(0, 0) - c * entry(0, 1), 1),
        (outer * entry(j, n - 1) - c * entry(j, n - 2), 0),
        (outer * entry(n - 1, n - 1) - c * entry(n - 2, n - 1), 1),
    ]


class RationalFunction:
    """An element of a field of rational functions over ℚ, always in lowest terms.

    Whole algorithms can be run on it, in arrays: it is equal to another one exactly if they are
    the same function, and nothing swells on the way.

    Examples
    --------
    >>> x, y = RationalFunction.symbols("x y")
    >>> (x * x - y * y) / (x - y) == x + y
    True
    >>> (np.array([x, y]) * x).sum().is_positive, (x - y).is_positive
    (True, False)
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    @classmethod
    def symbols(cls, names: str) -> list[RationalFunction]:
        """Return the generators of a new field."""
        _, *generators = field(names, sp.QQ)
        return [cls(generator) for generator in generators]

    @property
    def is_positive(self) -> bool:
        """Whether all coefficients are, of numerator and denominator: positive terms only."""
        return self.has_no_pole and all(c > 0 for c in self.value.numer.coeffs())

    @property
    def has_no_pole(self) -> bool:
        """Whether all coefficients of the denominator are positive: no pole at positive values."""
        return all(c > 0 for c in self.value.denom.coeffs())

    def at_zero(self, symbol: RationalFunction) -> RationalFunction:
        """Return the value where a generator is 0, which must be no pole."""
        generator = symbol.value.numer
        numer, denom = (part.subs(generator, 0) for part in (self.value.numer, self.value.denom))
        return RationalFunction(self.value.field(numer) / self.value.field(denom))

    def _with(self, other: Any, combine: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # NumPy goes over the entries itself
        # Numbers too, as elements of the field: 0 plus an integer would be an integer.
        same = isinstance(other, RationalFunction)
        return RationalFunction(combine(self.value, other.value if same else self._number(other)))

    def _number(self, other: Any) -> Any:
        return self.value.field(sp.QQ(int(other.numerator), int(other.denominator)))

    def __add__(self, other: Any) -> Any:
        return self._with(other, operator.add)

    def __sub__(self, other: Any) -> Any:
        return self._with(other, operator.sub)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, lambda u, v: v - u)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, operator.mul)

    def __truediv__(self, other: Any) -> Any:
        return self._with(other, operator.truediv)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(other, lambda u, v: v / u)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> RationalFunction:
        return RationalFunction(-self.value)

    def __bool__(self) -> bool:
        return bool(self.value != 0)

    def __eq__(self, other: object) -> bool:
        return not self - other

    def __hash__(self) -> int:
        return hash(self.value)
