"""Coq for the tests, or the plain statement that there is none, which in CI is a failure."""

import os

import pytest

from cdg_theory.formal.kernel import KernelMissing, find_kernel


def version_of_coq() -> str:
    """Return Coq's version; without Coq skip, or fail if it was said to be there."""
    try:
        return find_kernel()
    except KernelMissing as missing:
        if os.environ.get("CDG_EXPECTS_COQ"):
            pytest.fail(f"CI runs the formal proofs, and there is no Coq: {missing}")
        pytest.skip(f"NOT RUN: {missing}")
