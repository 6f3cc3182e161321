r"""Certificates: any solver against the exact gradient in the metric, with a derived bound.

``draws``        the gradients a certificate tries, by kind
``oracle``       the exact solution, enclosed between rational numbers: integers only
``judging``      certify: draw, solve, compare, judge
``search``       how much of the bound can be reached: a search for the worst gradient
``certificate``  the verdict, as a record

The bound is theorem 7's, :mod:`cdg_theory.rounding.bounds`. Results in float32 and narrower, with
float64 inside, are off by hardly more than the last rounding. In float64 errors in ulp at the
largest entry have no fixed limit. Where k is much smaller than the numbers from which it is
computed, they run to thousands, and the bound says so. With a curvature such columns can lose
every digit, also of float32, as n grows; ``docs/theory/rounding-variants`` says which.
"""

from __future__ import annotations

from cdg_theory.certificates.certificate import Certificate, Finding
from cdg_theory.certificates.judging import Examination, certify, examine

__all__ = ["Certificate", "Examination", "Finding", "certify", "examine"]
