"""Theorem 13: related methods, each a theorem or a counter-example; mutants are refused."""

import sympy as sp

from tests.tools.planted import refusals, squared

test_mutant_is_refused = refusals(
    ("T13.penalty", "draw_spd", squared),
    ("T13.laplacian-smoothing", "_cycle", lambda _: sp.eye),
)
