"""Theorem 8 on n channels: the noise kept, in closed form; mutants are refused."""

from tests.tools.planted import refusals

test_mutant_is_refused = refusals(
    ("T8.discrete-sobolev", "noise.path_sobolev_trace", lambda f: lambda n: f(n) + n**2 - 1),
    ("T8.discrete-sobolev", "noise.cycle_sobolev_trace", lambda f: lambda n: 2 * f(n)),
    ("T8.discrete-cycle", "noise.cycle_trace", lambda f: lambda n, c, power: f(n + 1, c, power)),
    ("T8.discrete-folding", "noise.path_sobolev_trace", lambda f: lambda n: f(n) + 1),
    ("T8.discrete-exact", "noise.path_trace", lambda f: lambda n, c, power: f(n, c, power) + 1),
)
