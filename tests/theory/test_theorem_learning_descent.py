"""Theorems 4 and 9, any metric: descent, coordinates; mutants are refused."""

from cdg_theory.continuum import o
from tests.tools.planted import refusals, squared, tilted

test_mutant_is_refused = refusals(
    ("T4.flow", "riemannian_gradient", lambda f: lambda g, m: 2 * f(g, m)),
    ("T4.step", "draw_spd", squared),
    ("T9.self-adjoint", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + g * o),
    ("T9.self-adjoint", "kernels_of", tilted),
)
