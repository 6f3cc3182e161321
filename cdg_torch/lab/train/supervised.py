"""Classification and segmentation: the step, and how networks are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from cdg_torch.correlation import Pairs, channel_correlation, correlation_scale
from cdg_torch.extras import optional
from cdg_torch.lab.train.data import load_dataset
from cdg_torch.lab.train.models import build
from cdg_torch.lab.train.task import Task
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

    Along output and input channels, between neighbours and between all pairs, from −1 to 1;
    ``scale`` is the spread that white noise would show.
    """
    rows: list[dict[str, Any]] = []
    for slot, axis in convolution_weights(model):
        weight = slot.parameter
        assert weight is not None
        tensors = {"weights": weight.detach(), "change": weight.detach() - initial[slot.name]}
        along = {"output": (axis.dim, axis.groups), "input": (1 - axis.dim, 1)}
        for direction, (dim, groups) in along.items():
            if weight.shape[dim] < 2 * groups:
                continue
            for pairs in get_args(Pairs):
                found = {
                    what: float(channel_correlation(tensor, dim, groups=groups, pairs=pairs))
                    for what, tensor in tensors.items()
                }
                scale = correlation_scale(tuple(weight.shape), dim, groups=groups, pairs=pairs)
                where = {"layer": slot.name, "direction": direction, "pairs": pairs}
                rows.append({**where, "scale": scale, **found})
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


def supervised_task(run: Run, device: str) -> Task:
    """Return the network of a run, with its optimizer and its images.

    The learning rate falls to 0 along half a cosine.

    Raises
    ------
    ValueError
        If images are to be augmented whose pixels have classes of their own.
    """
    dataset = load_dataset(run.data, dict(run.options)).to(device)
    if run.augment and dataset.per_pixel:
        msg = f"augment moves the images of {run.data} and not the classes of their pixels; drop it"
        raise ValueError(msg)
    torch.manual_seed(run.seed)
    model = build(run.model, dataset.in_channels, dataset.classes).to(device)
    initial = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = run.method.make_optimizer(model, run.lr)
    steps = run.epochs * (len(dataset.train) // run.batch)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    smoothing = run.method.make_schedule(optimizer, steps)
    generator = torch.Generator().manual_seed(run.seed)

    def step(index: Tensor) -> Tensor:
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
        return loss.detach()

    def test() -> dict[str, Any]:
        found = evaluate(model, dataset.test, dataset)
        return {
            "test": found["score"],
            "test_loss": found["loss"],
            "correlations": layer_correlations(model, initial),
        }

    return Task(
        dataset, generator, step, lambda: evaluate(model, dataset.validation, dataset), test
    )
