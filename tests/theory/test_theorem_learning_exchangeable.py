"""Theorem 14: exchangeable channels, the best smoother, an order's price; mutants are refused."""

from types import SimpleNamespace

from sympy import eye

from cdg_theory.discrete.noise import cycle_sobolev_trace
from tests.tools.planted import refusals

test_mutant_is_refused = refusals(
    ("T14.commutant", "permutations", lambda f: lambda indices: [*f(indices)][:-1]),
    ("T14.best-is-h0", "mode_factor", lambda _: lambda s, nu: nu / (s + nu)),
    ("T14.best-is-h0", "best_h0", lambda f: lambda signal, noise: f(noise, signal)),
    ("T14.price", "mode_risk", lambda _: lambda k, s, nu: (1 - k) ** 2 * s + k**2 * nu / 2),
    (
        "T14.fractions",
        "noise",
        lambda _: SimpleNamespace(
            path_sobolev_trace=cycle_sobolev_trace, cycle_sobolev_trace=cycle_sobolev_trace
        ),
    ),
    ("T14.softmax", "_h0", lambda f: lambda n: f(n) ** 2 + eye(n)),
    ("T14.columns", "mode_factor", lambda f: lambda s, nu: f(s, nu) ** 2),
)
