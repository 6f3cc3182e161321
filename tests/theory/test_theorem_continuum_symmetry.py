"""Theorem 3 in the continuum: kept mean, symmetries, limits; mutants are refused."""

import sympy as sp

from cdg_theory.continuum import GreenFunction, o
from tests.tools.planted import refusals, tilted

test_mutant_is_refused = refusals(
    ("T3.mean", "weak_residual", lambda f: lambda m, k, g, h: f(m, k, 2 * g, h)),
    ("T3.reversal", "kernels_of", tilted),
    ("T3.circle", "kernels_of", tilted),
    ("T3.h0-rearrangements", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + o),
    ("T3.limits", "smoothing_factor", lambda f: lambda m: f(m) + m.fluctuation),
    ("T3.limits", "riemannian_gradient", lambda f: lambda g, m: f(g, m) + 1),
    (
        "T3.kernel-limit",
        "green_function",
        lambda f: lambda m: GreenFunction(f(m).left + sp.sign(m.fluctuation), f(m).right),
    ),
    ("T3.no-zero-smoothing", "eigenvalue", lambda f: lambda m: 2 * f(m)),
    ("T3.no-zero-smoothing", "first_frequency", lambda f: lambda b: sp.pi * f(b)),
)
