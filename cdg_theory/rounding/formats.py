r"""The floating-point formats a gradient is stored in, as declared data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FloatFormat:
    r"""A binary floating-point format, rounding to nearest, ties to even.

    ==============  =============  ==============================================================
    symbol          field          meaning
    ==============  =============  ==============================================================
    (name)          ``name``       as NumPy and torch call it
    :math:`t`       ``precision``  bits of the significand, the leading one included
    :math:`e`       ``min_exp``    :math:`2^e` is the smallest normal number
    :math:`E`       ``max_exp``    all numbers are below :math:`2^{E+1}`
    ==============  =============  ==============================================================

    See Also
    --------
    cdg_theory.rounding.float_format : Finds one by name.

    Examples
    --------
    >>> from cdg_theory.rounding import FORMATS
    >>> FORMATS["float32"].unit_roundoff == 2.0**-24
    True
    """

    name: str
    precision: int
    min_exp: int
    max_exp: int

    @property
    def unit_roundoff(self) -> float:
        r"""Return :math:`u = 2^{-t}`, half the distance from 1 to the next number."""
        return 2.0**-self.precision

    @property
    def smallest_normal(self) -> float:
        """Return :math:`2^e`."""
        return 2.0**self.min_exp

    @property
    def smallest_subnormal(self) -> float:
        """Return the distance between neighbours around zero."""
        return 2.0 ** (self.min_exp - self.precision + 1)

    def ulp_exponent(self, exponent: int) -> int:
        r"""Return the exponent of the distance between neighbours in :math:`[2^x, 2^{x+1})`.

        ``exponent`` is x.
        """
        return max(exponent, self.min_exp) - self.precision + 1

    def round(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return ``values`` rounded to this format, as float64.

        Raises
        ------
        OverflowError
            If a value rounds to something larger than the format holds.

        Examples
        --------
        >>> FORMATS["bfloat16"].round(np.array([1.00390625, 1.01171875, 1e-40]))
        array([1.00000000e+00, 1.01562500e+00, 9.18354962e-41])
        """
        wide = np.asarray(values, dtype=np.float64)
        exponents = np.maximum(np.frexp(wide)[1] - 1, self.min_exp) - self.precision + 1
        # np.rint rounds ties to even, and scaling by a power of two is exact.
        rounded: NDArray[np.float64] = np.ldexp(np.rint(np.ldexp(wide, -exponents)), exponents)
        if rounded.size and np.frexp(np.abs(rounded).max())[1] > self.max_exp + 1:
            msg = f"{np.abs(wide).max():g} is larger than {self.name} holds; scale the values down"
            raise OverflowError(msg)
        return rounded


FORMATS = {
    entry.name: entry
    for entry in (
        FloatFormat("float64", 53, -1022, 1023),
        FloatFormat("float32", 24, -126, 127),
        FloatFormat("float16", 11, -14, 15),
        FloatFormat("bfloat16", 8, -126, 127),
    )
}


def float_format(name: object, *, argument: str = "dtype") -> FloatFormat:
    """Return the floating-point format with a name.

    ============  =============================================================
    argument      meaning
    ============  =============================================================
    ``name``      ``"float64"``, ``"float32"``, ``"float16"`` or ``"bfloat16"``
    ``argument``  what an error calls the name
    ============  =============================================================

    Raises
    ------
    ValueError
        If there is no such format.

    See Also
    --------
    cdg_theory.rounding.FloatFormat : What is returned.

    Examples
    --------
    >>> from cdg_theory.rounding import float_format
    >>> float_format("bfloat16").precision
    8
    """
    one_of(argument, name, tuple(FORMATS))
    return FORMATS[str(name)]
