"""Slips planted in the theory are refused by the ledger alone, with no test besides.

The slips are those of :mod:`tests.tools.slips`, drawn at random from all functions that claim
something. What lives counts against the ledger, but for what is told in :data:`NOTHING`: it changes
no result that anything is claimed of.
"""

from __future__ import annotations

from collections import Counter

from cdg_theory import ledger
from tests.deep.figures import LITTLE, Figure, Report, score, timed
from tests.theory.test_ledger_complete import CLAIMING, FUNCTIONS
from tests.tools import slips

SEED, MOST, GOAL = 9, 160, 0.95
NOTHING = {
    "InnerProduct.from_terms: o - sp": "any three probes tell the terms apart",
    "InnerProduct.from_terms: o ** 2": "any three probes tell the terms apart",
    "InnerProduct.from_terms: sp.Integer(1) ->": "any three probes tell the terms apart",
    "InnerProduct.from_terms: sp.Rational(1": "any three probes tell the terms apart",
    "InnerProduct.__call__: (h - mean(h)) * (k - mean(k)) -> (h +": "k − k̄ has mean 0",
    "InnerProduct.__call__: (h - mean(h)) * (k - mean(k)) -> (h - mean(h)) * (k +": "so has h − h̄",
    "InnerProduct.__post_init__: ('mean'": "numbers stay Python's where SymPy's would do",
    "GreenFunction.is_reproducing: (self.left - self.right).subs(o, s) -> "
    "(self.left - self.right).subs(s": "o = s, either way round",
    "weak_residual: inner(k, h) - integral(g * h) -> inner(h, k)": "the form is symmetric",
    "_antiderivative: len(waves) == 1 -> len(waves) == 2": "SymPy's search: slower",
    "enclose_gradient: max(missing": "how many bits the next round gets",
    "_binary_places: 53 - int(exponents.min()) -> 54": "a finer scale",
    "_ldexp: max(0, abs(integer).bit_length() - 64) -> max(1": "63 bits for 64",
    "_ldexp: abs(integer).bit_length() - 64 ->": "65 bits for 64",
    "scaled_integers: shift >= 0 -> shift >= 1": "a shift by 0, either way",
    "flux_map: np.eye": "a product with the field's 1",
    "flux_map: -1 -> -2": "NumPy reads any negative number so",
    "_sweep_factors: (factors.": "which arrays are read-only",
    "_sweep_errors: factors.flux is not None and known.flux is not None -> "
    "factors.flux is not None or": "the two are given together",
    "factor_errors: p * E / (metric.fluctuation + p * E) if E else 0.0 -> "
    "p * E / (metric.fluctuation + p * E) if E else 1.0": "multiplied by 1 − p = 0",
}
"""What the slips that begin like this do, instead of changing anything."""

PROMISE = f"the ledger alone refuses at least {GOAL:.0%} of the slips planted in the theory"


def judge(effort: float, report: Report, seed: int = SEED) -> Figure:
    """Run the ledger once to see what its theorems execute, then plant slips there."""
    count = round(MOST * min(effort, 1.0))
    if count < MOST / 10:
        return Figure("mutation", PROMISE, LITTLE, None, 0.0)
    every = slips.drawn(CLAIMING, seed)
    population = [s for s in every if not s.said.startswith(tuple(NOTHING))]
    with timed() as seconds:
        with slips.watched(FUNCTIONS):
            ran = {theorem: slips.run(theorem) for theorem in ledger.theorems()}
        noticed: Counter[int] = Counter()
        lived = []
        for done, slip in enumerate(population[:count]):
            report("slips", done, count)
            theorem = slips.refused_by(slip, ran)
            if theorem is None:
                lived.append(str(slip))
            else:
                noticed[theorem.number] += 1
    refused = noticed.total()
    found = (
        f"refused {score(refused, count)} tried, {len(population):,} there are, and "
        f"{len(every) - len(population)} that change nothing; by theorems "
        + ", ".join(f"{number} ({n})" for number, n in sorted(noticed.items()))
    )
    holds = refused >= GOAL * count
    return Figure("mutation", PROMISE, found, holds, seconds(), tuple(sorted(lived)))
