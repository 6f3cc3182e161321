"""The Gram matrix from its definition, and solves with it: written from the page, not the library.

M = α P + β (I − P) + γ s L + δ s² L², with P = 11ᵀ/n, s = n² or 1, L of the path or the cycle.
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
    bending = metric.curvature * scale**2 * laplacian @ laplacian
    return weights + metric.derivative * scale * laplacian + bending


def in_blocks(act, tensor, dim=0, groups=1):
    """Return what a map of (n, columns) matrices makes of a tensor, group by group, in float64."""
    solved = []
    for block in np.split(np.asarray(tensor, dtype=np.float64), groups, axis=dim):
        rows = np.moveaxis(block, dim, 0)
        flat = act(rows.reshape(len(rows), -1))
        solved.append(np.moveaxis(flat.reshape(rows.shape), 0, dim))
    return np.concatenate(solved, axis=dim)


def solve(grad, metric, dim=0, groups=1):
    """Return M⁻¹g."""
    return in_blocks(lambda rows: np.linalg.solve(gram(metric, len(rows)), rows), grad, dim, groups)
