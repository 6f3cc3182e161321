"""Theorem 16: where a layer's metric cannot matter, and where it does; mutants are refused."""

from tests.tools.planted import refusals, squared

test_mutant_is_refused = refusals(
    ("T16.common-limit", "draw_spd", squared),
    ("T16.counterexamples", "_end", lambda f: lambda K, B, b, w: f(K * 0 + K**0, B, b, w)),
    ("T16.early-stopping", "mode_risk", lambda f: lambda k, s, nu: f(1 - k, s, nu)),
    ("T16.early-stopping", "mode_factor", lambda f: lambda s, nu: f(nu, s)),
    ("T16.library-path", "riemannian_gradient", lambda f: lambda g, m: 1.01 * f(g, m)),
    ("T16.library-path", "early_stopping", lambda f: lambda *a, **k: f(*a, **k) ** 2),
    ("T16.library-path", "best_stopping", lambda f: lambda *a, **k: 2 * f(*a, **k)),
    ("T16.library-path", "best_factors", lambda f: lambda s, nu: 1 - f(s, nu)),
)
