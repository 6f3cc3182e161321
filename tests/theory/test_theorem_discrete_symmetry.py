"""Theorem 3 on n channels: kept mean, symmetries and limits; mutants are refused."""

from tests.tools.planted import refusals

CYCLE = "inverse.cycle_resolvent"

test_mutant_is_refused = refusals(
    (
        "T3.discrete-mean",
        "inverse.path_resolvent",
        lambda f: lambda lo, hi, n, c, power: f(lo, hi, n, c, power) * (1 + power(2 * n)),
    ),
    ("T3.discrete-symmetry", "inverse.path_entry", lambda f: lambda lo, hi, n: f(lo, hi, n) + lo),
    ("T3.discrete-h0", "inverse.h0_entry", lambda f: lambda delta, n, beta: f(-delta, n, beta)),
    ("T3.discrete-small-fluctuation", "inverse.cycle_drop", lambda f: lambda *a: 2 * f(*a)),
    ("T3.discrete-small-derivative", CYCLE, lambda f: lambda d, n, c, p: f(d, n, 2 * c, p)),
)
