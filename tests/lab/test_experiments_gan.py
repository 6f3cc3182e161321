"""The Fréchet distance is that of normal distributions, and a generator learns to lower it."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import torch

from cdg_theory import Metric
from cdg_torch.lab.train.frechet import frechet_distance
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.runs import Run
from cdg_torch.lab.train.training import train_run


def test_frechet_equals_the_definition_with_a_matrix_root() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 4))
    y = 1 + rng.standard_normal((200, 4)) @ rng.standard_normal((4, 4))
    c, d = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(c @ d).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(c + d - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9 * np.trace(c))


@pytest.fixture
def blobs(monkeypatch):
    """Return a run on 28×28 images of bright squares, one class per place."""
    from cdg_torch.lab.train import data, gan
    from cdg_torch.lab.train.data import Dataset, Split

    def squares(count: int, seed: int) -> Split:
        generator = torch.Generator().manual_seed(seed)
        images = 0.1 * torch.rand(count, 1, 28, 28, generator=generator)
        classes = torch.randint(10, (count,), generator=generator)
        for image, place in zip(images, classes.tolist(), strict=True):
            image[0, 8:20, 2 * place : 2 * place + 8] += 0.8
        return Split(images, classes)

    dataset = Dataset("blobs", squares(128, 0), squares(64, 1), squares(64, 2), 10)
    monkeypatch.setitem(data.DATASETS, "blobs", lambda: dataset)
    gan._prepared.cache_clear()
    method = Method(name="Adam", optimizer="adam-half")
    return Run(data="blobs", model="dcgan", method=method, lr=2e-3, seed=0, batch=16, epochs=4)


def test_a_generator_comes_closer_and_is_repeatable(blobs) -> None:
    torch.set_num_threads(1)
    first = train_run(blobs)["results"]
    assert not first["diverged"]
    assert first["validation"] > first["curve"][0]["score"]
    assert train_run(blobs)["results"] == first
    smooth = Method(name="H⁰", optimizer="adam-half", metric=Metric.reweighted_h0(4.0))
    assert train_run(replace(blobs, method=smooth))["results"]["test"] != first["test"]


def test_a_generator_that_breaks_is_a_result(blobs) -> None:
    sgd = Method(name="SGD")
    results = train_run(replace(blobs, method=sgd, lr=1e30, stage="select"))["results"]
    assert results["diverged"]
    assert "test" not in results
    # It counts, with the distance of grey images: far, and finite.
    assert results["validation"] < train_run(blobs)["results"]["validation"]
