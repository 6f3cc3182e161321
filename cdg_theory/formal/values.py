r"""The kernel's arithmetic against Python's: the code and its translation give the same numbers.

Drawn cases of the translated functions are run in Python on fractions. The same calls, as terms of
Coq over its rational numbers, are computed in the kernel, which has to find Python's very results.
This tests the translation and ``Arrays.v``, which no proof does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdg_theory.discrete import blocks, curvature, inverse, network, shrinkage, sweeps

HEADER = """\
From Coq Require Import ZArith QArith Qcanon List.
From Cdg Require Import Fields Arrays Code Sharded RationalNumbers.
Import ListNotations.
Local Notation F := rationals.
"""


def _fraction(value: Any) -> str:
    return f"({Fraction(value).numerator} # {Fraction(value).denominator})"


def _scalar(value: Any) -> str:
    return f"(Q2Qc {_fraction(value)})"


def _list(values: Iterable[Any]) -> str:
    return f"[{'; '.join(map(_fraction, values))}]"


def _vector(values: Iterable[Any]) -> str:
    return f"(vector {_list(values)})"


def _rows(term: str, results: NDArray[Any]) -> str:
    return f"same (listed {term} {len(results)}) {_list(results)}"


def _entry(term: str, result: Any) -> str:
    return f"same [this {term}] {_list([result])}"


class _Draw:
    """Fractions, positive and of any sign, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def positive(self) -> Fraction:
        return Fraction(self.random.randint(1, 30), self.random.randint(1, 9))

    def vector(self, n: int) -> NDArray[Any]:
        draw = [Fraction(self.random.randint(-50, 50), self.random.randint(1, 9)) for _ in range(n)]
        return np.array(draw, dtype=object)

    def positives(self, n: int) -> NDArray[Any]:
        return np.array([self.positive() for _ in range(n)], dtype=object)


def _gradients(draw: _Draw) -> Iterator[str]:
    """Yield k = M⁻¹g on path and cycle and without a derivative; β = 0 now and then."""
    n = draw.random.randint(1, 9)
    g, alpha, c, E = draw.vector(n), draw.positive(), draw.positive(), draw.positive()
    beta = draw.positive() * draw.random.choice((0, 1, 1))
    a, b, s, e = map(_scalar, (alpha, beta, c, E))
    ways = (
        (sweeps.path_factors(beta, c, n), f"(Some (path_factors (F := F) {b} {s} {n}))"),
        (sweeps.cycle_factors(c, E, n), f"(Some (cycle_factors (F := F) {s} {e} {n}))"),
    )
    for factors, term in ways:
        k = sweeps.solve_gram(g, alpha, beta, factors)
        yield _rows(f"(solve_gram (F := F) {_vector(g)} {a} {b} {term} {n})", k)
    k = sweeps.solve_gram(g, alpha, E, None)
    yield _rows(f"(solve_gram (F := F) {_vector(g)} {a} {e} None {n})", k)


def _second_order(draw: _Draw) -> Iterator[str]:
    """Yield k = M⁻¹g with a curvature term, and a cycle's flux; β, γ = 0 now and then."""
    n = draw.random.randint(1, 5)
    g, alpha, d = draw.vector(n), draw.positive(), draw.positive()
    beta, c = (draw.positive() * draw.random.choice((0, 1, 1)) for _ in "bc")
    numbers = " ".join(map(_scalar, (beta, c, d)))
    for periodic in (False, True):
        factors = curvature.curvature_factors(beta, c, d, n, periodic=periodic)
        term = f"(curvature_factors (F := F) {numbers} {n} {str(periodic).lower()})"
        k = sweeps.solve_second_order(g, alpha, factors)
        solved = f"solve_second_order (F := F) {_vector(g)} {_scalar(alpha)} {term} {n}"
        yield _rows(f"({solved})", k)
    level, moment = curvature.seam_flux(g, factors)
    flux = f"(seam_flux (F := F) {_vector(g)} {term} {n})"
    yield _entry(f"(fst {flux})", level)
    yield _entry(f"(snd {flux})", moment)


def _entries(draw: _Draw) -> Iterator[str]:
    """Yield entries of the closed forms; powers are those of 2."""
    n = draw.random.randint(1, 9)
    lo, hi = sorted(draw.random.randrange(n) for _ in "ij")
    c, beta, s, nu = (draw.positive() for _ in range(4))
    indices = f"(number {lo}) (number {hi}) (number {n})"

    def power(exponent: int) -> Fraction:
        return Fraction(2) ** exponent

    # NumPy's floats are not exact: the indices are fractions, too.
    i, j, m = map(Fraction, (lo, hi, n))
    yield _entry(f"(path_entry (F := F) {indices})", inverse.path_entry(i, j, m))
    yield _entry(f"(cycle_entry (F := F) (number {hi}) (number {n}))", inverse.cycle_entry(j, m))
    yield _entry(
        f"(h0_entry (F := F) (number 1) (number {n}) {_scalar(beta)})",
        inverse.h0_entry(Fraction(1), m, beta),
    )
    yield _entry(
        f"(path_resolvent (F := F) {lo} {hi} {n} {_scalar(c)} two_to)",
        inverse.path_resolvent(lo, hi, n, c, power),
    )
    yield _entry(
        f"(cycle_resolvent (F := F) {hi} {n} {_scalar(c)} two_to)",
        inverse.cycle_resolvent(hi, n, c, power),
    )
    yield _entry(
        f"(cycle_drop (F := F) {hi} {n} {_scalar(c)} (fun e => two_to (- e)))",
        inverse.cycle_drop(hi, n, c, lambda e: power(-e)),
    )
    yield _entry(
        f"(mode_risk (F := F) {_scalar(c)} {_scalar(s)} {_scalar(nu)})",
        shrinkage.mode_risk(c, s, nu),
    )


def _blocks(draw: _Draw) -> Iterator[str]:
    """Yield levels and fluxes of a path and of a cycle of blocks, and the rows of one block."""
    count = draw.random.randint(1, 5)
    q, J, o = (draw.vector(count) for _ in "qJo")
    n, tau, C = (draw.positives(count) for _ in ("n", "tau", "C"))
    beta, w = draw.positive(), draw.positive()
    arrays = f"{' '.join(map(_vector, (q, J, n, tau, C)))} {_scalar(beta)} {_scalar(w)} {count}"
    for solve in (network.solve_path, network.solve_cycle):
        level, flux = solve(q[:, None], J[:, None], n[:, None], tau[:, None], C[:, None], beta, w)
        term = f"({solve.__name__} (F := F) {arrays})"
        yield _rows(f"(fst {term})", level[:, 0])
        yield _rows(f"(snd {term})", flux[:, 0])
    mean, offsets = blocks.split_offsets(o, n)
    term = f"(split_offsets (F := F) {_vector(o)} {_vector(n)} {count})"
    yield _entry(f"(fst {term})", mean)
    yield _rows(f"(snd {term})", offsets)

    rows = draw.random.randint(1, 6)
    f, told, c = draw.vector(rows), draw.vector(3), draw.positive() * draw.random.choice((0, 1))
    x = blocks.finish_block(f, told, lambda w: blocks.solve_alone(w, beta, c))
    ends = f"({', '.join(map(_scalar, told))})"
    alone = f"(fun w => solve_alone (F := F) w {_scalar(beta)} {_scalar(c)} {rows})"
    yield _rows(f"(finish_block (F := F) {_vector(f)} {ends} {alone} {rows})", x)


def _sharded(draw: _Draw) -> Iterator[str]:
    """Yield the rows of up to three blocks, one of them empty now and then, on path and cycle."""
    sizes = [draw.random.randint(1, 2) for _ in range(draw.random.randint(1, 2))]
    sizes.insert(draw.random.randint(0, len(sizes)), draw.random.choice((0, 1)))
    # Without a derivative, without a fluctuation, or with both.
    kept = draw.random.choice(((1, 1), (1, 0), (0, 1)))
    alpha, beta, c = (draw.positive() * factor for factor in (1, *kept))
    parts = [draw.vector(size)[:, None] for size in sizes]
    numbers = " ".join(map(_scalar, (alpha, beta, c)))
    lengths = f"(fun b => nth b [{'; '.join(map(str, sizes))}]%nat 1%nat)"
    g = _vector(np.concatenate(parts)[:, 0])
    for periodic in (False, True):
        plan = blocks.plan_of(alpha, beta, c, tuple(sizes), periodic=periodic)
        solved = iter(blocks.solve_blocks([part for part in parts if len(part)], plan))
        term = f"sharded (F := F) {str(periodic).lower()} {numbers} {lengths} {len(sizes)} {g}"
        for b, size in enumerate(sizes):
            if size:
                yield _rows(f"({term} {b})", next(solved)[:, 0])


#: What is drawn, and in every how many rounds.
DRAWN: tuple[tuple[Callable[[_Draw], Iterator[str]], int], ...] = (
    (_gradients, 1), (_second_order, 1), (_entries, 1), (_blocks, 1), (_sharded, 4),
)  # fmt: skip


def drawn_values(rounds: int = 25, seed: int = 22) -> tuple[str, int]:
    """Return a Coq file that computes drawn cases anew, and how many there are.

    Examples
    --------
    >>> text, cases = drawn_values(rounds=1)
    >>> text.count("same ") == cases
    True
    """
    draw = _Draw(seed)
    cases = [
        case
        for i in range(rounds)
        for kind, every in DRAWN
        if i % every == 0
        for case in kind(draw)
    ]
    lines = ";\n".join(cases)
    theorem = "Theorem values_agree : forallb (fun agrees => agrees) cases = true."
    return (
        f"{HEADER}Definition cases : list bool := [\n{lines}].\n{theorem}\n"
        "Proof. vm_compute. reflexivity. Qed.\n"
    ), len(cases)
