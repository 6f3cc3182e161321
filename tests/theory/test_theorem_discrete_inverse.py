"""Theorem 5, the closed-form inverses, for every n, row by row; mutants are refused."""

from tests.tools.planted import refusals

# A constant, a sign, an end, an index: each in the formula that the library evaluates.
test_mutant_is_refused = refusals(
    (
        "T5.inverse-h0",
        "inverse.h0_entry",
        lambda f: lambda delta, n, beta: f(delta, n, beta) + 1 / n,
    ),
    ("T5.inverse-path", "inverse.path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + 1 / n),
    ("T5.inverse-path", "inverse.path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + lo),
    ("T5.inverse-cycle", "inverse.cycle_entry", lambda f: lambda d, n: f(d, n) - 1 / (12 * n)),
    ("T5.inverse-cycle", "inverse.cycle_entry", lambda f: lambda d, n: -f(d, n)),
    (
        "T5.resolvent-path",
        "inverse.path_resolvent",
        lambda f: lambda lo, hi, n, c, power: f(lo, hi + 1, n + 1, c, power),
    ),
    (
        "T5.resolvent-path",
        "inverse.path_resolvent",
        lambda f: lambda lo, hi, n, c, power: f(lo, hi, n, 2 * c, power),
    ),
    (
        "T5.resolvent-cycle",
        "inverse.cycle_resolvent",
        lambda f: lambda d, n, c, power: f(d + 1, n + 2, c, power),
    ),
    (
        "T5.images",
        "inverse.cycle_drop",
        lambda f: lambda u, nodes, scale, below: f(u, nodes + 1, scale, below),
    ),
)
