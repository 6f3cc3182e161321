"""The small system of :mod:`~cdg_theory.discrete.blocks`: a path or cycle of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def solve_path(
    q: NDArray[Any], J: NDArray[Any], n: Any, tau: Any, C: Any, beta: Any, w: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Return levels and fluxes of the path of blocks, for :math:`q_b=n_bo_b`.

    All are (blocks, columns), n, τ and C of one column. The last entries of J and C are the seam's:
    they are not read, and the last flux is 0.
    """
    Y, E = q.copy(), beta * n
    p, y, e = np.zeros_like(C), np.zeros_like(q), np.zeros_like(C)
    for b in range(len(C) - 1):
        p[b] = C[b] / (C[b] * tau[b] + E[b])
        y[b] = p[b] * (tau[b] * Y[b] + E[b] * J[b])
        e[b] = p[b] * E[b] * tau[b + 1]
        Y[b + 1] += y[b]
        E[b + 1] += e[b]
    level, h = np.zeros_like(q), n / n  # with 0 in the last block, and what 1 there adds
    for b in reversed(range(len(C) - 1)):
        level[b] = Y[b] / (C[b] * tau[b] + E[b]) + p[b] * (tau[b + 1] * level[b + 1] - J[b])
        h[b] = p[b] * tau[b + 1] * h[b + 1]
    level += h * ((Y[-1] - w * (n * level).sum(0)) / (E[-1] + w * (n * h).sum(0)))
    return level, y - e * np.roll(level, -1, axis=0)


def solve_cycle(
    q: NDArray[Any], J: NDArray[Any], n: Any, tau: Any, C: Any, beta: Any, w: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Return the same for the cycle of blocks: the last flux is the seam's."""
    level, flux = solve_path(q, J, n, tau, C, beta, w)
    across = 0 * n
    across[0] += 1
    across[-1] -= 1
    unit_level, unit_flux = solve_path(across, 0 * n, n, tau, C, beta, w)
    unit_flux[-1] += 1
    fall = tau[-1] * level[-1] - tau[0] * level[0]
    unit_fall = tau[-1] * unit_level[-1] - tau[0] * unit_level[0]
    seam = C[-1] * (fall + J[-1]) / (1 - C[-1] * unit_fall)
    return level + seam * unit_level, flux + seam * unit_flux


def solve_network(
    o: Any, t: Any, t_: Any, n: Any, first: Any, last: Any, beta: Any, c: Any, w: Any, *,
    periodic: bool,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:  # fmt: skip
    r"""Return every block's level, and what flows in at its first and at its last row.

    ``first`` and ``last`` are the ends of the blocks' responses. All are (blocks, columns), and
    what does not depend on g has one column.
    """
    kappa, rho, tau = -last, first - last, 1 + beta * n * last
    s, s_ = n * kappa * o + t, n * kappa * o + t_
    q, J = n * o, s_ - np.roll(s, -1, axis=0)
    C = c / (1 + c * rho + c * np.roll(rho, -1, axis=0))
    level, flux = (
        solve_cycle(q, J, n, tau, C, beta, w) if periodic else solve_path(q, J, n, tau, C, beta, w)
    )
    return level, np.roll(flux, 1, axis=0), -flux
