"""Classification and segmentation: the loop, the same for every method."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cdg_torch.correlation import channel_correlation, correlation_scale
from cdg_torch.extras import optional
from cdg_torch.lab.train.data import load
from cdg_torch.lab.train.models import build
from cdg_torch.layers import convolution_weights

if TYPE_CHECKING:
    from cdg_torch.lab.train.data import Dataset, Split
    from cdg_torch.lab.train.runs import Run

_PAD = 4


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, dataset: Dataset) -> dict[str, float]:
    """Return the score (accuracy, or mean intersection over union) and the loss, both over all.

    The score of a network whose output is not finite is that of its arg max all the same.
    """
    with optional():
        from torchmetrics import Metric
        from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    score: Metric = (
        MulticlassJaccardIndex(dataset.classes, average="macro", validate_args=False)
        if dataset.per_pixel
        else MulticlassAccuracy(dataset.classes, average="micro", validate_args=False)
    ).to(split.targets.device)
    model.eval()
    loss, count = 0.0, 0
    for index in torch.arange(len(split), device=split.targets.device).split(256):  # type: ignore[no-untyped-call]
        images, targets = split.images[index], split.targets[index]
        output = model(images)
        score.update(output.argmax(1), targets)
        loss += functional.cross_entropy(output, targets, reduction="sum").item()
        count += targets.numel()
    model.train()
    return {"score": float(score.compute()), "loss": loss / count}


def layer_correlations(model: nn.Module, initial: dict[str, Tensor]) -> list[dict[str, Any]]:
    """Return, for each convolution, the correlation of its weights and of what training added.

    Along output and input channels, between neighbours and between all pairs, each in units of
    nothing; ``scale`` is the spread that white noise would show.
    """
    rows: list[dict[str, Any]] = []
    for slot, axis in convolution_weights(model):
        weight = slot.parameter
        assert weight is not None
        tensors = {"weights": weight.detach(), "change": weight.detach() - initial[slot.name]}
        for direction, dim, groups in (
            ("output", axis.dim, axis.groups),
            ("input", 1 - axis.dim, 1),
        ):
            if weight.shape[dim] < 2 * groups:
                continue
            for pairs in ("neighbours", "all"):
                row: dict[str, Any] = {
                    "layer": slot.name,
                    "direction": direction,
                    "pairs": pairs,
                    "scale": correlation_scale(
                        tuple(weight.shape), dim, groups=groups, pairs=pairs
                    ),
                }
                for what, tensor in tensors.items():
                    value = channel_correlation(tensor, dim, groups=groups, pairs=pairs)
                    row[what] = float(value)
                rows.append(row)
    return rows


def _augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return the batch shifted by up to 4 pixels and mirrored with probability 1/2."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (_PAD,) * 4)
    shifts = torch.randint(0, 2 * _PAD + 1, (count, 2), generator=generator).tolist()
    mirror = (torch.rand(count, generator=generator) < 0.5).tolist()
    pieces = []
    for image, (top, left), flip in zip(padded, shifts, mirror, strict=True):
        piece = image[:, top : top + height, left : left + width]
        pieces.append(piece.flip(-1) if flip else piece)
    return torch.stack(pieces)


def train_supervised(run: Run, device: str) -> tuple[dict[str, Any], list[float]]:
    """Train one network; return its results and the seconds per step of each epoch.

    The learning rate falls to 0 along half a cosine. A loss that is not finite ends the training:
    the run counts with the score it then has.

    Raises
    ------
    ValueError
        If images are to be augmented whose pixels have classes of their own.
    """
    dataset = load(run.data, dict(run.options)).to(device)
    if run.augment and dataset.per_pixel:
        msg = f"augment moves the images of {run.data} and not the classes of their pixels; drop it"
        raise ValueError(msg)
    torch.manual_seed(run.seed)
    model = build(run.model, dataset.in_channels, dataset.classes).to(device)
    initial = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = run.method.make_optimizer(model, run.lr)
    steps = len(dataset.train) // run.batch
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, run.epochs * steps)
    smoothing = run.method.make_schedule(optimizer, run.epochs * steps)
    generator = torch.Generator().manual_seed(run.seed)

    curve: list[dict[str, float]] = []
    seconds: list[float] = []
    diverged = False
    for epoch in range(run.epochs):
        order = torch.randperm(len(dataset.train), generator=generator).to(device)
        total = torch.zeros((), device=device)
        start = time.perf_counter()
        # The last, smaller batch is left out: every step has the same noise.
        for index in order[: steps * run.batch].split(run.batch):  # type: ignore[no-untyped-call]
            images, targets = dataset.train.images[index], dataset.train.targets[index]
            if run.augment:
                images = _augmented(images, generator)
            loss = functional.cross_entropy(model(images), targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            if smoothing is not None:
                smoothing.step()
            total += loss.detach()
        mean_loss = total.item() / steps
        seconds.append((time.perf_counter() - start) / steps)
        diverged = not math.isfinite(mean_loss)
        validation = evaluate(model, dataset.validation, dataset)
        curve.append({"epoch": epoch + 1, "train_loss": mean_loss, **validation})
        if diverged:
            break

    results: dict[str, Any] = {
        "curve": curve,
        "validation": curve[-1]["score"],
        "diverged": diverged,
    }
    if run.stage == "final":
        test = evaluate(model, dataset.test, dataset)
        results["test"], results["test_loss"] = test["score"], test["loss"]
        results["correlations"] = layer_correlations(model, initial)
    return results, seconds
