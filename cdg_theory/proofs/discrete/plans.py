r"""Theorem 11 for what a rank runs: its plan, its row of coefficients, and all of it in float64."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete import blocks
from cdg_theory.discrete.sweeps import split_mean
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.exact_matrices import exact_gram
from cdg_theory.proofs.tools.rational_members import MEMBERS, U, inverse_gram_of, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PAGE = "theory/sharded-theory.md"
SPLITS = ((1,), (5,), (2, 3), (1, 1), (3, 0, 1), (0, 2, 0, 2, 4))


def _ranks(g: Sequence[NDArray[Any]], plan: blocks.ShardPlan) -> list[NDArray[Any]]:
    """Return k as ranks compute it: each multiplies what was gathered by its own coefficients."""
    maps = [blocks.flux_map(plan, index) for index in range(len(g))]
    means, parts = zip(*map(split_mean, g), strict=True)
    gathered = np.stack(
        [
            np.concatenate([mean[None], own.probes @ f])
            for mean, own, f in zip(means, maps, parts, strict=True)
        ]
    )
    one = plan.mean / plan.mean
    weights = np.array([one * len(block) / sum(plan.sizes) for block in g])
    mean, gathered[:, 0] = blocks.split_offsets(gathered[:, 0], weights)
    z = gathered.reshape(-1, gathered.shape[-1])
    solve = partial(blocks.solve_alone, beta=plan.fluctuation, c=plan.stiffness)
    return [
        mean / plan.mean + blocks.finish_block(f, own.ends @ z, solve)
        for f, own in zip(parts, maps, strict=True)
    ]


def _flux_map(mean_weight: int = 1) -> bool:
    """Run the ranks on rational numbers: the result must solve the global system."""
    draw = random.Random(112)
    for sizes, periodic, kind in product(SPLITS, (False, True), ("both", "sums", "line")):
        a, b, c = (Fraction(draw.randint(1, 9), draw.randint(1, 9)) for _ in "abc")
        b, c = (0 * b if kind == "sums" else b), (0 * c if kind == "line" else c)
        n = sum(sizes)
        plan = blocks.plan_of(a, b, c, sizes, periodic=periodic)
        g = np.array([[Fraction(draw.randint(-9, 9)) for _ in "xy"] for _ in range(n)])
        pieces = [piece for piece in np.split(g, np.cumsum(sizes)[:-1]) if len(piece)]
        k = np.concatenate(_ranks(pieces, plan))
        M = exact_gram(mean_weight * a, b, c, n, periodic=periodic)
        if (M @ k != g).any():
            return False
    return True


def _float64(numbers: tuple[int, int, int] = (0, 1, 3)) -> bool:
    """Compare plans and sharded gradients of every member with the inverse in rational numbers."""
    for metric, sizes in product(MEMBERS, SPLITS):
        n, plan = sum(sizes), blocks.shard_plan(metric, sizes)
        if metric.is_multiple_of_l2 or n == 1:
            handed_over = numbers[0]
        else:
            handed_over = numbers[2] if metric.derivative else numbers[1]
        said = plan.numbers, plan.sizes, plan.periodic, len(plan.responses)
        asked = metric.boundary == "periodic", len([size for size in sizes if size])
        if said != (handed_over, sizes, asked[0], asked[1] if handed_over else 0):
            return False
        exact, unit = inverse_gram_of(metric, n), np.eye(n)
        slack = 16 * (n + 4) * U * size_of(exact)
        for shape in ((n, n), (n, 1, n)):
            own = np.split(unit.reshape(shape), np.cumsum(sizes)[:-1])
            k = blocks.sharded_gradient(own, metric)
            if [block.shape for block in k] != [block.shape for block in own]:
                return False
            if abs(np.concatenate(k).reshape(n, n) - exact.astype(float)).max() > slack:
                return False
        narrow = blocks.sharded_gradient([unit.astype(np.float32)], metric)
        wide = blocks.sharded_gradient([unit], metric)
        if (narrow[0] != wide[0].astype(np.float32)).any():
            return False
    return True


THEOREMS = (
    Theorem(
        id="T11.flux-map",
        title="What a rank multiplies by gives the global solve",
        statement=(
            "A rank's rows of coefficients, applied to what all ranks hand over, give the level "
            "and the inflows with which its own solve is the global one: as the torch code does it."
        ),
        tex=r"(\ell_b,\varphi_{b-1},-\varphi_b)=B_bz,\qquad M\,k=g\quad\text{in}\ \mathbb Q",
        scope="six splits, empty blocks and one block among them, drawn weights and gradients; "
        "path and cycle; β = 0, c = 0 and both positive",
        kind="exact",
        check=_flux_map,
        variant=partial(_flux_map, mean_weight=2),
        perturbed="The same for twice the weight of the mean.",
        page=PAGE,
    ),
    Theorem(
        id="T11.float64",
        title="Plans and sharded gradients of every member",
        statement=(
            "A plan asks for no number where the metric is a multiple of L², for one where it has "
            "no derivative, else for three; and the sharded gradient is the inverse of the form "
            "times g, to a few roundings per row."
        ),
        tex=r"k^{\text{sharded}}=M^{-1}g",
        scope="20 members of every kind, six splits, all unit vectors; against rational numbers",
        kind="numeric",
        check=_float64,
        variant=partial(_float64, numbers=(0, 1, 2)),
        perturbed="With a derivative it asks for two.",
        page=PAGE,
    ),
)
