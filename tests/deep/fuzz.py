"""Drawn inputs: right answers, clear refusals, nothing modified."""

from __future__ import annotations

from tests.deep.figures import Figure, Report
from tests.deep.fuzz_calls import CASES, fuzz_calls

__all__ = ["run"]


def run(*, effort: float, report: Report) -> list[Figure]:
    """Draw calls, wrong arguments, and files."""
    return fuzz_calls(max(20, int(CASES * effort)), report)
