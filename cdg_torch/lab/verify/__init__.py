r"""Verification: every theorem, and every torch path certified against exact arithmetic.

``paths``   the ways to the gradient that torch users can take
``matrix``  the matrix of paths, metrics, dtypes, layouts and sizes, and how one is certified
``report``  all results together: the verdict, the table, JSON and Markdown

``cdg verify`` runs it all and shows it (:mod:`cdg_torch.lab.cli.verify`).
"""

from __future__ import annotations

from cdg_torch.lab.verify.matrix import Case, CaseResult, cases, run_cases
from cdg_torch.lab.verify.report import CaseGroup, Verification

__all__ = ["Case", "CaseGroup", "CaseResult", "Verification", "cases", "run_cases"]
