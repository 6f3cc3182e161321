"""How far rounding takes the linear-time gradient from M⁻¹g: theorem 7's bounds.

``formats``      the floating-point types, as declared data
``bounds``       of the two sweeps, entry by entry, by running them on the local errors
``functionals``  of the kernels that know the sweeps' constants beforehand
"""

from __future__ import annotations

from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS, FloatFormat, float_format
from cdg_theory.rounding.functionals import functional_error_bound

__all__ = [
    "FORMATS",
    "FloatFormat",
    "float_format",
    "forward_error_bound",
    "functional_error_bound",
]
