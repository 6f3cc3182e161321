"""The share of a training step: a transform against the passes forward and backward before it."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional

from cdg_torch.gradient import riemannian_gradients_
from cdg_torch.lab.bench.candidates import METRICS
from cdg_torch.lab.bench.measurements import Measurements, StepShare, Watcher
from cdg_torch.lab.bench.timing import Clock, Samples, seconds
from cdg_torch.lab.bench.workloads import image_network
from cdg_torch.layers import convolution_weights


def measure_steps(
    found: Measurements,
    batch: int,
    size: int,
    count: int,
    watch: Watcher,
    *,
    device: str = "cpu",
    clock: Clock = seconds,
) -> None:
    """Time each metric's transform ``count`` times on ResNet-18, images of ``size`` × ``size``."""
    torch.manual_seed(0)
    model = image_network().to(device)
    weights = [slot.parameter for slot, _ in convolution_weights(model)]
    images = torch.randn(batch, 3, size, size).to(device)
    labels = torch.randint(1000, (batch,)).to(device)

    def pass_() -> None:
        model.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        torch.autograd.backward(loss)

    step = Samples()
    shares = {name: Samples() for name in METRICS}
    # Each transform comes right after a pass, as in training: a second one would find the
    # gradients in the caches that the first one has left.
    for index in range(count + 1):
        for name, metric in METRICS.items():
            passing = clock(pass_)
            grads = [w.grad for w in weights if w is not None and w.grad is not None]
            own = clock(partial(riemannian_gradients_, grads, metric))
            if index:  # the first round warms up
                step.seconds.append(passing)
                shares[name].seconds.append(own)
                shares[name].ratios.append(own / passing)
        watch(f"steps, batch {batch} of {size}×{size}", index, count)
    for name, samples in shares.items():
        share = StepShare(
            batch=batch,
            size=size,
            metric=name,
            **samples.quartiles(),
            milliseconds=1e3 * samples.median_seconds,
            step_milliseconds=1e3 * step.median_seconds,
        )
        found.shares.append(share)
