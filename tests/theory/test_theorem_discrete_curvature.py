"""Theorem 18 on n channels, by induction about the code; mutants are refused."""

from dataclasses import replace

import numpy as np
import pytest

from cdg_theory import Metric, ledger
from cdg_theory.discrete.curvature import Ring
from cdg_theory.proofs.tools import exact_matrices
from tests.tools.planted import refusals


def _changed(**new):
    return lambda factors: lambda *args, **kw: _with(factors(*args, **kw), new)


def _with(factors, new):
    return replace(factors, **{name: make(getattr(factors, name)) for name, make in new.items()})


def _forward_skips(u, w, ring, carry):
    for i in range(carry.shape[1]):
        level, moment = ring.act((carry[0, i], carry[1, i]), (u[i], w[i]))
        u[i + 1] += level * (i > 0)
        w[i + 1] += moment


def _backward_doubles(u, w, ring, carry):
    u[-1] *= 0
    w[-1] *= 0
    for i in reversed(range(carry.shape[1])):
        pair = 2 * u[i + 1] + u[i], w[i + 1] + w[i]
        u[i], w[i] = ring.act((carry[0, i], carry[1, i]), pair)


def _backward_from_the_load(u, w, ring, carry):
    # Elimination to the end, without the last pivot: the mean constraint is not used.
    for i in reversed(range(carry.shape[1])):
        pair = u[i + 1] + u[i], w[i + 1] + w[i]
        u[i], w[i] = ring.act((carry[0, i], carry[1, i]), pair)


class _Trace(Ring):
    def times(self, y, z):
        a, b = super().times(y, z)
        return a, b - self.c * y[1] * z[1]


class _Adjugate(Ring):
    def inverse(self, y):
        a, b = super().inverse(y)
        return a - self.c * b, b


class _Turned(Ring):
    def act(self, y, pair):
        level, moment = super().act(y, pair)
        return level, moment + 2 * self.omega * y[1] * pair[0]


def _down_from_the_row_before(r, factors, start):
    y, z = start
    for i, (p, s) in enumerate(factors.T):
        y = y + r[i]
        r[i], handed = y + z, r[i - 1] if i else z
        y = y - s * handed
        z = p * r[i]


def _up_without_the_pull(z, factors, end):
    z[-1], v = end
    for i in reversed(range(factors.shape[1])):
        v = factors[0, i] * (v + z[i])
        z[i] = z[i + 1] + v


PIVOT = "curvature.eliminate_pair"
FACTORS = "curvature.curvature_factors"

test_mutant_is_refused = refusals(
    ("T18.ring", "curvature.Ring", lambda _: _Trace),
    ("T18.ring", "curvature.Ring", lambda _: _Adjugate),
    ("T18.ring", "curvature.Ring", lambda _: _Turned),
    ("T18.pivots", PIVOT, lambda f: lambda p, q, a, b: f(p, 2 * q, a, b)),
    ("T18.pivots", PIVOT, lambda f: lambda p, q, a, b: (*f(p, q, a, b)[:2], 1 + b)),
    ("T18.pivots", "curvature.pair_carries", lambda f: lambda *args: f(*args)[::-1]),
    ("T18.sweeps-path", PIVOT, lambda f: lambda p, q, a, b: (*f(p, q, a, b)[:2], 1 + b)),
    ("T18.sweeps-path", "curvature.carry_forward", lambda _: _forward_skips),
    ("T18.sweeps-path", "curvature.carry_backward", lambda _: _backward_doubles),
    ("T18.sweeps-path", "curvature.carry_backward", lambda _: _backward_from_the_load),
    ("T18.sweeps-path", FACTORS, _changed(closure=lambda h: 0 * h)),
    ("T18.sweeps-path", FACTORS, _changed(closure=lambda h: h[:, ::-1])),
    ("T18.sweeps-path", "curvature.Ring", lambda _: _Turned),
    ("T18.sweeps-path", "sweeps.split_mean", lambda f: lambda g: (f(g)[0], 2 * f(g)[1])),
    ("T18.sweeps-cycle", FACTORS, _changed(seam=lambda h: 2 * h)),
    ("T18.sweeps-cycle", FACTORS, _changed(release=lambda y: (2 * y[0], y[1]))),
    ("T18.sweeps-cycle", "curvature.seam_flux", lambda f: lambda r, own: [-x for x in f(r, own)]),
    ("T18.sweeps-cycle", "curvature.close_seam", lambda _: lambda pair, flux, factors: pair),  # noqa: ARG005
    ("T18.sweeps-cycle", "curvature.carry_forward", lambda _: _forward_skips),
    ("T18.cholesky", "cholesky.cholesky_factors", lambda f: lambda *args: f(*args)[::-1]),
    ("T18.cholesky", "cholesky.cholesky_factors", lambda f: lambda b, c, d, n: f(b, 2 * c, d, n)),
    ("T18.cholesky", "cholesky.sweep_down", lambda _: _down_from_the_row_before),
    ("T18.cholesky", "cholesky.sweep_up", lambda _: _up_without_the_pull),
    ("T18.cholesky", "cholesky.solve_from_end", lambda f: lambda r, w, x, _: f(r, w, x, (0, 0))),
    ("T18.solve-exact", PIVOT, lambda f: lambda p, q, a, b: f(p, q, a, b + q)),
    ("T18.solve-exact", "curvature.carry_backward", lambda _: _backward_doubles),
    ("T18.solve-exact", "Metric.rigidity", lambda f: lambda self, n: f(self, n) / 2),
    ("T18.mesh", "Metric.rigidity", lambda f: lambda self, n: f(self, n) / n),
    ("T18.discrete-limit", PIVOT, lambda f: lambda p, q, a, b: (f(p, q, a, b)[0], a, b)),
)


@pytest.mark.parametrize("name", ["T18.sweeps-path", "T18.sweeps-cycle", "T18.solve-exact"])
def test_a_cycle_of_two_nodes_with_one_edge_or_a_path_without_ends_is_refused(monkeypatch, name):
    # The matrix is the library's own, not a second one typed into the proof.
    right = exact_matrices.graph_laplacian

    def wrong(boundary, n):
        if name == "T18.sweeps-path":
            return right("periodic", n)
        return right("natural" if n == 2 else boundary, n)

    monkeypatch.setattr(exact_matrices, "graph_laplacian", wrong)
    assert not ledger.verify([name])[0].holds


def test_every_kind_of_roots_is_among_the_exact_runs() -> None:
    from cdg_theory.proofs.discrete.second_order import CORNERS

    discriminants = {np.sign(gamma**2 - 4 * beta * delta) for beta, gamma, delta in CORNERS}
    assert discriminants == {-1.0, 0.0, 1.0}
    zeros = {(beta == 0, gamma == 0) for beta, gamma, _ in CORNERS}
    assert zeros == {(True, True), (True, False), (False, True), (False, False)}
    assert all(Metric(1.0, *weights).derivative_order == 2 for weights in CORNERS)
