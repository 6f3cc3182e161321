"""Targets, losses and scores of ordered outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cdg_torch.lab.train.data import OrderedData
from cdg_torch.lab.train.ordered.treatment import Treatment

LOGISTICS = 5
"""Members of the mixture of discretised logistics."""

CAPS = {"angle": 45.0, "pitch": 100.0}
"""Errors beyond this, in degrees or cents, count as this."""


def bin_distance(places: Tensor, bins: int, *, periodic: bool) -> Tensor:
    """Return how far the middle of each bin is from each place, in bins: (count, bins)."""
    distance = (torch.arange(bins) + 0.5 - places[:, None]).abs()
    return torch.minimum(distance, bins - distance) if periodic else distance


def soft_targets(places: Tensor, bins: int, spread: float, *, periodic: bool) -> Tensor:
    r"""Return :math:`e^{-d^2/2s^2}` over its sum, d the distance to each bin: (count, bins)."""
    distance = bin_distance(places, bins, periodic=periodic)
    return functional.softmax(-0.5 * (distance / spread) ** 2, dim=1)


def smoothed_values(values: Tensor, spread: float, *, periodic: bool) -> tuple[Tensor, Tensor]:
    """Return values averaged with Gaussian weights over what is seen, and the sums of weights.

    An output far from all that are seen keeps a weight near 0.
    """
    n = values.shape[1]
    at = torch.arange(n)
    distance = (at - at[:, None]).abs().float()
    if periodic:
        distance = torch.minimum(distance, n - distance)
    kernel = torch.exp(-0.5 * (distance / spread) ** 2)
    seen = (~values.isnan()).float()
    weights = seen @ kernel
    sums = values.nan_to_num(0.0) @ kernel
    return sums / weights.clamp_min(1e-12), weights.clamp_max(1.0)


def logistic_log_likelihood(output: Tensor, places: Tensor, bins: int) -> Tensor:
    """Return the log-likelihood of each place's bin under a mixture of discretised logistics.

    ``output`` holds weights, means and log scales, each ``LOGISTICS`` numbers; the first and the
    last bin have all that lies beyond them.
    """
    weight, mean, scale = output.view(-1, 3, LOGISTICS).unbind(1)
    centres = (torch.arange(LOGISTICS) + 0.5) / LOGISTICS
    width = functional.softplus(scale) / 10 + 1 / (4 * bins)
    index = places.long()[:, None]
    low = ((index / bins) - centres - mean) / width
    high = ((index + 1) / bins - centres - mean) / width
    below = torch.where(index == 0, torch.zeros_like(low), torch.sigmoid(low))
    upto = torch.where(index == bins - 1, torch.ones_like(high), torch.sigmoid(high))
    share = functional.log_softmax(weight, dim=1)
    return torch.logsumexp(share + (upto - below).clamp_min(1e-12).log(), dim=1)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is learnt from the outputs of a network, and how they are judged.

    ================  =================================================================
    method            gives
    ================  =================================================================
    ``loss``          of outputs and targets, a mean over the batch
    ``errors``        of outputs and targets, per sample: degrees, cents, nats, or squares
    ================  =================================================================
    """

    data: OrderedData
    treatment: Treatment

    @property
    def width(self) -> int:
        """How many outputs the network has.

        Raises
        ------
        ValueError
            If the treatment does not fit the task.
        """
        n, how = self.data.dataset.classes, self.treatment
        if self.data.outputs == "values" and (how.parametric or how.coarse > 1 or how.smoothing):
            msg = "parametric, coarse and smoothing are for bins, and this task has values"
            raise ValueError(msg)
        if how.parametric and self.data.outputs == "pitch":
            msg = "parametric is for angles and levels, and this task has pitches"
            raise ValueError(msg)
        if how.parametric:
            return 2 if self.data.outputs == "angle" else 3 * LOGISTICS
        if n % how.coarse:
            msg = f"coarse must divide the {n} bins, got {how.coarse}"
            raise ValueError(msg)
        return n // how.coarse

    @property
    def _periodic(self) -> bool:
        return self.data.boundary == "periodic"

    def _turn(self, places: Tensor) -> Tensor:
        return places * (self.data.unit * math.pi / 180)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Return the loss that is descended."""
        how = self.treatment
        if self.data.outputs == "values":
            if how.spread:
                targets, weights = smoothed_values(targets, how.spread, periodic=self._periodic)
            else:
                weights = (~targets.isnan()).float()
            squares = (output - targets.nan_to_num(0.0)) ** 2
            return (weights * squares).sum() / weights.sum()
        if how.parametric and self.data.outputs == "angle":
            angle = self._turn(targets)
            return ((output - torch.stack([angle.cos(), angle.sin()], 1)) ** 2).sum(1).mean()
        if how.parametric:
            return -logistic_log_likelihood(output, targets, self.data.dataset.classes).mean()
        places = targets / how.coarse
        if how.spread:
            wanted = soft_targets(
                places, self.width, how.spread / how.coarse, periodic=self._periodic
            )
            return functional.cross_entropy(output, wanted)
        return functional.cross_entropy(output, places.long(), label_smoothing=how.smoothing)

    def errors(self, output: Tensor, targets: Tensor) -> Tensor:
        """Return the error of each sample, by which every method is judged."""
        how, data = self.treatment, self.data
        if data.outputs == "values":
            return ((output - targets) ** 2).mean(1)
        if data.outputs in CAPS:
            if how.parametric:
                turned = torch.atan2(output[:, 1], output[:, 0]) * (180 / math.pi) / data.unit
                found = turned % (360 / data.unit)
            else:
                found = (output.argmax(1) + 0.5) * how.coarse
            distance = (found - targets).abs()
            if data.outputs == "angle":
                circle = 360 / data.unit
                distance = torch.minimum(distance % circle, circle - distance % circle)
            return data.unit * distance.clamp_max(CAPS[data.outputs] / data.unit)
        if how.parametric:
            return -logistic_log_likelihood(output, targets, data.dataset.classes)
        index = (targets / how.coarse).long()
        return functional.cross_entropy(output, index, reduction="none") + math.log(how.coarse)
