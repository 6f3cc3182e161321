"""Use the library in a process in which some packages are not there.

``python -m tests.tools.without numba PIL`` hides those packages, does what must always work
(import, a gradient, attach, a step), and then what needs the hidden packages; it prints one JSON
object: ``warnings``, and by package the ``refusals`` of the features that need it.
"""

import importlib
import json
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

from tests.tools.commands import python


class Without:
    """A finder of modules that does not find some packages, exactly as if they were not there."""

    def __init__(self, finder, names) -> None:
        self.finder, self.names = finder, names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


def always() -> None:
    """Import both packages, take gradients, attach and step."""
    import numpy as np
    import torch

    import cdg_theory
    import cdg_torch

    metric = cdg_torch.Metric(1.0, 0.5, 0.2)
    g = torch.arange(24.0).reshape(8, 3)
    theory = cdg_theory.discrete.riemannian_gradient(g.double().numpy(), metric)
    k = cdg_torch.riemannian_gradient(g, metric)
    # 8 eps of the largest entry: what is promised of float32 in every path.
    assert np.abs(k.numpy() - theory).max() <= 8 * 2.0**-23 * np.abs(theory).max()

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    cdg_torch.attach(optimizer, model, metric)
    model(torch.ones(1, 2, 4, 4)).square().sum().backward()
    weight = model[0].weight
    before, raw = weight.detach().clone(), weight.grad.clone()
    optimizer.step()
    assert torch.equal(weight.grad, raw)
    expected = before - 0.1 * cdg_torch.riemannian_gradient(raw, metric)
    assert torch.allclose(weight, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def kernels(backend: str, _folder) -> None:
    import torch

    import cdg_torch

    with cdg_torch.backend(backend):  # of the GPU, its interpreter: see main()
        cdg_torch.riemannian_gradient(torch.ones(3), cdg_torch.Metric.sobolev(1.0))


def matplotlib(folder) -> None:
    from cdg_torch.lab.drawing import figure_of

    with figure_of(1.0, 1.0, folder / "figure.png"):
        pass


def pillow(folder) -> None:
    from cdg_torch.lab.train.data import load_dataset

    for name in ("train/cats", "train/dogs"):
        (folder / name).mkdir(parents=True)
        (folder / name / "one.png").touch()
    load_dataset("images", {"folder": str(folder), "train": 1, "validation": 1})


def safetensors(folder) -> None:
    from cdg_torch.lab.train.networks import load_weights

    file = folder / "weights.safetensors"
    file.write_bytes(bytes(8))
    load_weights(file)


def sklearn(_folder) -> None:
    from cdg_torch.lab.train.data import load_dataset

    load_dataset("digits", {})


def torchmetrics(_folder) -> None:
    from cdg_torch.lab.train.data import load_dataset
    from cdg_torch.lab.train.models import build
    from cdg_torch.lab.train.supervised import evaluate

    data = load_dataset("canvases", {"train": 2, "validation": 2, "test": 2})
    evaluate(build("unet", 1, data.classes), data.test, data)


def distributed(_folder) -> None:
    from cdg_torch.lab.train.cluster import cluster_pool

    with cluster_pool("tcp://127.0.0.1:1"):
        pass


def notebooks(_folder, needed: str) -> None:
    from cdg_torch.lab.notebooks import Library, pages_folder

    library = Library(pages_folder())
    if needed == "jupytext":
        library.contents()
    else:
        assert library.works


FEATURES = {
    "PIL": pillow,
    "distributed": distributed,
    "jupytext": partial(notebooks, needed="jupytext"),
    "matplotlib": matplotlib,
    "numba": partial(kernels, "cpu"),
    "pybtex": partial(notebooks, needed="pybtex"),
    "safetensors": safetensors,
    "sklearn": sklearn,
    "torchmetrics": torchmetrics,
    "triton": partial(kernels, "gpu"),
}


def main(names: list[str]) -> None:
    import os

    os.environ["TRITON_INTERPRET"] = "1"
    sys.meta_path[:] = [Without(finder, names) for finder in sys.meta_path]
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        raise AssertionError(name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        always()
    refusals = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                FEATURES[name](Path(folder))
            except ImportError as error:
                refusals[name] = str(error)
            else:
                refusals[name] = "did without it"
    json.dump({"warnings": [str(w.message) for w in caught], "refusals": refusals}, sys.stdout)


def run_without(*names: str) -> dict:
    """Return what a process without these packages prints; what must always work, works there."""
    return json.loads(python("-m", "tests.tools.without", *names))


if __name__ == "__main__":
    main(sys.argv[1:])
