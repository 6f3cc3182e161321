"""Tasks whose outputs have an order: angles, pitch, grey levels, profiles, spectra, curves.

The seed of a run draws the training samples too, so that intervals over seeds speak of them;
validation and test samples are the same for every run.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from cdg_theory.metric import Boundary
from cdg_torch.lab.train.data.dataset import Dataset, Split, standardised
from cdg_torch.lab.train.data.digits import digits
from cdg_torch.lab.train.data.fashion import DEFAULT_FOLDER, fashion_pool
from cdg_torch.lab.train.data.notes import DEFAULT_FONT, note_pools

Outputs = Literal["angle", "pitch", "level", "values"]

# Sandals, sneakers and boots lie on their side, all the same way round.
_SHOES = (5, 7, 9)
# Seeds of validation and test samples, which no run has.
_VALIDATION, _TEST, _TEACHER = 1_000_001, 1_000_002, 1_000_003


@dataclass(frozen=True, slots=True)
class OrderedData:
    """Samples of a task, and what the order of its outputs is.

    ============  ========================================================================
    field         meaning
    ============  ========================================================================
    ``dataset``   inputs; ``classes`` is the number of outputs n. Targets are places in
                  bins, real numbers in [0, n), or n values of which NaN are not seen
    ``outputs``   ``"angle"`` and ``"pitch"``: bins, judged by the distance; ``"level"``: bins,
                  judged by the log-likelihood; ``"values"``: numbers, by the squared error
    ``boundary``  ``"periodic"`` if the last output is beside the first
    ``unit``      degrees or cents in a bin
    ============  ========================================================================
    """

    dataset: Dataset
    outputs: Outputs
    boundary: Boundary = "natural"
    unit: float = 1.0


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _drawn(pool: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return pool[torch.randperm(len(pool), generator=generator)[:count]]


def _turned(images: Tensor, degrees: Tensor) -> Tensor:
    """Return images (count, 1, side, side) turned by so many degrees, bilinear, black outside."""
    angle = degrees * (math.pi / 180)
    cosine, sine = angle.cos(), angle.sin()
    rows = torch.stack([cosine, -sine, 0 * sine, sine, cosine, 0 * sine], dim=1)
    grid = functional.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


@functools.lru_cache(maxsize=2)
def _shoes(folder: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return shoes for training, validation and test, 28 pixels a side, from 0 to 1."""
    pool, held_out = fashion_pool(folder)
    own, other = (
        part.images[torch.isin(part.targets, torch.tensor(_SHOES))].float() / 255
        for part in (pool, held_out)
    )
    return own[:12_000], own[12_000:], other


@functools.lru_cache(maxsize=2)
def _clothes(folder: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return images for training, validation and test, 28 pixels a side, from 0 to 1."""
    pool, held_out = fashion_pool(folder)
    images = pool.images.float() / 255
    return images[:50_000], images[50_000:], held_out.images.float() / 255


@functools.lru_cache(maxsize=1)
def _digits() -> tuple[Tensor, Tensor, Tensor]:
    """Return digits for training, validation and test, 8 pixels a side in a frame of 2."""
    dataset = digits(train=900, validation=300)
    parts = (dataset.train, dataset.validation, dataset.test)
    low = dataset.train.images.min()
    return tuple(functional.pad(part.images - low, (2,) * 4) for part in parts)  # type: ignore[return-value]


def _assembled(
    name: str,
    make: Callable[[int, int, int], Split],
    *,
    seed: int,
    train: int,
    validation: int,
    test: int,
    repeat: int,
    outputs: int,
) -> Dataset:
    """Return the data set of ``make(part, count, seed)``; an epoch sees each sample repeatedly."""
    own = make(0, train, seed)
    others = make(1, validation, _VALIDATION), make(2, test, _TEST)
    dataset = standardised(Dataset(name, own, *others, outputs))
    images, targets = dataset.train.images, dataset.train.targets
    copies = Split(
        images.repeat(repeat, 1, 1, 1), targets.repeat(repeat, *[1] * (targets.ndim - 1))
    )
    return Dataset(name, copies, dataset.validation, dataset.test, outputs)


def shoe_angles(
    seed: int,
    *,
    folder: str = DEFAULT_FOLDER,
    bins: int = 192,
    train: int = 300,
    jitter: int = 0,
    repeat: int = 6,
) -> OrderedData:
    """Return shoes of Fashion-MNIST, turned by any angle, at 14×14 pixels.

    ``jitter`` is the standard deviation in degrees of what is added to the training labels.
    """
    unit = 360 / bins

    def make(part: int, count: int, source: int) -> Split:
        generator = _generator(source)
        images = _drawn(_shoes(folder)[part], count, generator)
        degrees = 360 * torch.rand(count, generator=generator)
        seen = functional.avg_pool2d(_turned(images, degrees), 2)
        if jitter and part == 0:
            degrees = (degrees + jitter * torch.randn(count, generator=generator)) % 360
        return Split(seen, (degrees / unit).clamp(0, bins * (1 - 1e-6)))

    sizes = {"train": train, "validation": 300, "test": 2000, "repeat": repeat, "outputs": bins}
    return OrderedData(_assembled("shoes", make, seed=seed, **sizes), "angle", "periodic", unit)


def digit_angles(seed: int, *, bins: int = 96, train: int = 300, repeat: int = 6) -> OrderedData:
    """Return scikit-learn's digits, turned by an angle between −90° and 90°, at 12×12 pixels."""
    unit = 180 / bins

    def make(part: int, count: int, source: int) -> Split:
        generator = _generator(source)
        pool = _digits()[part]
        images = pool[torch.randint(len(pool), (count,), generator=generator)]
        degrees = 180 * torch.rand(count, generator=generator)
        return Split(_turned(images, degrees - 90), (degrees / unit).clamp(0, bins * (1 - 1e-6)))

    sizes = {"train": train, "validation": 300, "test": 1500, "repeat": repeat, "outputs": bins}
    return OrderedData(_assembled("digits", make, seed=seed, **sizes), "angle", "natural", unit)


def note_pitches(
    seed: int, *, font: str = DEFAULT_FONT, bins: int = 240, train: int = 300, repeat: int = 6
) -> OrderedData:
    """Return log-spectra of notes of sampled instruments, from C2 to C6, and their pitch.

    Instruments are General MIDI's; those for training, validation and test are not the same.
    """
    low, high = 36.0, 84.0

    def make(part: int, count: int, source: int) -> Split:
        spectra, pitches = note_pools(font, low, high, (3000, 300, 1500))[part]
        chosen = torch.randperm(len(pitches), generator=_generator(source))[:count]
        places = torch.as_tensor((pitches - low) / (high - low) * bins)[chosen]
        seen = torch.as_tensor(spectra)[chosen, None, None].float()
        return Split(seen, places.float().clamp(0, bins * (1 - 1e-6)))

    sizes = {"train": train, "validation": 300, "test": 1500, "repeat": repeat, "outputs": bins}
    unit = 100 * (high - low) / bins
    return OrderedData(_assembled("notes", make, seed=seed, **sizes), "pitch", "natural", unit)


def grey_levels(
    seed: int,
    *,
    folder: str = DEFAULT_FOLDER,
    bins: int = 64,
    train: int = 100,
    jitter: int = 0,
    repeat: int = 1,
) -> OrderedData:
    """Return pixels of Fashion-MNIST, and what is above and left of them: 3 rows, 7 columns.

    Of each of ``train`` images 50 pixels are drawn. ``jitter`` is the standard deviation, in 1/256
    of the range, of what is added to the training labels.
    """
    places = 50

    def make(part: int, count: int, source: int) -> Split:
        generator = _generator(source)
        images = _drawn(_clothes(folder)[part], count, generator)
        patches = functional.unfold(functional.pad(images, (3, 3, 3, 0)), (4, 7))
        own = torch.rand(count, patches.shape[2], generator=generator).topk(places).indices
        chosen = patches.gather(2, own[:, None].expand(-1, 28, -1)).movedim(1, 2).reshape(-1, 28)
        level = chosen[:, 24] * (bins * (1 - 1e-6))
        if jitter and part == 0:
            noise = torch.randn(len(level), generator=generator) * (jitter * bins / 256)
            level = (level + noise).clamp(0, bins * (1 - 1e-6))
        return Split(chosen[:, None, None, :24].contiguous(), level)

    sizes = {"train": train, "validation": 40, "test": 400, "repeat": repeat, "outputs": bins}
    return OrderedData(_assembled("grey", make, seed=seed, **sizes), "level")


def row_profiles(
    seed: int, *, folder: str = DEFAULT_FOLDER, train: int = 100, repeat: int = 15
) -> OrderedData:
    """Return left halves of Fashion-MNIST at 14×7 pixels, and the row means of the right halves."""

    def make(part: int, count: int, source: int) -> Split:
        images = _drawn(_clothes(folder)[part], count, _generator(source))
        left = functional.avg_pool2d(images[..., :14], 2)
        return Split(left, 2 * images[:, 0, :, 14:].mean(2))

    sizes = {"train": train, "validation": 300, "test": 2000, "repeat": repeat, "outputs": 28}
    return OrderedData(_assembled("profiles", make, seed=seed, **sizes), "values")


def _lines(hidden: Tensor, points: int) -> Tensor:
    """Return spectra: four peaks each, whose places and heights are smooth functions of x."""
    weights = torch.randn(8, hidden.shape[1], generator=_generator(_TEACHER))
    place = 0.5 + 0.35 * torch.tanh(hidden @ weights[:4].T)
    height = torch.sigmoid(hidden @ weights[4:].T)
    at = (torch.arange(points) + 0.5) / points
    return (height[..., None] * torch.exp(-0.5 * ((at - place[..., None]) / 0.03) ** 2)).sum(1)


def noisy_spectra(
    seed: int, *, bins: int = 256, train: int = 100, jitter: int = 30, repeat: int = 15
) -> OrderedData:
    """Return synthetic spectra over six numbers; ``jitter`` is the noise, in percent, in training.

    The noise is white, and not in the validation and test samples.
    """

    def make(part: int, count: int, source: int) -> Split:
        generator = _generator(source)
        hidden = torch.randn(count, 6, generator=generator)
        values = _lines(hidden, bins)
        if part == 0:
            values = values + jitter / 100 * torch.randn(values.shape, generator=generator)
        return Split(hidden[:, None, None], values)

    sizes = {"train": train, "validation": 300, "test": 2000, "repeat": repeat, "outputs": bins}
    return OrderedData(_assembled("spectra", make, seed=seed, **sizes), "values")


def _smooth_curves(hidden: Tensor, points: int) -> Tensor:
    """Return curves whose five lowest cosines are smooth functions of x."""
    generator = _generator(_TEACHER)
    first = torch.randn(hidden.shape[1], 12, generator=generator) / hidden.shape[1] ** 0.5
    second = torch.randn(12, 5, generator=generator) / 12**0.5
    modes = torch.tanh(2 * hidden @ first) @ second
    at = (torch.arange(points) + 0.5) / points
    return 2 * modes @ torch.cos(math.pi * torch.arange(1, 6)[:, None] * at)


def sparse_curves(
    seed: int, *, bins: int = 64, train: int = 1000, jitter: int = 10, repeat: int = 2
) -> OrderedData:
    """Return synthetic curves over eight numbers, of which each training sample shows one point.

    ``jitter`` is the noise of that point, in percent.
    """

    def make(part: int, count: int, source: int) -> Split:
        generator = _generator(source)
        hidden = torch.randn(count, 8, generator=generator)
        values = _smooth_curves(hidden, bins)
        if part == 0:
            seen = torch.randint(bins, (count, 1), generator=generator)
            own = values.gather(1, seen) + jitter / 100 * torch.randn(
                (count, 1), generator=generator
            )
            values = torch.full_like(values, math.nan).scatter(1, seen, own)
        return Split(hidden[:, None, None], values)

    sizes = {"train": train, "validation": 300, "test": 2000, "repeat": repeat, "outputs": bins}
    return OrderedData(_assembled("curves", make, seed=seed, **sizes), "values")


ORDERED: dict[str, Callable[..., OrderedData]] = {
    "shoe-angles": shoe_angles,
    "digit-angles": digit_angles,
    "note-pitches": note_pitches,
    "grey-levels": grey_levels,
    "row-profiles": row_profiles,
    "noisy-spectra": noisy_spectra,
    "sparse-curves": sparse_curves,
}


@functools.lru_cache(maxsize=2)
def _load(name: str, options: tuple[tuple[str, Any], ...], seed: int) -> OrderedData:
    return ORDERED[name](seed, **dict(options))


def load_ordered(name: str, options: Mapping[str, Any], seed: int) -> OrderedData:
    """Return the data of a run: training samples by its seed, all others always the same.

    Examples
    --------
    >>> data = load_ordered("sparse-curves", {"train": 100, "repeat": 1}, seed=3)
    >>> len(data.dataset.train), data.dataset.classes
    (100, 64)
    """
    return _load(name, tuple(sorted(options.items())), seed)
