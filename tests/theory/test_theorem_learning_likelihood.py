"""Theorem 15, the most likely member and the test of an order: mutants are refused."""

import numpy as np

from tests.tools.planted import refusals

test_mutant_is_refused = refusals(
    ("T15.slice", "mixture_slope", lambda f: lambda p, u, v: f(p, v, u)),
    ("T15.slice", "mixture_slope", lambda f: lambda p, u, v: f(p, u, v) / 2),
    ("T15.likeliest", "most_likely", lambda f: lambda spectra: f(spectra)[::-1]),
    ("T15.likeliest", "most_likely", lambda _: lambda spectra: np.ones(len(spectra)) / 2),
)
