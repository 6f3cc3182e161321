"""A small experiment of two methods, and records as its runs leave them, with chosen results."""

from cdg_theory import Metric
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.protocol import Experiment
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
