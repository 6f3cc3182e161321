"""Drawn inputs: right answers, clear refusals, nothing modified."""

from __future__ import annotations

from tests.deep.figures import Figure, Report
from tests.deep.fuzz_arguments import fuzz_arguments
from tests.deep.fuzz_calls import CASES, fuzz_calls
from tests.deep.fuzz_files import fuzz_files


def run(*, effort: float, report: Report) -> list[Figure]:
    """Draw calls, wrong arguments, and broken files."""
    return [
        *fuzz_calls(max(20, int(CASES * effort)), report),
        fuzz_arguments(effort, report),
        fuzz_files(effort, report),
    ]
