"""The ledger is complete: a theorem executes every function, and slips in them are refused.

Slips are drawn from all functions of the theory, a few here and some hundreds in the deep checks.
"""

import pytest

from cdg_theory import ledger
from tests.tools import slips

# One process, since all of it needs the same run.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ledger")]

# No mathematics: the face, refusals, the ledger and its proofs, what runs Coq, how things show
# themselves and are stored. They have tests of their own.
RECORD = "cdg_theory.certificates.certificate"
EXEMPT = (
    "cdg_theory.__getattr__", "cdg_theory.checks.", "cdg_theory.display.", "cdg_theory.ledger.",
    "cdg_theory.proofs.", "cdg_theory.formal.", "cdg_theory.theorem.",
    f"{RECORD}._checked", f"{RECORD}.Certificate.to_json", f"{RECORD}.Certificate.from_json",
    f"{RECORD}.Certificate.__str__", f"{RECORD}.Certificate._head", f"{RECORD}.Finding.__str__",
)  # fmt: skip
# A certificate's draws, and the search for the worst, only look for errors: any will do.
LOOKING = ("cdg_theory.certificates.draws.", "cdg_theory.certificates.search.", RECORD)
FUNCTIONS = {
    name: function
    for name, function in slips.functions_of("cdg_theory").items()
    if not name.startswith(EXEMPT)
    and not name.endswith(("__repr__", "_repr_latex_", "_repr_html_"))
}
CLAIMING = [function for name, function in FUNCTIONS.items() if not name.startswith(LOOKING)]
SEED, TRIED = 7, 8
# Quick ones that together execute nearly everything; the others follow until nothing is left.
FIRST = """
    T1.members T1.length T1.grids T1.gram-matrix T1.arrangements T2.one-line T2.modes T2.classes
    T2.mercer T2.coefficients T2.grid-solves T2.green-natural T2.smoothing-by-kernel T3.discrete-h0
    T3.discrete-symmetry T3.limits T4.steepest T5.images T5.float64 T5.one-line T7.verdict
    T7.one-line T7.oracle T7.derived-functionals T8.best-h0 T8.chain T8.end-slopes T8.best-lambda
    T8.discrete-exact T8.variance-kept T9.powers T9.inner-product T1.cone T5.exact-arrays
    T11.flux-map T11.float64 T12.grids T15.mode-by-mode T15.scale T16.path T16.early-stopping
"""


@pytest.fixture(scope="module")
def ran():
    """Run theorems until every function has been executed."""
    found, left, first = {}, set(FUNCTIONS), FIRST.split()
    with slips.watched(FUNCTIONS):
        for theorem in sorted(ledger.theorems(), key=lambda t: t.id not in first):
            if left:
                found[theorem] = slips.run(theorem)
                left -= found[theorem].executed
    return found


def test_every_function_is_executed(ran) -> None:
    executed = set().union(*(run.executed for run in ran.values()))
    assert sorted(set(FUNCTIONS) - executed) == []


def test_slips_are_refused(ran) -> None:
    tried = [slip for slip in slips.drawn(CLAIMING, SEED) if slip.changes_something][:TRIED]
    lived = [slip for slip in tried if slips.refused_by(slip, ran) is None]
    if lived:
        # Not by the quick ones: then by all.
        with slips.watched(FUNCTIONS):
            others = {t: slips.run(t) for t in ledger.theorems() if t not in ran}
        lived = [str(slip) for slip in lived if slips.refused_by(slip, others) is None]
    assert lived == []


def test_a_slip_that_no_theorem_sees_lives(ran) -> None:
    # What is planted does run, is taken back, and theorems that do not execute it are not asked.
    slip = next(s for s in slips.drawn(CLAIMING, SEED) if "best_h0" in str(s))
    noticed = slips.refused_by(slip, ran)
    assert noticed is not None
    assert noticed.check()
    name = f"{slip.function.__module__}.{slip.function.__qualname__}"
    others = {theorem: run for theorem, run in ran.items() if name not in run.executed}
    assert others
    assert slips.refused_by(slip, others) is None
