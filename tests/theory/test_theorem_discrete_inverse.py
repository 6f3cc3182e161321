"""Theorem 5, the closed-form inverses, for every n, row by row; mutants are refused."""

from tests.tools.planted import refusals

# A constant, a sign, an end, an index: each in the formula that the library evaluates.
PATH, CYCLE = "inverse.path_resolvent", "inverse.cycle_resolvent"

# A constant, a sign, an end, an index: each in the formula that the library evaluates.
test_mutant_is_refused = refusals(
    ("T5.inverse-h0", "inverse.h0_entry", lambda f: lambda d, n, beta: f(d, n, beta) + 1 / n),
    ("T5.inverse-path", "inverse.path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + 1 / n),
    ("T5.inverse-path", "inverse.path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + lo),
    ("T5.inverse-cycle", "inverse.cycle_entry", lambda f: lambda d, n: f(d, n) - 1 / (12 * n)),
    ("T5.inverse-cycle", "inverse.cycle_entry", lambda f: lambda d, n: -f(d, n)),
    ("T5.resolvent-path", PATH, lambda f: lambda lo, hi, n, c, p: f(lo, hi + 1, n + 1, c, p)),
    ("T5.resolvent-path", PATH, lambda f: lambda lo, hi, n, c, p: f(lo, hi, n, 2 * c, p)),
    ("T5.resolvent-cycle", CYCLE, lambda f: lambda d, n, c, p: f(d + 1, n + 2, c, p)),
    ("T18.inverse", "inverse.roots", lambda f: lambda b, c, d: f(b, 2 * c, d)),
    ("T18.inverse", PATH, lambda f: lambda lo, hi, n, c, p: f(lo, hi, n, 2 * c, p)),
    ("T18.inverse", "inverse.cycle_entry", lambda f: lambda d, n: f(d, n) + d),
    ("T5.images", "inverse.cycle_drop", lambda f: lambda u, n, s, below: f(u, n + 1, s, below)),
)
