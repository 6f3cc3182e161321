"""Theorem 17: stochastic descent, its noise floor, metrics that change; mutants are refused."""

from tests.tools.planted import refusals, squared

test_mutant_is_refused = refusals(
    ("T17.drawn", "_error_after", lambda f: lambda H, m, w, step, v: f(H, m, w, step, 2 * v)),
    ("T17.drawn", "variance_kept", lambda f: lambda m, n: 2 * f(m, n)),
    ("T17.drawn", "draw_spd", squared),
    ("T17.noise-floor", "ADDED", lambda added: 2 * added),
    ("T17.changing-metrics", "FLOOR", lambda floor: floor / 2),
    ("T17.changing-metrics", "RATE", lambda rate: 3 * rate / 2),
)
