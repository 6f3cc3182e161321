"""The Gram matrix from its definition, and solves with it: written from the page, not the library.

M = α P + β (I − P) + γ s L, with P = 11ᵀ/n, s = n² or 1, L of the path or the cycle.
"""

import numpy as np


def gram(metric, n):
    mean = np.full((n, n), 1.0 / n)
    if metric.boundary == "periodic":
        shift = np.roll(np.eye(n), 1, axis=0)
        laplacian = 2 * np.eye(n) - shift - shift.T
    else:
        difference = np.diff(np.eye(n), axis=0)
        laplacian = difference.T @ difference
    scale = n**2 if metric.spacing == "normalized" else 1
    weights = metric.mean * mean + metric.fluctuation * (np.eye(n) - mean)
    return weights + metric.derivative * scale * laplacian


def solve(grad, metric, dim=0, groups=1):
    """Return M⁻¹g, column by column and group by group, in float64."""
    blocks = np.split(np.asarray(grad, dtype=np.float64), groups, axis=dim)
    solved = []
    for block in blocks:
        rows = np.moveaxis(block, dim, 0)
        flat = np.linalg.solve(gram(metric, rows.shape[0]), rows.reshape(rows.shape[0], -1))
        solved.append(np.moveaxis(flat.reshape(rows.shape), 0, dim))
    return np.concatenate(solved, axis=dim)
