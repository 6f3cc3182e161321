"""Tasks with ordered outputs: shapes, the same samples for a seed, parts that share nothing."""

import shutil
from pathlib import Path

import pytest
import torch

from cdg_torch.lab.train.data import ORDERED, load_ordered, ordered
from cdg_torch.lab.train.data.fashion import DEFAULT_FOLDER
from cdg_torch.lab.train.data.notes import DEFAULT_FONT

FOLDER = Path(DEFAULT_FOLDER)
DEBIAN = {"shoe-angles", "grey-levels", "row-profiles"}
SOUNDS = shutil.which("fluidsynth") is not None and Path(DEFAULT_FONT).is_file()
# Name, options, inputs, outputs, samples of one pass over the training set.
TASKS = [
    ("shoe-angles", {"train": 40}, (1, 14, 14), 192, 40),
    ("shoe-angles", {"train": 40, "jitter": 20, "bins": 36}, (1, 14, 14), 36, 40),
    ("digit-angles", {"train": 40}, (1, 12, 12), 96, 40),
    ("note-pitches", {"train": 40}, (1, 1, 168), 240, 40),
    ("grey-levels", {"train": 4}, (1, 1, 24), 64, 200),
    ("row-profiles", {"train": 40}, (1, 14, 7), 28, 40),
    ("noisy-spectra", {"train": 40}, (1, 1, 6), 256, 40),
    ("sparse-curves", {"train": 40}, (1, 1, 8), 64, 40),
]


def loaded(name, options, seed):
    if name in DEBIAN and not FOLDER.is_dir():
        pytest.skip("needs Debian's dataset-fashion-mnist")
    if name == "note-pitches" and not SOUNDS:
        pytest.skip("needs Debian's fluidsynth and fluid-soundfont-gm")
    return load_ordered(name, options, seed)


@pytest.mark.parametrize(("name", "options", "shape", "outputs", "count"), TASKS)
def test_shapes_seeds_and_disjoint_parts(name, options, shape, outputs, count) -> None:
    own = loaded(name, {**options, "repeat": 2}, 3).dataset
    assert own.classes == outputs
    assert len(own.train) == 2 * count
    for part in (own.train, own.validation, own.test):
        assert part.images.shape[1:] == shape
        assert part.images.isfinite().all()
        if part.targets.ndim == 1:
            assert (part.targets >= 0).all()
            assert (part.targets < outputs).all()
        else:
            assert part.targets.shape[1:] == (outputs,)
    # An epoch sees each sample twice, and the copies are copies.
    assert torch.equal(own.train.images[:count], own.train.images[count:])
    ordered._load.cache_clear()
    again = loaded(name, {**options, "repeat": 2}, 3).dataset
    other = loaded(name, {**options, "repeat": 2}, 4).dataset
    assert torch.equal(own.train.images, again.train.images)
    assert torch.equal(own.train.targets.nan_to_num(), again.train.targets.nan_to_num())
    assert not torch.equal(own.train.targets.nan_to_num(), other.train.targets.nan_to_num())
    # Validation and test do not depend on the seed, up to the standardisation of the inputs.
    assert torch.equal(own.test.targets, other.test.targets)
    assert torch.equal(own.validation.targets, other.validation.targets)


def test_the_pools_of_images_share_no_image() -> None:
    pools = [ordered._digits()]
    if FOLDER.is_dir():
        pools.append(ordered._shoes(DEFAULT_FOLDER))
    for pool in pools:
        seen = [{image.numpy().tobytes() for image in part} for part in pool]
        # A few digits of scikit-learn, and shoes of Fashion-MNIST, are there twice as they come.
        common = len(seen[0] & seen[1]) + len(seen[0] & seen[2]) + len(seen[1] & seen[2])
        assert common <= 0.001 * sum(map(len, pool))
        assert min(map(len, pool)) >= 300


def test_an_image_is_turned_by_its_label() -> None:
    """An image turned by a quarter is the same as one whose rows became columns."""
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    turned = ordered._turned(image, torch.tensor([90.0]))
    assert torch.allclose(turned, image.rot90(1, (2, 3)), atol=1e-5)


def test_jitter_moves_training_labels_alone() -> None:
    plain = loaded("shoe-angles", {"train": 400, "repeat": 1}, 5)
    moved = loaded("shoe-angles", {"train": 400, "repeat": 1, "jitter": 20}, 5)
    assert torch.equal(plain.dataset.test.targets, moved.dataset.test.targets)
    assert torch.equal(plain.dataset.validation.targets, moved.dataset.validation.targets)
    away = (moved.dataset.train.targets - plain.dataset.train.targets) * plain.unit
    away = (away + 180) % 360 - 180
    assert 20 * 0.85 < float(away.std()) < 20 * 1.15


def grey_of(images, monkeypatch):
    monkeypatch.setattr(ordered, "_clothes", lambda _: (images,) * 3)
    found = ordered.grey_levels(0, train=100).dataset.train
    return found.images[:, 0, 0], found.targets


def test_a_context_ends_left_of_its_pixel_and_does_not_show_it(monkeypatch) -> None:
    ramp = (torch.arange(28) / 64).expand(400, 1, 28, 28)
    context, level = grey_of(ramp, monkeypatch)
    inside = level >= 0.5
    pair = torch.stack([context[inside, 23], level[inside]])
    assert float(pair.corrcoef()[0, 1]) > 0.99999
    noise = torch.rand(400, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    context, level = grey_of(noise, monkeypatch)
    both = torch.cat([context, level[:, None]], 1).T.corrcoef()
    assert float(both[-1, :-1].abs().max()) < 5 / len(level) ** 0.5


def test_a_curve_shows_one_point_in_training_and_all_in_the_test() -> None:
    found = load_ordered("sparse-curves", {"train": 50, "repeat": 1, "jitter": 1}, 2).dataset
    assert ((~found.train.targets.isnan()).sum(1) == 1).all()
    assert not found.test.targets.isnan().any()


def test_every_task_is_tested() -> None:
    assert {name for name, *_ in TASKS} == set(ORDERED)
