"""Theorem 11: sharded equals global for every split; mutants are refused."""

from dataclasses import replace

import numpy as np

from tests.tools.planted import refusals


def _turned(finish_block):
    """Let what flows out at the right end flow in."""
    return lambda f, told, solve: finish_block(f, (told[0], told[1], -told[2]), solve)


def _last_row_turned(finish_block):
    def mutant(f, told, solve):
        last = np.append(0 * f[1:], 2 * told[2])
        return finish_block(f, told, lambda w: solve(w - last))

    return mutant


def _without_seam(solve_ends):
    return lambda numbers, plan: solve_ends(numbers, replace(plan, periodic=False))


def _without_levels(solve_ends):
    return lambda numbers, plan: solve_ends(numbers, plan) * np.array([[0], [1], [1]])


def _exchanged(probes):
    return lambda plan, block: probes(plan, block)[::-1]


def _not_of_mean_zero(solve_path):
    def mutant(*system):
        levels, fluxes = solve_path(*system)
        return levels + 1, fluxes

    return mutant


def _doubled_fluxes(solve_path):
    def mutant(*system):
        levels, fluxes = solve_path(*system)
        return levels, 2 * fluxes

    return mutant


def _never_a_cycle(laplacian):
    return lambda k, *, periodic: laplacian(k, periodic=periodic and len(k) == 0)


test_mutant_is_refused = refusals(
    ("T11.restriction", "laplacian", _never_a_cycle),
    ("T11.response", "blocks.solve_alone", lambda solve: lambda w, beta, c: solve(w, beta, 2 * c)),
    ("T11.response", "blocks.split_mean", lambda split: lambda g: (0, 2 * split(g)[1])),
    ("T11.ends", "blocks.finish_block", _turned),
    ("T11.ends", "blocks.finish_block", _last_row_turned),
    ("T11.ends", "blocks.ShardPlan.probes", _exchanged),
    ("T11.path", "blocks.solve_path", _not_of_mean_zero),
    ("T11.path", "blocks.solve_path", _doubled_fluxes),
    ("T11.seam", "blocks.solve_ends", _without_seam),
    ("T11.seam", "blocks.solve_path", _doubled_fluxes),
    ("T11.all-gradients", "blocks.solve_ends", _without_seam),
    ("T11.all-gradients", "blocks.finish_block", _turned),
    ("T11.exact", "blocks.solve_ends", _without_seam),
    ("T11.exact", "blocks.solve_ends", _without_levels),
    ("T11.exact", "blocks.finish_block", _turned),
    ("T11.exact", "blocks.ShardPlan.probes", _exchanged),
    ("T11.exact", "blocks.split_offsets", lambda split: lambda m, w: (split(m, w)[0], m)),
)
