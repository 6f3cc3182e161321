"""Theorem 8 in the continuum: noise kept, bias, the best strength; mutants are refused."""

from tests.tools.planted import refusals

test_mutant_is_refused = refusals(
    ("T8.sobolev", "fluctuation_power", lambda f: lambda m: 2 * f(m)),
    ("T8.general", "fluctuation_trace", lambda f: lambda m: f(m) * m.fluctuation),
    ("T8.general-sums", "fluctuation_power", lambda f: lambda m: f(m) * 1.001),
    ("T8.chain", "chain_power", lambda f: lambda b, c: f(b, 2 * c)),
    ("T8.best-h0", "best_h0", lambda f: lambda a, b: f(b, a)),
    ("T8.worst-bias", "worst_bias", lambda f: lambda q: f(q) * 1.0001),
    ("T8.noise-bound", "noise_bound", lambda f: lambda x: f(2 * x)),
    ("T8.best-lambda", "best_lambda", lambda f: lambda q, c, v: f(q, 2 * c, v)),
    ("T8.best-lambda", "noise_bound", lambda f: lambda x: f(2 * x)),
)
