"""The demonstration: the paper's two metrics on handwritten digits, and a head with an order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cdg_theory import Metric
from cdg_torch.lab.train.analysis import MethodScore, summarise
from cdg_torch.lab.train.headline import HEADLINE
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.ordered.treatment import Treatment
from cdg_torch.lab.train.plots import draw_training
from cdg_torch.lab.train.protocol import Experiment, conduct
from cdg_torch.lab.train.runs import Record

DEMO = Experiment(
    name="demo",
    data="digits",
    model="tiny-cnn",
    methods=(
        Method(name="SGD"),
        Method(name="re-weighted H⁰, λ=4", metric=Metric.reweighted_h0(4.0)),
        # Just above 1/π², below which the lowest mode would be amplified.
        Method(name="Sobolev, λ=0.11", metric=Metric.sobolev(0.11)),
    ),
    rates=(0.01, 0.03, 0.1, 0.3),
    batches=(8,),
    epochs=8,
    select_seeds=3,
    final_seeds=10,
)
"""Plain SGD with momentum against the paper's two metrics, strengths fixed beforehand."""

ORDERED_DEMO = Experiment(
    name="ordered demo",
    data="digit-angles",
    model="perceptron",
    methods=(
        Method(name="SGD"),
        Method(name="weight decay", ordered=Treatment(decay=1e-2)),
        Method(
            name=HEADLINE,
            ordered=Treatment(metric="second", strength=6.0, matched=True, decay=1e-3),
        ),
        Method(name="soft targets", ordered=Treatment(spread=4.0)),
    ),
    rates=(0.03, 0.06, 0.1),
    batches=(32,),
    epochs=8,
    select_seeds=2,
    final_seeds=10,
)
"""The angle of turned digits: plain SGD, a control, the metric at its best, and a rival."""


def run_demo(
    experiment: Experiment,
    folder: Path,
    *,
    workers: int | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> tuple[list[MethodScore], list[Path]]:
    """Train everything; return the rows of the table and the paths of what was written.

    Starts anew: records of an earlier demonstration in the folder are replaced.
    """
    results, figure = folder / "results.jsonl", folder / "training.png"
    results.unlink(missing_ok=True)
    records = conduct(experiment, results, workers=workers, on_record=on_record)
    title = f"{experiment.data}, batch {experiment.batches[0]}, {experiment.final_seeds} seeds"
    draw_training(records, title, figure)
    return summarise(records), [results, figure]
