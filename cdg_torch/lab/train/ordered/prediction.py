r"""What theorems 14 and 15 predict from a layer's gradients before training.

Gradients of independent batches, at the initial weights, give signal and noise by channel mode
(:mod:`cdg_theory.discrete.moments`); a signal below 0 is cut off. The samples are drawn by a seed
that no run has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from cdg_theory import Metric, discrete
from cdg_theory.discrete.moments import measured_moments, mode_products
from cdg_theory.discrete.shrinkage import best_scale, risk
from cdg_torch.diagnosis.predicting import mean_weight
from cdg_torch.lab.train.data import load_ordered

if TYPE_CHECKING:
    from torch import nn

    from cdg_theory.metric import Boundary
    from cdg_torch.lab.train.ordered.losses import Objective

    Floats = NDArray[np.float64]

SEED = 1_000_005
"""Of the samples, and of the initial weights."""

BATCHES = 64
"""How many batches are looked at."""

LARGEST, SMALLEST = 64.0, 1 / 16
"""Where the λ of theorem 14 is cut off: a signal lost in noise asks for infinity."""


def gradient_samples(
    model: nn.Module, objective: Objective, name: str, batch: int
) -> NDArray[np.float64]:
    """Return the gradients of one weight on independent batches: (batches, n, columns)."""
    train = objective.data.dataset.train
    weight = model.get_parameter(name)
    found = []
    for index in torch.arange(len(train)).split(batch)[:BATCHES]:  # type: ignore[no-untyped-call]
        if len(index) < batch:
            break
        loss = objective.loss(model(train.images[index]), train.targets[index])
        (gradient,) = torch.autograd.grad(loss, weight)
        found.append(gradient.double().numpy())
    return np.stack(found)


def moments_by_mode(samples: Floats, boundary: Boundary) -> tuple[Floats, Floats]:
    """Return signal and noise by channel mode, summed over columns, from (batches, n, columns)."""
    signal, noise = measured_moments(samples.shape[2] * mode_products(samples, boundary))
    return np.maximum(signal, 0.0), noise


def measured_lambda(signal: Floats, noise: Floats) -> float:
    r"""Return :math:`\lambda^*=s_0(\nu_1+s_1)/(s_1(\nu_0+s_0))` of theorem 14, cut off.

    A mean without signal, as that of a softmax head, says nothing: 1.
    """
    if signal[0] <= 1e-12 * signal[1:].mean():
        return 1.0
    found = mean_weight(signal, noise)
    return LARGEST if found is None else min(max(found, SMALLEST), LARGEST)


def predicted_gain(metric: Metric, signal: Floats, noise: Floats) -> float:
    """Return by which share the metric lowers the error of a batch's gradient, best rates each.

    Theorem 15's risk of the factors 1/λₘ at their best scale, against that of the ordinary
    gradient at its own.
    """
    plain = np.ones(len(signal))
    factors = 1 / discrete.eigenvalues(metric, len(signal))
    own, other = (
        risk(best_scale(kappa, signal, noise) * kappa, signal, noise) for kappa in (factors, plain)
    )
    return 1 - own / other


def spectra_before_training(
    objective: Objective, model: nn.Module, name: str, batch: int, boundary: Boundary
) -> tuple[Floats, Floats]:
    """Return signal and noise of a weight's gradients at the weights that the model has."""
    return moments_by_mode(gradient_samples(model, objective, name, batch), boundary)


def fresh_objective(objective: Objective, data: str, options: dict[str, object]) -> Objective:
    """Return the objective on samples of its own, more than a run trains on."""
    train = 100 if data == "grey-levels" else 2048
    more = load_ordered(data, {**options, "train": train, "repeat": 1}, SEED)
    return replace(objective, data=more)
