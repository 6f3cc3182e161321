r"""The Fréchet distance between two sets of images, in the features of a classifier trained here.

Not the "FID" of the literature, whose features are those of an Inception network trained on
ImageNet: numbers can be compared with each other, and with no paper's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cdg_torch.lab.train.models import build

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cdg_torch.lab.train.data import Split


def frechet_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    r"""Return the distance between the normal distributions fitted to two sets of features.

    .. math:: \|\mu_1-\mu_2\|^2 + \operatorname{tr}\bigl(C_1+C_2-2(C_1C_2)^{1/2}\bigr)

    The trace of the root is the sum of the square roots of the eigenvalues of
    :math:`C_1^{1/2}C_2C_1^{1/2}`, which is symmetric and semidefinite.

    Parameters
    ----------
    first, second
        Shape (images, features), each with two images or more.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((500, 3))
    >>> round(frechet_distance(x, x + 2.0), 6)  # equal covariances: |2|² in three features
    12.0
    """
    means = [np.mean(x, axis=0) for x in (first, second)]
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ covariances[1] @ root)
    traces = np.trace(covariances[0]) + np.trace(covariances[1])
    shift = np.square(means[0] - means[1]).sum()
    return float(shift + traces - 2 * np.sqrt(mixed.clip(min=0)).sum())


def classifier_features(split: Split, *, epochs: int = 3, seed: int = 20200825) -> nn.Module:
    """Train a small classifier, the same every time, and return it without its last layer.

    Images are expected in (−1, 1), as a generator makes them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build("small-cnn", split.images.shape[1], 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for index in torch.randperm(len(split), generator=order).split(64):  # type: ignore[no-untyped-call]
            loss = functional.cross_entropy(model(split.images[index]), split.targets[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    model.eval()
    layers = list(model.children())[:-1]
    return nn.Sequential(*layers).requires_grad_(requires_grad=False)


@torch.no_grad()
def features_of(features: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """Return the features of images, (images, features), in float64."""
    parts = [features(part) for part in images.split(500)]  # type: ignore[no-untyped-call]
    return torch.cat(parts).double().cpu().numpy()
