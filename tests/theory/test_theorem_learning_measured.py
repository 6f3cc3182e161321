"""Theorem 15: the best smoother for measured spectra, metrics that are one; mutants are refused."""

import sympy as sp

from tests.tools.planted import refusals

EPSILON = sp.Symbol("epsilon", positive=True)

test_mutant_is_refused = refusals(
    ("T15.mode-by-mode", "mode_risk", lambda _: lambda k, s, nu: (1 - k) * s + k * nu),
    ("T15.mode-by-mode", "best_factors", lambda f: lambda s, nu: 1 - f(s, nu)),
    ("T15.mode-by-mode", "risk", lambda f: lambda k, s, nu: f(k, nu, s)),
    ("T15.correlated-modes", "mode_risk", lambda f: lambda k, s, nu: f(k, nu, s)),
    ("T15.scale", "best_scale", lambda f: lambda k, s, nu: 2 * f(k, s, nu)),
    ("T15.scale", "risk", lambda f: lambda k, s, nu: f(k, s, nu) / 2),
    ("T15.family", "mode_factor", lambda _: lambda s, nu: s / (s + 2 * nu)),
    ("T15.best-rate", "best_lambda", lambda f: lambda q, size, nu: f(q, size, nu) ** 2),
    ("T15.best-rate", "worst_bias", lambda f: lambda q: f(q) * EPSILON),
    ("T15.best-rate", "mode_risk", lambda f: lambda k, s, nu: f(k, s, nu) / 2),
    ("T15.moments", "measured_moments", lambda f: lambda P: f(P)[::-1]),
    ("T15.moments", "mode_products", lambda f: lambda g, b: f(g, b) ** 2),
    ("T15.moments", "mode_products", lambda f: lambda g, _: f(g, "natural")),
    ("T15.moments", "held_out_risk", lambda f: lambda k, s, nu: f(k, nu, s)),
    ("T15.from-prior", "mode_factor", lambda _: lambda s, nu: nu / (s + nu)),
)
