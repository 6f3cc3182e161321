"""One method against each other one: differences by hand, Holm's correction, and what is said."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from cdg_torch.lab.train import headline
from cdg_torch.lab.train.analysis import summarise
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.ordered.treatment import Treatment
from cdg_torch.lab.train.protocol import Experiment, choose_candidates
from cdg_torch.lab.train.statistics import holm
from tests.tools.records import chosen, record

FULL = Treatment(metric="second", strength=6.0, matched=True, decay=1e-3)
METHODS = (
    Method(name="SGD"),
    Method(name=headline.HEADLINE, ordered=FULL),
    Method(name="decay", ordered=Treatment(decay=0.1)),
    Method(name="own rate", ordered=Treatment(rate=3.0)),
    Method(name="soft", ordered=Treatment(spread=2.0)),
    Method(name="coarse", ordered=Treatment(coarse=2)),
)
EXPERIMENT = Experiment(
    name="small", data="digit-angles", model="perceptron", methods=METHODS, rates=(0.1,),
    final_seeds=12,
)  # fmt: skip
LEVELS = {"SGD": -10.0, headline.HEADLINE: -8.0, "decay": -9.0, "own rate": -11.0}
LEVELS |= {"soft": -7.0, "coarse": -8.0}


def scored(run) -> dict:
    wobble = np.random.default_rng([run.seed, len(run.method.name)]).normal(0, 0.05)
    return record(run, LEVELS[run.method.name] + wobble)


RATES = {(method.name, 8): 0.1 for method in METHODS}
FINAL = [scored(run) for run in EXPERIMENT.final_runs(chosen(EXPERIMENT, RATES))]


def test_the_headline_method_meets_all_others_that_have_no_metric() -> None:
    found = {duel.other.method.name: duel for duel in headline.duels(summarise(FINAL))}
    assert set(found) == {"SGD", "decay", "own rate", "soft", "coarse"}
    outcomes = {name: duel.outcome for name, duel in found.items()}
    assert outcomes == {
        "SGD": "better", "decay": "better", "own rate": "better",
        "soft": "worse", "coarse": "undecided",
    }  # fmt: skip
    assert found["SGD"].comparison.difference.mean == pytest.approx(2.0, abs=0.1)
    # Twelve seeds, five comparisons: the smallest p, five times.
    assert min(duel.corrected_p for duel in found.values()) == pytest.approx(5 * 2.0**-11)


def test_the_overview_names_the_best_control_and_the_best_rival() -> None:
    table = headline.overview([("x", summarise(FINAL)), ("y", [])])
    (line,) = table.rows
    assert line[0] == "x"
    assert line[1].startswith("-10.0") or line[1].startswith("-9.9")
    assert line[4].startswith("decay ")
    assert line[5].startswith("**+0.97 ±")
    assert line[6].startswith("soft ")
    assert line[7].startswith("*-1.0")
    assert line[7].endswith("*")
    # Another base has a table of its own, and experiments without controls are in none.
    assert headline.overview([("x", summarise(FINAL))], "adam") is None
    bare = [row for row in summarise(FINAL) if headline.role_of(row) != "control"]
    assert headline.overview([("x", bare)]) is None


def test_without_the_headline_method_there_is_nothing_to_say() -> None:
    rows = [row for row in summarise(FINAL) if row.method.name != headline.HEADLINE]
    assert headline.duels(rows) == []
    assert headline.duel_table(rows) is None
    assert headline.overview([("x", rows)]) is None


def test_holm_is_closed_testing_by_bonferroni() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.uniform(0, 0.3, 4)
        subsets = [s for r in range(1, 5) for s in itertools.combinations(range(4), r)]
        closed = [
            max(min(1.0, len(s) * min(p[list(s)])) for s in subsets if index in s)
            for index in range(4)
        ]
        assert holm(p.tolist()) == pytest.approx(closed)


def test_every_method_tries_equally_many_candidates() -> None:
    table = {"name": "x", "data": "digit-angles", "model": "perceptron", "rates": [0.1]}
    both = {"strength": [2.0, 4.0, 8.0], "factors": [1.0, 2.0]}
    smooth = {"name": "smooth", "ordered": {"metric": "second"}, "grid": both}
    plain = {"name": "SGD", "grid": {"factors": [0.5, 0.7, 1.0, 1.4, 2.0, 2.8]}}
    experiment = Experiment.parse({**table, "methods": [plain, smooth]})
    runs = experiment.select_runs()
    assert len(runs) == 2 * 6 * experiment.select_seeds
    assert len({run.key for run in runs}) == len(runs)
    tried = {(r.method.ordered.strength, r.lr) for r in runs if r.method.name == "smooth"}
    assert tried == {(s, 0.1 * f) for s in (2.0, 4.0, 8.0) for f in (1.0, 2.0)}
    with pytest.raises(ValueError, match=r"equally many candidates, got \{'SGD': 1, 'smooth': 6\}"):
        Experiment.parse({**table, "methods": [{"name": "SGD"}, smooth]})


def test_settings_are_chosen_with_the_rate_and_others_do_not_count() -> None:
    table = {"name": "x", "data": "digit-angles", "model": "perceptron", "rates": [0.1]}
    grid = {"strength": [2.0, 4.0], "factors": [1.0, 2.0]}
    smooth = {"name": "smooth", "ordered": {"metric": "second"}, "grid": grid}
    plain = {"name": "SGD", "grid": {"factors": [0.5, 1.0, 2.0, 4.0]}}
    experiment = Experiment.parse({**table, "methods": [plain, smooth], "final_seeds": 3})
    best = replace(METHODS[1], name="smooth", ordered=Treatment(metric="second", strength=4.0))

    def score(run) -> float:
        return -1.0 if (run.method, run.lr) == (best, 0.2) else -2.0

    select = [record(run, score(run)) for run in experiment.select_runs()]
    found = choose_candidates(select)
    assert found["smooth", 8] == (best, 0.2)
    final = [record(run, -1.0) for run in experiment.final_runs(found)]
    stale = dict(found)
    stale["smooth", 8] = (replace(best, ordered=Treatment(metric="second", strength=2.0)), 0.2)
    old = [record(run, -9.0) for run in experiment.final_runs(stale)]
    rows = {row.method.name: row for row in summarise([*select, *old, *final])}
    assert rows["smooth"].score.mean == -1.0
