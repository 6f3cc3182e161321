"""The protocol: one grid and budget for all, rates chosen on validation, the test touched once."""

import math
from dataclasses import replace

import pytest

from cdg_torch.lab.train.analysis import finding, summarise
from cdg_torch.lab.train.data import load_dataset
from cdg_torch.lab.train.protocol import Experiment, choose_candidates
from cdg_torch.lab.train.runs import Run
from cdg_torch.lab.train.training import train_run
from tests.tools import records
from tests.tools.records import SGD, SMOOTH, chosen, record

EXPERIMENT = replace(records.EXPERIMENT, name="protocol", batches=(4, 8), final_seeds=10)
RATES = {(method, batch): 0.1 for method in ("SGD", "H⁰") for batch in (4, 8)}


def test_every_method_has_the_same_grid_budget_and_seeds() -> None:
    select = EXPERIMENT.select_runs()
    final = EXPERIMENT.final_runs(chosen(EXPERIMENT, RATES))
    assert len(select) + len(final) == EXPERIMENT.run_count
    for runs in (select, final):
        plans = [
            {(r.lr, r.seed, r.batch, r.epochs) for r in runs if r.method == method}
            for method in EXPERIMENT.methods
        ]
        assert plans[0] == plans[1]
    assert not {r.seed for r in select} & {r.seed for r in final}
    assert len({r.key for r in [*select, *final]}) == EXPERIMENT.run_count


def test_rates_are_chosen_per_cell_by_validation_and_ties_by_loss() -> None:
    def outcome(run: Run) -> dict:
        if run.method is SGD:  # the larger rate wins at batch 4, the smaller at batch 8
            return record(run, 0.9 if (run.lr > 0.05) == (run.batch == 4) else 0.8)
        # Equal scores; the larger rate's loss is not finite.
        return record(run, 0.5, math.nan if run.lr > 0.05 else 2.0)

    found = choose_candidates([outcome(run) for run in EXPERIMENT.select_runs()])
    assert {cell: rate for cell, (_, rate) in found.items()} == {
        ("SGD", 4): 0.1,
        ("SGD", 8): 0.01,
        ("H⁰", 4): 0.01,
        ("H⁰", 8): 0.01,
    }


def test_selection_never_sees_the_test(monkeypatch) -> None:
    seen = records.evaluations(monkeypatch)
    small = replace(EXPERIMENT, options={"train": 16, "validation": 16}, epochs=2)
    run = small.select_runs()[0]
    test = load_dataset("digits", dict(small.options)).test.images
    assert "test" not in train_run(run)["results"]
    assert not any(split.images is test for split, _ in seen)
    seen.clear()
    train_run(replace(run, stage="final"))
    assert sum(split.images is test for split, _ in seen) == 1
    assert seen[-1][0].images is test


@pytest.mark.parametrize(
    ("shift", "words"),
    [(0.02, "better than the baseline"), (-0.02, "worse than"), (0.0, "cannot be told from noise")],
)
def test_findings_say_what_the_numbers_say(shift, words) -> None:
    wobble = [0.001 * (-1) ** seed * (1 + seed) for seed in range(10)]
    found = [
        record(run, 0.9 + (run.method == SMOOTH) * (shift + wobble[run.seed]))
        for run in EXPERIMENT.final_runs(chosen(EXPERIMENT, RATES))
    ]
    rows = summarise(found)
    assert [row.comparison is None for row in rows] == [True, False, True, False]
    assert words in finding(rows[1])
    assert rows[1].comparison.difference.mean == pytest.approx(shift - 0.0005)


def test_a_gain_in_few_seeds_is_not_called_one() -> None:
    """Four seeds cannot reach a p-value of 0.05 by sign flips, however large the difference."""
    small = replace(EXPERIMENT, final_seeds=4, batches=(8,))
    found = [
        record(run, 0.9 + 0.05 * (run.method == SMOOTH) + 1e-4 * run.seed * (run.method == SGD))
        for run in small.final_runs(chosen(small, {("SGD", 8): 0.1, ("H⁰", 8): 0.1}))
    ]
    assert "undecided" in finding(summarise(found)[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ()}, "methods of experiment 'protocol' must not be empty"),
        ({"methods": (SGD, SGD)}, "share a name"),
        ({"final_seeds": 1}, "final_seeds 0 or >= 2"),
    ],
)
def test_bad_experiments_are_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        replace(EXPERIMENT, **change)


def test_a_spec_with_a_misspelt_key_is_refused() -> None:
    table = {"name": "x", "data": "digits", "model": "tiny-cnn", "methods": [], "rate": [0.1]}
    with pytest.raises(ValueError, match=r"unknown \['rate'\], missing \['rates'\]"):
        Experiment.parse(table)
