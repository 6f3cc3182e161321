"""A DCGAN: generator against discriminator, both with the method's optimizer.

The score is minus the Fréchet distance, so that here too the larger is the better.
"""

from __future__ import annotations

import functools
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cdg_torch.lab.train.data import Split, load
from cdg_torch.lab.train.frechet import classifier_features, features_of, frechet_distance
from cdg_torch.lab.train.models.dcgan import LATENT, discriminator, generator

if TYPE_CHECKING:
    from cdg_torch.lab.train.data import Dataset
    from cdg_torch.lab.train.runs import Run


@functools.lru_cache(maxsize=1)
def _prepared(data: str, options: tuple[tuple[str, Any], ...]) -> tuple[Dataset, nn.Module]:
    """Return the images in (−1, 1), and the features that distances are taken in."""
    dataset = load(data, dict(options))
    low, high = dataset.train.images.min(), dataset.train.images.max()

    def scaled(split: Split) -> Split:
        return Split(2 * (split.images - low) / (high - low) - 1, split.targets)

    ready = replace(
        dataset,
        train=scaled(dataset.train),
        validation=scaled(dataset.validation),
        test=scaled(dataset.test),
    )
    return ready, classifier_features(ready.train)


@torch.no_grad()
def _score(make: nn.Module, features: nn.Module, real: Tensor, seed: int) -> float:
    """Return minus the distance between real images and as many made ones.

    A generator that has broken down draws NaN, which is counted as grey.
    """
    make.eval()
    source = torch.Generator().manual_seed(seed)
    latent = torch.randn(len(real), LATENT, 1, 1, generator=source).to(real.device)
    made = torch.cat([make(part) for part in latent.split(500)])  # type: ignore[no-untyped-call]
    make.train()
    drawn = features_of(features, made.nan_to_num(0.0))
    return -frechet_distance(features_of(features, real), drawn)


def train_gan(run: Run, device: str) -> tuple[dict[str, Any], list[float]]:
    """Train a generator; return its results and the seconds per step of each epoch.

    The losses are the usual logistic ones; the generator's asks to be taken for real. A step is
    one of the discriminator and one of the generator.

    Raises
    ------
    ValueError
        If images are to be augmented: made ones would be compared with shifted ones.
    """
    if run.augment:
        msg = "augment is not served for a GAN, which would learn to shift its images; drop it"
        raise ValueError(msg)
    dataset, features = _prepared(run.data, tuple(sorted(run.options.items())))
    dataset, features = dataset.to(device), features.to(device)
    torch.manual_seed(run.seed)
    make = generator(dataset.in_channels).to(device)
    judge = discriminator(dataset.in_channels).to(device)
    make_step = run.method.make_optimizer(make, run.lr)
    judge_step = run.method.make_optimizer(judge, run.lr)
    source = torch.Generator().manual_seed(run.seed)
    steps = len(dataset.train) // run.batch
    schedules = [
        schedule
        for optimizer in (make_step, judge_step)
        if (schedule := run.method.make_schedule(optimizer, run.epochs * steps)) is not None
    ]

    def latent() -> Tensor:
        return torch.randn(run.batch, LATENT, 1, 1, generator=source).to(device)

    curve: list[dict[str, float]] = []
    seconds: list[float] = []
    diverged = False
    for epoch in range(run.epochs):
        order = torch.randperm(len(dataset.train), generator=source)
        total, start = 0.0, time.perf_counter()
        for index in order[: steps * run.batch].split(run.batch):  # type: ignore[no-untyped-call]
            real, made = dataset.train.images[index.to(device)], make(latent())
            judged = functional.softplus(-judge(real)) + functional.softplus(judge(made.detach()))
            judge_step.zero_grad()
            judged.mean().backward()  # type: ignore[no-untyped-call]
            judge_step.step()
            taken = functional.softplus(-judge(made)).mean()
            make_step.zero_grad()
            taken.backward()  # type: ignore[no-untyped-call]
            make_step.step()
            for schedule in schedules:
                schedule.step()
            total += taken.item()
        seconds.append((time.perf_counter() - start) / steps)
        score = _score(make, features, dataset.validation.images, run.seed)
        curve.append(
            {"epoch": epoch + 1, "train_loss": total / steps, "score": score, "loss": -score}
        )
        diverged = not math.isfinite(total)
        if diverged:
            break
    results: dict[str, Any] = {
        "curve": curve,
        "validation": curve[-1]["score"],
        "diverged": diverged,
        "correlations": [],
    }
    if run.stage == "final":
        results["test"] = _score(make, features, dataset.test.images, run.seed + 1)
    return results, seconds
