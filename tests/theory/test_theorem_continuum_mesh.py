"""Theorem 12 on grids: curvature relative to the metric is bounded; mutants are refused."""

from cdg_theory.continuum.grids import elements
from tests.tools.planted import refusals

test_mutant_is_refused = refusals(
    ("T12.grids", "cell_symbol", lambda f: lambda n, t, c: f(n, t, c) * (1 + 1e-6)),
    ("T12.grids", "cells", lambda _: elements),
)
