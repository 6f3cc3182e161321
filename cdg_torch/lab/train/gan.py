"""A DCGAN: generator against discriminator, both with the method's optimizer.

The score is minus the Fréchet distance, so that here too the larger is the better.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cdg_torch.lab.train.data import load_dataset
from cdg_torch.lab.train.frechet import classifier_features, features_of, frechet_distance
from cdg_torch.lab.train.models.dcgan import LATENT, discriminator, generator
from cdg_torch.lab.train.task import Task

if TYPE_CHECKING:
    from cdg_torch.lab.train.data import Dataset
    from cdg_torch.lab.train.runs import Run


@functools.lru_cache(maxsize=1)
def _prepared(data: str, options: tuple[tuple[str, Any], ...]) -> tuple[Dataset, nn.Module]:
    """Return the images in (−1, 1), and the features that distances are taken in."""
    dataset = load_dataset(data, dict(options))
    low, high = dataset.train.images.min(), dataset.train.images.max()
    ready = dataset.map_images(lambda images: 2 * (images - low) / (high - low) - 1)
    return ready, classifier_features(ready.train)


@torch.no_grad()
def _score(make: nn.Module, features: nn.Module, real: Tensor, seed: int) -> float:
    """Return minus the Fréchet distance between real images and as many generated ones.

    A generator that has broken down draws NaN, which is counted as grey.
    """
    make.eval()
    source = torch.Generator().manual_seed(seed)
    latent = torch.randn(len(real), LATENT, 1, 1, generator=source).to(real.device)
    made = torch.cat([make(part) for part in latent.split(500)])  # type: ignore[no-untyped-call]
    make.train()
    drawn = features_of(features, made.nan_to_num(0.0))
    return -frechet_distance(features_of(features, real), drawn)


def gan_task(run: Run, device: str) -> Task:
    """Return the generator of a run, with its discriminator and its images.

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
    steps = run.epochs * (len(dataset.train) // run.batch)
    schedules = [run.method.make_schedule(each, steps) for each in (make_step, judge_step)]

    def step(index: Tensor) -> float:
        latent = torch.randn(run.batch, LATENT, 1, 1, generator=source).to(device)
        real, made = dataset.train.images[index], make(latent)
        judged = functional.softplus(-judge(real)) + functional.softplus(judge(made.detach()))
        judge_step.zero_grad()
        judged.mean().backward()  # type: ignore[no-untyped-call]
        judge_step.step()
        taken = functional.softplus(-judge(made)).mean()
        make_step.zero_grad()
        taken.backward()  # type: ignore[no-untyped-call]
        make_step.step()
        for schedule in filter(None, schedules):
            schedule.step()
        return taken.item()

    def validate() -> dict[str, float]:
        score = _score(make, features, dataset.validation.images, run.seed)
        return {"score": score, "loss": -score}

    def test() -> dict[str, Any]:
        score = _score(make, features, dataset.test.images, run.seed + 1)
        return {"test": score, "correlations": []}

    return Task(dataset, source, step, validate, test)
