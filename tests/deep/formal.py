"""Coq refuses the proofs for every planted error in the translated code, and for no rewrite."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.deep.figures import LITTLE, Figure, Report, timed
from tests.theory.test_formal_kernel import (
    ERRORS,
    REWRITES,
    compiled_before_code,
    is_proved,
    name_of,
)

PROMISE = "Coq refuses the proofs for every error planted in the code, and for no rewrite of it"


def judge(effort: float, report: Report) -> Figure:
    """Try all errors and rewrites, ten seconds each."""
    if shutil.which("coqc") is None:
        return Figure("mutation", PROMISE, "Coq is not installed", None, 0.0)
    if effort < 0.1:
        return Figure("mutation", PROMISE, LITTLE, None, 0.0)
    changes = [(change, False) for change in ERRORS] + [(change, True) for change in REWRITES]
    wrong = []
    with timed() as seconds, tempfile.TemporaryDirectory() as name:
        (before := Path(name, "before")).mkdir()
        compiled_before_code(before)
        for done, (change, right) in enumerate(changes):
            report("Coq", done, len(changes))
            folder = shutil.copytree(before, Path(name, "coq"))
            if is_proved(folder, change) is not right:
                wrong.append(name_of(change))
            shutil.rmtree(folder)
    found = f"{len(ERRORS)} errors, {len(REWRITES)} rewrites; {len(wrong)} taken for the other"
    return Figure("mutation", PROMISE, found, not wrong, seconds(), tuple(wrong))
