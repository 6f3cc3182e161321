"""Theorem 5, the linear-time algorithms, by induction about the code; mutants are refused."""

from dataclasses import replace

import numpy as np

from cdg_theory import ledger
from cdg_theory.discrete import sweeps
from cdg_theory.proofs.tools import exact_matrices
from tests.tools.planted import refusals


def _forward_skips(y, carry):
    for i in range(len(carry)):
        y[i + 1] += carry[i] * (y[i] if i else 0)


def _backward_doubles(x, carry):
    for i in reversed(range(len(carry))):
        x[i] += 2 * carry[i] * x[i + 1]


def _unclosed(factors):
    return lambda *args: replace(factors(*args), closure=0 * factors(*args).closure)


def _unmirrored(factors):
    return lambda *args: replace(factors(*args), closure=factors(*args).closure[::-1])


def _last_row_solved(factors):
    def mutant(beta, c, n):
        excess, _ = sweeps.path_pivots(beta, c, n)
        return replace(factors(beta, c, n), gain=1 / (c + np.array(excess)))

    return mutant


ROW = "sweeps.eliminate_row"

test_mutant_is_refused = refusals(
    ("T5.sweeps-path", "sweeps.carry_forward", lambda _: _forward_skips),
    ("T5.sweeps-path", "sweeps.carry_backward", lambda _: _backward_doubles),
    ("T5.sweeps-path", ROW, lambda f: lambda b, c, e: (f(b, c, e)[0], f(0, c, e)[1])),
    ("T5.sweeps-path", "sweeps.path_factors", _unclosed),
    ("T5.sweeps-path", "sweeps.path_factors", _last_row_solved),
    ("T5.sweeps-path", "sweeps.close", lambda _: lambda u, h: None),  # noqa: ARG005
    ("T5.sweeps-path", "sweeps.split_mean", lambda f: lambda g: (f(g)[0], 2 * f(g)[1])),
    ("T5.sweeps-cycle", "sweeps.cycle_factors", _unmirrored),
    ("T5.sweeps-cycle", "sweeps.carry_backward", lambda _: _backward_doubles),
    ("T5.sweeps-exact", "sweeps.cycle_factors", _unmirrored),
    ("T5.sweeps-exact", "sweeps.carry_forward", lambda _: _forward_skips),
    ("T5.running-sums", ROW, lambda f: lambda b, c, e: f(b, c, e + 1)),
    ("T5.pivots", ROW, lambda f: lambda b, c, e: (f(b, c, e)[0], f(2 * b, c, e)[1])),
    ("T5.one-line", "sweeps.split_mean", lambda f: lambda g: (f(g)[0], 2 * f(g)[1])),
)


def test_a_cycle_of_two_nodes_with_one_edge_is_refused(monkeypatch) -> None:
    # The matrix is the library's own, not a second one typed into the proof.
    right = exact_matrices.graph_laplacian

    def one_edge(boundary, n):
        return right("natural" if n == 2 else boundary, n)

    monkeypatch.setattr(exact_matrices, "graph_laplacian", one_edge)
    assert not ledger.verify(["T5.sweeps-cycle"])[0].holds
