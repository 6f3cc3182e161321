r"""Certificates: any solver against the exact gradient in the metric, with a derived bound.

``draws``        the gradients a certificate tries, by kind
``oracle``       the exact solution, enclosed between rational numbers: integers only
``judging``      certify: draw, solve, compare, judge
``search``       how much of the bound can be reached: a search for the worst gradient
``certificate``  the verdict, as a record

The bound is theorem 7's, :mod:`cdg_theory.rounding.bounds`.
"""

from __future__ import annotations

from cdg_theory.certificates.certificate import Certificate, Finding
from cdg_theory.certificates.judging import Examination, certify, examine

__all__ = ["Certificate", "Examination", "Finding", "certify", "examine"]
