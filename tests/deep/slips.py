"""Slips planted in the theory are refused by the ledger alone, with no test besides.

The slips are those of :mod:`tests.tools.slips`, drawn at random from all functions that claim
something. What lives counts against the ledger, but for what is told in
:data:`tests.tools.slips.NOTHING`: it changes no result that anything is claimed of.
"""

from __future__ import annotations

from collections import Counter

from cdg_theory import ledger
from tests.deep.figures import LITTLE, Figure, Report, score, timed
from tests.theory.test_ledger_complete import CLAIMING, FUNCTIONS
from tests.tools import slips

SEED, MOST, GOAL = 9, 160, 0.95

PROMISE = f"the ledger alone refuses at least {GOAL:.0%} of the slips planted in the theory"


def judge(effort: float, report: Report, seed: int = SEED) -> Figure:
    """Run the ledger once to see what its theorems execute, then plant slips there."""
    count = round(MOST * min(effort, 1.0))
    if count < MOST / 10:
        return Figure("mutation", PROMISE, LITTLE, None, 0.0)
    every = slips.drawn(CLAIMING, seed)
    population = [s for s in every if s.changes_something]
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
