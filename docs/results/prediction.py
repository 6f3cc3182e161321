"""Put what theorem 15 predicts before training beside what training then gains.

Run from the project's root: python docs/results/prediction.py
Reads the records of the ordered experiments; writes prediction.inc and prediction.png beside this
file. Predicted is the share by which a metric lowers the error of one batch's gradient, each at
its own best rate, from gradients at initial weights. Measured is the share by which the metric
alone lowers the test error, at the settings that validation chose.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from scipy import stats

from cdg_torch.lab.drawing import HUES, figure_of
from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train import store
from cdg_torch.lab.train.analysis import MethodScore, summarise
from cdg_torch.lab.train.data import load_ordered
from cdg_torch.lab.train.ordered import prediction, prepare
from cdg_torch.lab.train.ordered.losses import Objective
from cdg_torch.lab.train.ordered.treatment import Treatment
from cdg_torch.lab.train.runs import Run

HERE = Path(__file__).parent
# The hidden layers that were trained again are points already.
FILES = [
    path
    for path in sorted((HERE / "records").glob("ordered-*.jsonl"))
    if not path.stem.startswith("ordered-again-")
]


@dataclass(frozen=True)
class Point:
    """One metric, alone, on one layer of one task."""

    task: str
    layer: str
    method: str
    predicted: float
    measured: float
    reach: float


def alone(row: MethodScore) -> Treatment | None:
    """Return the treatment of a row, if it is a metric and nothing else."""
    how = row.method.ordered
    if how is None or how.role != "metric" or how.where == "update":
        return None
    bare = not (how.matched or how.penalty or how.spread or how.parametric)
    return how if bare and how.decay is None else None


def point(task: str, row: MethodScore, how: Treatment, base: MethodScore, run: Run) -> Point:
    """Return what is predicted and what was measured."""
    data = load_ordered(run.data, run.options, prediction.SEED)
    objective = prediction.fresh_objective(
        Objective(data, Treatment()), run.data, dict(run.options)
    )
    model = prepare.make_network(objective, prediction.SEED)
    boundary = data.boundary if how.layer == "head" else "natural"
    spectra = prediction.spectra_before_training(
        objective, model, prepare.LAYERS[how.layer], run.batch, boundary
    )
    metric = prepare.metric_of(run, how, data)
    gain = row.comparison.difference
    error = -base.score.mean
    return Point(
        task,
        how.layer,
        row.method.name,
        prediction.predicted_gain(metric, *spectra),
        gain.mean / error,
        gain.half_width / error,
    )


def points() -> list[Point]:
    """Return one point for each metric alone that the records hold."""
    found = []
    for path in FILES:
        records = list(store.read_checked(path).values())
        rows = summarise(records)
        base = next((row for row in rows if row.method.is_baseline), None)
        if base is None:
            continue
        for row in rows:
            how = alone(row)
            if how is not None and row.comparison is not None:
                run = next(
                    Run.parse(record["run"])
                    for record in records
                    if record["run"]["stage"] == "final"
                    and record["run"]["method"]["name"] == row.method.name
                    and record["run"]["lr"] == row.lr
                )
                found.append(point(path.stem.removeprefix("ordered-"), row, how, base, run))
    return found


def draw(found: list[Point], path: Path) -> None:
    """Draw measured against predicted, heads and hidden layers apart."""
    with figure_of(6, 4, path) as figure:
        axes = figure.subplots()
        for layer, hue, marker in (("head", HUES[0], "o"), ("hidden", HUES[1], "s")):
            own = [p for p in found if p.layer == layer]
            axes.errorbar(
                [max(p.predicted, -1.0) for p in own],
                [p.measured for p in own],
                yerr=[p.reach for p in own],
                fmt=marker,
                ms=4,
                color=hue,
                label=f"{layer} layers",
            )
        axes.axhline(0, color="#1b1b1f", lw=0.8)
        axes.axvline(0, color="#1b1b1f", lw=0.8)
        axes.set(
            xlabel="predicted: error of the gradient, share saved (cut off at −1)",
            ylabel="measured: test error, share saved",
        )
        axes.legend()


def main() -> None:
    """Write the table and the figure, and print the rank correlations."""
    torch.set_num_threads(1)
    found = points()
    rows = [
        (p.task, p.layer, p.method, f"{p.predicted:+.3f}", f"{p.measured:+.3f} ± {p.reach:.3f}")
        for p in found
    ]
    heads = [p for p in found if p.layer == "head"]
    lines = []
    for name, own in (
        ("all", found),
        ("heads", heads),
        ("heads without H⁰", [p for p in heads if p.method != "H⁰"]),
        # What is left when losses that are far off, and metrics without effect, no longer decide.
        ("heads with a predicted gain above 0.01", [p for p in heads if p.predicted > 0.01]),
        ("hidden layers", [p for p in found if p.layer == "hidden"]),
    ):
        if len(own) > 2:
            rho = stats.spearmanr([p.predicted for p in own], [p.measured for p in own]).statistic
            lines.append((name, str(len(own)), f"{rho:+.2f}"))
    table = ResultTable(("task", "layer", "metric alone", "predicted", "measured"), rows,
                        left=(0, 1, 2))  # fmt: skip
    ranks = ResultTable(("points", "number", "rank correlation"), lines)
    text = f"{ranks.markdown()}\n{table.markdown()}"
    (HERE / "prediction.inc").write_text(text, encoding="utf-8")
    draw(found, HERE / "prediction.png")
    print(text)


if __name__ == "__main__":
    main()
