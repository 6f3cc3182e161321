"""Records as a training run leaves them, with results that a test chooses."""

from cdg_torch.lab.train.runs import Run


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
