"""Theorems 11 and 18: sharded equals global for every split; mutants are refused."""

from dataclasses import replace

import numpy as np

from tests.tools.planted import refusals


def _turned(finish_block):
    """Let what flows out at the right end flow in."""

    def mutant(f, told, *rest):
        half = len(told) // 2
        return finish_block(f, [*told[:-half], *(-flow for flow in told[-half:])], *rest)

    return mutant


def _last_row_turned(finish_block):
    def mutant(f, told, solve):
        last = np.append(0 * f[1:], 2 * told[2])
        return finish_block(f, told, lambda w: solve(w - last))

    return mutant


def _without_seam(solve_ends):
    return lambda numbers, plan: solve_ends(numbers, replace(plan, periodic=False))


def _without_levels(solve_ends):
    def mutant(numbers, plan):
        told = solve_ends(numbers, plan)
        told[:, 0] = 0 * told[:, 0]
        return told

    return mutant


def _exchanged(probes):
    return lambda plan, block: probes(plan, block)[::-1]


def _not_of_mean_zero(solve_path):
    def mutant(*system):
        levels, fluxes = solve_path(*system)
        return levels + 1, fluxes

    return mutant


def _doubled_fluxes(solve):
    def mutant(*system, **boundary):
        levels, *fluxes = solve(*system, **boundary)
        return levels, *(2 * flux for flux in fluxes)

    return mutant


def _turned_leak(solve_network):
    def mutant(o, t, t_, n, first, last, beta, *rest, **boundary):
        return solve_network(o, t, t_, n, first, last, -beta, *rest, **boundary)

    return mutant


def _moments_and_levels_exchanged(spread):
    def mutant(plan, block):
        right = spread(plan, block)
        return None if right is None else right[:, [0, 2, 1, 4, 3]]

    return mutant


def _without_h(product):
    """Take a for h, as if p were 0."""

    def mutant(y, z):
        right = product(y, z)
        return replace(right, h=right.a)

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
    ("T11.path", "network.solve_path", _not_of_mean_zero),
    ("T11.path", "network.solve_path", _doubled_fluxes),
    ("T11.seam", "blocks.solve_ends", _without_seam),
    ("T11.seam", "network.solve_path", _doubled_fluxes),
    ("T11.all-gradients", "blocks.solve_ends", _without_seam),
    ("T11.all-gradients", "blocks.finish_block", _turned),
    ("T11.exact", "blocks.solve_ends", _without_seam),
    ("T11.exact", "blocks.solve_ends", _without_levels),
    ("T11.exact", "blocks.finish_block", _turned),
    ("T11.exact", "blocks.ShardPlan.probes", _exchanged),
    ("T11.exact", "blocks.split_offsets", lambda split: lambda m, w: (split(m, w)[0], m)),
    ("T11.flux-map", "blocks.ShardPlan.spread", _moments_and_levels_exchanged),
    ("T18.elements", "ring.product", _without_h),
    ("T18.elements", "ring.inverse", lambda inverse: lambda y: replace(inverse(y), b=y.b)),
    ("T18.first-order", "blocks.solve_pairs", lambda solve: lambda *known: solve(*known)[::-1]),
    ("T18.block", "blocks.ShardPlan.spread", _moments_and_levels_exchanged),
    ("T18.block", "blocks.ShardPlan.probes", _exchanged),
    ("T18.divisors", "blocks.solve_network", _turned_leak),
    ("T18.few-rows", "blocks.solve_ends", _without_seam),
    ("T18.few-rows", "blocks.finish", _turned),
    ("T18.few-rows", "blocks.solve_network", _doubled_fluxes),
    ("T18.five-numbers", "laplacian", _never_a_cycle),
)
