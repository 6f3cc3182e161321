"""Loaders return what files of the documented formats hold, and say what is wrong with others."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cdg_torch.lab.train.data import load_dataset
from cdg_torch.lab.train.data.cifar import read_records
from cdg_torch.lab.train.data.fashion import fashion_pool, read_idx

RNG = np.random.default_rng(0)


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture(scope="module")
def fashion_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fashion")
    for stem, count, ending in (("train", 60, ".gz"), ("t10k", 20, "")):
        images = RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(folder / f"{stem}-images-idx3-ubyte{ending}", images)
        labels = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder / f"{stem}-labels-idx1-ubyte{ending}", labels)
    return folder


def test_idx_round_trip(tmp_path) -> None:
    array = RNG.integers(0, 256, (3, 5, 2), dtype=np.uint8)
    for name in ("x", "x.gz"):
        write_idx(tmp_path / name, array)
        np.testing.assert_array_equal(read_idx(tmp_path / name), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x00\x00\x09\x01", "not an idx file"), (b"\x00\x00\x08\x01\x00\x00\x00\x05ab", "hold")],
)
def test_broken_idx_is_refused(tmp_path, content, message) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "x")


def test_fashion_keeps_its_own_test(fashion_folder) -> None:
    dataset = load_dataset(
        "fashion", {"folder": str(fashion_folder), "train": 40, "validation": 20}
    )
    assert tuple(dataset.train.images.shape) == (40, 1, 28, 28)
    assert torch.equal(dataset.test.targets, torch.arange(20) % 10)
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist"):
        load_dataset("fashion", {"folder": "/nowhere"})


def test_smaller_sides_are_averages_of_blocks(fashion_folder) -> None:
    full, half = (fashion_pool(str(fashion_folder), side)[1].images for side in (28, 14))
    blocks = full.double().reshape(20, 1, 14, 2, 14, 2).mean((3, 5))
    assert (half.double() - blocks).abs().max() <= 0.5
    options = {"folder": str(fashion_folder), "side": 14, "size": 24, "train": 3, "validation": 2}
    assert tuple(load_dataset("canvases", options).train.images.shape) == (3, 1, 24, 24)
    with pytest.raises(ValueError, match="must be 28, 14 or 7, got 10"):
        fashion_pool(str(fashion_folder), 10)


def test_fewer_test_images_are_the_first(fashion_folder) -> None:
    options = {"folder": str(fashion_folder), "train": 40, "validation": 20, "test": 5}
    assert load_dataset("fashion", options).test.targets.tolist() == [0, 1, 2, 3, 4]


def test_cifar_records(tmp_path) -> None:
    images = RNG.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    labels = np.array([[1, 7], [2, 99], [0, 0], [3, 5]], np.uint8)
    path = tmp_path / "train.bin"
    path.write_bytes(
        b"".join(la.tobytes() + im.tobytes() for la, im in zip(labels, images, strict=True))
    )
    split = read_records([path], labels=2)
    assert split.targets.tolist() == [7, 99, 0, 5]
    np.testing.assert_array_equal(split.images.numpy(), images)
    with pytest.raises(ValueError, match="no multiple of 3073"):
        read_records([path], labels=1)
    with pytest.raises(FileNotFoundError, match="binary"):
        read_records([tmp_path / "test.bin"], labels=2)


def test_image_folder_reads_classes_by_name(tmp_path) -> None:
    for part in ("train", "val"):
        for label, name in enumerate(("ants", "bees")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for index in range(3):
                colour = np.full((20, 30, 3), 80 * label + index, np.uint8)
                Image.fromarray(colour).save(folder / f"{index}.png")
    options = {"folder": str(tmp_path), "size": 8, "train": 4, "validation": 2}
    dataset = load_dataset("images", options)
    assert dataset.classes == 2
    assert tuple(dataset.train.images.shape) == (4, 3, 8, 8)
    assert dataset.test.targets.tolist() == [0, 0, 0, 1, 1, 1]
    bright = dataset.test.images.mean((1, 2, 3))
    assert bright[:3].max() < bright[3:].min()


def test_masks_keep_their_classes(tmp_path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for index in range(6):
        mask = RNG.integers(0, 3, (16, 16), dtype=np.uint8)
        image = np.repeat(mask[..., None] * 50, 3, 2)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{index}.png")
        Image.fromarray(image).save(tmp_path / "images" / f"{index}.png")
    options = {"folder": str(tmp_path), "classes": 3, "size": 16}
    options |= {"train": 2, "validation": 2, "test": 2}
    dataset = load_dataset("masks", options)
    assert dataset.per_pixel
    # Image values are 50 times the class, up to the standardisation: an order-preserving map.
    flat = dataset.test.images[:, 0].flatten()
    levels = [flat[dataset.test.targets.flatten() == c].unique() for c in range(3)]
    assert all(level.numel() == 1 for level in levels)
    assert levels[0] < levels[1] < levels[2]
    with pytest.raises(ValueError, match="one class below 2 per pixel"):
        load_dataset("masks", {**options, "classes": 2})


def test_canvases_label_what_is_seen(fashion_folder) -> None:
    options = {"folder": str(fashion_folder), "train": 3, "validation": 2, "test": 2}
    dataset = load_dataset("canvases", options)
    assert tuple(dataset.train.images.shape) == (3, 1, 64, 64)
    assert tuple(dataset.train.targets.shape) == (3, 64, 64)
    background = dataset.train.targets == 10
    level = dataset.train.images[:, 0][background].unique()
    assert level.numel() == 1
    assert (dataset.train.images[:, 0][~background] > level).all()
    assert dataset.classes == 11


def test_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        load_dataset("digits", {"train": 1200})


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="Fashion-MNIST is not installed"
)
def test_installed_fashion_mnist() -> None:
    pool, test = fashion_pool()
    assert (len(pool), len(test)) == (60_000, 10_000)
    assert torch.equal(test.targets.bincount(), torch.full((10,), 1000))
