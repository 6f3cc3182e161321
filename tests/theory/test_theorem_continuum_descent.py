"""Theorems 4, 9 and 12, any metric: descent, coordinates, grids; mutants are refused."""

from cdg_theory.continuum import o
from cdg_theory.continuum.grids import elements
from tests.tools.planted import refusals, squared, tilted

test_mutant_is_refused = refusals(
    ("T4.flow", "riemannian_gradient", lambda f: lambda g, m: 2 * f(g, m)),
    ("T4.step", "draw_spd", squared),
    ("T9.self-adjoint", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + g * o),
    ("T9.self-adjoint", "kernels_of", tilted),
    ("T12.grids", "cell_symbol", lambda f: lambda n, t, c: f(n, t, c) * (1 + 1e-6)),
    ("T12.grids", "cells", lambda _: elements),
)
