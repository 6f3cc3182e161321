"""What the scans on the GPU compose: runs with runs give what one row after the other gives.

Triton's interpreter scans one by one, and would not see a composition that is wrong for runs.
"""

import itertools
from fractions import Fraction
from functools import reduce

import pytest

pytest.importorskip("triton", reason="Triton is not installed")

from cdg_torch.solve.gpu import programs, segments

NUMBERS = [Fraction(5 - 2 * i, i + 3) for i in range(6)]


def matrix(p, q):
    """Return a matrix of those that commute: p + q times one and the same."""
    return p, 3 * q, 2 * q, p + q


def through(m, level, moment):
    return m[0] * level + m[1] * moment, m[2] * level + m[3] * moment


def carried():
    """Return rows y → py + r, and what they make of 0 and 1."""
    rows = [(p + 2, p) for p in NUMBERS]
    product, y = Fraction(1), Fraction(0)
    for p, r in rows:
        product, y = p * product, p * y + r
    return rows, (product, y)


def entered():
    """Return segments, and what they do, and do before the last."""
    rows = [(p + 2, p, Fraction(1), Fraction(0)) for p in NUMBERS]
    states = [(Fraction(1), Fraction(0))]
    for p, w, *_ in rows:
        states.append((p * states[-1][0], p * states[-1][1] + w))
    return rows, (*states[-1], *states[-2])


def multiplied():
    """Return matrices, and their product."""
    rows = [matrix(p, p + 1) for p in NUMBERS]
    # The columns of the product: what the matrices make of the unit vectors.
    first, second = (1, 0), (0, 1)
    for m in rows:
        first, second = through(m, *first), through(m, *second)
    return rows, (first[0], second[0], first[1], second[1])


def paired():
    """Return rows z → Rz + v, and what they make of 0."""
    rows, product = multiplied()
    loads = [(p, 1 - p) for p in NUMBERS]
    z = Fraction(0), Fraction(0)
    for m, v in zip(rows, loads, strict=True):
        level, moment = through(m, *z)
        z = level + v[0], moment + v[1]
    return [(*m, *v) for m, v in zip(rows, loads, strict=True)], (*product, *z)


@pytest.mark.parametrize(
    ("composition", "case"),
    [
        (programs._compose, carried),
        (programs._times, multiplied),
        (programs._compose_pairs, paired),
        (segments._enter, entered),
    ],
    ids=["rows", "matrices", "pairs", "segments"],
)
def test_runs_compose_in_whatever_order(composition, case, monkeypatch) -> None:
    monkeypatch.setattr(programs, "_times", programs._times.fn)
    plain = composition.fn

    def compose(first, then):
        return plain(*first, *then)

    rows, expected = case()
    for one, two in itertools.combinations(range(1, len(rows)), 2):
        runs = [reduce(compose, part) for part in (rows[:one], rows[one:two], rows[two:])]
        assert compose(compose(*runs[:2]), runs[2]) == expected
        assert compose(runs[0], compose(*runs[1:])) == expected
