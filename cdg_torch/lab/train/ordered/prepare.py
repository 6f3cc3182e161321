"""The network of a task with ordered outputs, its optimizer, its metric, its early stopping."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cdg_theory import Metric, discrete, fit_metric
from cdg_torch.attachment import Rule, attach
from cdg_torch.gradient import apply_metric
from cdg_torch.initialisation import matched_initialisation
from cdg_torch.lab.train.data import OrderedData, load_ordered
from cdg_torch.lab.train.methods import OPTIMIZERS, Method
from cdg_torch.lab.train.ordered.losses import Objective
from cdg_torch.lab.train.ordered.prediction import (
    SEED,
    fresh_objective,
    measured_lambda,
    spectra_before_training,
)
from cdg_torch.lab.train.ordered.treatment import Treatment, member, smoother_of_fit
from cdg_torch.lab.train.task import Task

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_torch.lab.train.data import Split
    from cdg_torch.lab.train.runs import Run

HIDDEN = 64
"""Units in each of the two hidden layers."""

LAYERS = {"hidden": "3.weight", "head": "5.weight"}
"""The names of the weights that treatments speak of."""

# The seed of the plain training that metrics are fitted to; no run has it.
_FIT_SEED = 1_000_004
# The score of a network that gives no finite output.
_LOST = -1e6


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    """Return two hidden layers of 64 rectified units and a linear head."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, outputs),
    )


def make_network(objective: Objective, seed: int) -> nn.Sequential:
    """Return the network of a run, with its default initial weights."""
    torch.manual_seed(seed)
    return perceptron(objective.data.dataset.train.images[0].numel(), objective.width)


_fits: dict[str, tuple[Metric, float]] = {}


def fitted_member(run: Run) -> tuple[Metric, float]:
    """Return the metric fitted to what plain descent adds to its head, and its μ₁.

    That training has the run's rate, and a seed and training samples of its own. Fitted is the
    change of the head: its initial weights are white, whatever the order of the outputs.
    """
    plain = Method(name="plain", optimizer=run.method.optimizer)
    plain_run = replace(run, method=plain, seed=_FIT_SEED, stage="select")
    if plain_run.key not in _fits:
        data = load_ordered(run.data, run.options, _FIT_SEED)
        change = _head_change(plain_run, data)
        fit = fit_metric(change, boundary=data.boundary, spacing="unit", draws=199).metric
        _fits[plain_run.key] = fit, float(discrete.eigenvalues(fit, len(change))[1])
    return _fits[plain_run.key]


def _head_change(run: Run, data: OrderedData) -> Any:
    """Return what a training of a run adds to the head."""
    task, model = _task_and_model(run, data)
    head = model.get_parameter(LAYERS["head"])
    before, count = head.detach().clone(), len(data.dataset.train)
    for _ in range(run.epochs):
        order = torch.randperm(count, generator=task.generator)
        for index in order[: count // run.batch * run.batch].split(run.batch):  # type: ignore[no-untyped-call]
            task.step(index)
    return (head.detach() - before).double().numpy()


def layer_lambda(run: Run, how: Treatment, data: OrderedData) -> float:
    """Return the λ of theorem 14 for a layer, from gradients at initial weights of its own seed."""
    objective = fresh_objective(Objective(data, how), run.data, dict(run.options))
    model = make_network(objective, SEED)
    found = spectra_before_training(objective, model, LAYERS[how.layer], run.batch, "natural")
    return measured_lambda(*found)


def metric_of(run: Run, how: Treatment, data: OrderedData) -> Metric | None:
    """Return the metric that a treatment names."""
    if how.metric == "none":
        return None
    if how.metric == "measured":
        return Metric.reweighted_h0(how.strength * layer_lambda(run, how, data))
    if how.metric == "fitted":
        return smoother_of_fit(*fitted_member(run), how.strength)
    boundary = data.boundary if how.layer == "head" else "natural"
    return member(how.metric, how.strength, boundary)


def _make_optimizer(model: nn.Module, run: Run, how: Treatment, metric: Metric | None) -> Optimizer:
    """Return the optimizer: the layer has a group of its own, and the metric if it acts."""
    name = LAYERS[how.layer]
    own = model.get_parameter(name)
    rest = [p for p in model.parameters() if p is not own]
    group: dict[str, Any] = {"params": [own], "lr": run.lr * how.rate}
    if how.decay is not None:
        group["weight_decay"] = how.decay
    make: Any = OPTIMIZERS[run.method.optimizer]
    optimizer: Optimizer = make([{"params": rest}, group], lr=run.lr)
    if metric is not None and how.matched:
        with torch.no_grad():
            own.copy_(matched_initialisation(own.detach(), metric))
    if metric is not None and how.acts:
        attach(optimizer, model, None, rules=[Rule(metric=metric, name=name)], where=how.where)
    return optimizer


def penalty(weight: Tensor, metric: Metric, strength: float) -> Tensor:
    r"""Return :math:`\tfrac{\lambda}{2}\langle w,Mw\rangle`, whose gradient is λMw."""
    return 0.5 * strength * (weight * apply_metric(weight, metric)).sum()


@torch.no_grad()
def judge(model: nn.Module, split: Split, objective: Objective) -> dict[str, float]:
    """Return the score, minus the mean error; of outputs that are not finite, a very low one."""
    model.eval()
    error = float(objective.errors(model(split.images), split.targets).mean())
    model.train()
    # Six digits: records hold thousands of these numbers.
    error = float(f"{error:.6g}") if error == error and error < -_LOST else -_LOST
    return {"score": -error, "loss": error}


def ordered_task(run: Run, device: str) -> Task:  # noqa: ARG001 - these networks stay on the CPU
    """Return the network of a run on ordered outputs; the best epoch on validation counts.

    The learning rate falls to 0 along half a cosine. These networks are too small for a GPU.

    Raises
    ------
    ValueError
        If the treatment does not fit the task.
    """
    return _task_and_model(run, load_ordered(run.data, run.options, run.seed))[0]


def _task_and_model(run: Run, data: OrderedData) -> tuple[Task, nn.Module]:
    dataset, how = data.dataset, run.method.ordered or Treatment()
    objective = Objective(data, how)
    metric = metric_of(run, how, data)
    model = make_network(objective, run.seed)
    optimizer = _make_optimizer(model, run, how, metric)
    weight = model.get_parameter(LAYERS[how.layer])
    steps = run.epochs * (len(dataset.train) // run.batch)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(run.seed)
    best: dict[str, Any] = {"score": float("-inf"), "state": copy.deepcopy(model.state_dict())}

    def step(index: Tensor) -> Tensor:
        output = model(dataset.train.images[index])
        loss = objective.loss(output, dataset.train.targets[index])
        optimizer.zero_grad()
        total = loss
        if how.penalty:
            assert metric is not None
            total = loss + penalty(weight, metric, how.penalty)
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()
        return loss.detach()

    def validate() -> dict[str, float]:
        found = judge(model, dataset.validation, objective)
        if found["score"] > best["score"]:
            best.update(score=found["score"], state=copy.deepcopy(model.state_dict()))
        return found

    def test() -> dict[str, Any]:
        state: Mapping[str, Any] = best["state"]
        model.load_state_dict(state)
        found = judge(model, dataset.test, objective)
        return {"test": found["score"], "test_loss": found["loss"], "correlations": []}

    return Task(dataset, generator, step, validate, test, keeps_best=True), model
