"""A small experiment of two methods, and records as its runs leave them, with chosen results."""

from cdg_theory import Metric
from cdg_torch.lab.train import supervised
from cdg_torch.lab.train.data import Dataset, Split
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.protocol import Candidate, Cell, Experiment
from cdg_torch.lab.train.runs import Run

SGD = Method(name="SGD")
SMOOTH = Method(name="H⁰", metric=Metric.reweighted_h0(4.0))
EXPERIMENT = Experiment(
    name="small", data="digits", model="tiny-cnn", methods=(SGD, SMOOTH), rates=(0.1, 0.01)
)
RUN = Run(
    data="digits",
    options={"train": 64, "validation": 16},
    model="tiny-cnn",
    method=SMOOTH,
    lr=0.05,
    seed=3,
    epochs=2,
)


def chosen(experiment: Experiment, rates: dict[Cell, float]) -> dict[Cell, Candidate]:
    """Return the methods of an experiment with these rates, as the first stage chooses them."""
    methods = {method.name: method for method in experiment.methods}
    return {(name, batch): (methods[name], rate) for (name, batch), rate in rates.items()}


def evaluations(monkeypatch) -> list[tuple[Split, Dataset]]:
    """Return a list to which every evaluation of a network from now on adds what it looks at."""
    seen = []
    measure = supervised.evaluate

    def spy(model, split, dataset):
        seen.append((split, dataset))
        return measure(model, split, dataset)

    monkeypatch.setattr(supervised, "evaluate", spy)
    return seen


def record(run: Run, score: float, loss: float = 1.0) -> dict:
    results = {
        "curve": [{"epoch": 1, "train_loss": 1.0, "score": score, "loss": loss}],
        "validation": score,
        "diverged": False,
    }
    if run.stage == "final":
        results |= {"test": score, "test_loss": 1.0, "correlations": []}
    timing = {"seconds_per_step": 1e-3}
    return {"key": run.key, "run": run.as_dict(), "results": results, "timing": timing}
