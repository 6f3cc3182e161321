r"""Theorem 11 for what a rank runs: its plan, its row of coefficients, and all of it in float64."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cdg_theory.discrete import blocks
from cdg_theory.discrete.sweeps import split_mean
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric, Spacing
from cdg_theory.proofs.tools.exact_matrices import exact_gram, identity, inverse_of, laplacian
from cdg_theory.proofs.tools.rational_members import MEMBERS, U, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PAGE = "theory/sharded-theory.md"
SPLITS = ((1,), (5,), (2, 3), (1, 1), (3, 0, 1), (0, 2, 0, 2, 4))

#: A curvature term alone, with fluctuation, with derivative, with both.
CURVED = tuple(
    Metric(*weights, boundary=boundary, spacing=spacing)
    for weights in (
        (1.0, 0.0, 0.0, 0.25),
        (0.5, 1.0, 0.0, 2.0**-20),
        (2.0, 0.0, 4.0, 2.0**-6),
        (1.5, 2.0**-40, 0.25, 4.0),
    )
    for boundary, spacing in product(get_args(Boundary), get_args(Spacing))
)


def _gram(a: Any, b: Any, c: Any, d: Any, n: int, *, periodic: bool) -> NDArray[Any]:
    bent = laplacian(laplacian(identity(n), periodic=periodic), periodic=periodic)
    return exact_gram(a, b, c, n, periodic=periodic) + d * bent


@cache
def _inverse_gram(metric: Metric, n: int) -> NDArray[Any]:
    weights = metric.mean, metric.fluctuation, metric.stiffness(n), metric.rigidity(n)
    a, b, c, d = map(Fraction, weights)
    return inverse_of(_gram(a, b, c, d, n, periodic=metric.boundary == "periodic"))


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
    shares = np.array([one * len(block) / sum(plan.sizes) for block in g])
    mean, gathered[:, 0] = blocks.split_offsets(gathered[:, 0], shares)
    z = gathered.reshape(-1, gathered.shape[-1])
    weights = {"beta": plan.fluctuation, "c": plan.stiffness, "d": plan.rigidity}
    solve = partial(blocks.solve_block, **weights)
    return [
        mean / plan.mean + blocks.finish(f, own.ends @ z, solve, own.spread)
        for f, own in zip(parts, maps, strict=True)
    ]


def _flux_map(mean_weight: int = 1) -> bool:
    """Run the ranks on rational numbers: the result must solve the global system."""
    draw = random.Random(112)
    kinds = ("bc", "c", "b", "bcd", "cd", "bd", "d")
    for sizes, periodic, kind in product(SPLITS, (False, True), kinds):
        a, b, c, d = (
            Fraction(draw.randint(1, 9), draw.randint(1, 9)) * (name in "a" + kind)
            for name in "abcd"
        )
        n = sum(sizes)
        plan = blocks.plan_of(a, b, c, sizes, periodic=periodic, d=d)
        g = np.array([[Fraction(draw.randint(-9, 9)) for _ in "xy"] for _ in range(n)])
        pieces = [piece for piece in np.split(g, np.cumsum(sizes)[:-1]) if len(piece)]
        k = np.concatenate(_ranks(pieces, plan))
        M = _gram(mean_weight * a, b, c, d, n, periodic=periodic)
        if (M @ k != g).any():
            return False
    return True


def _float64(numbers: tuple[int, int, int, int] = (0, 1, 3, 5)) -> bool:
    """Compare plans and sharded gradients of every member with the inverse in rational numbers.

    An operation with pairs is up to four with numbers. The cycle is solved by natural paths.
    """
    for metric, sizes in product((*MEMBERS, *CURVED), SPLITS):
        n, plan = sum(sizes), blocks.shard_plan(metric, sizes)
        if metric.is_multiple_of_l2 or n == 1:
            handed_over = numbers[0]
        else:
            handed_over = numbers[1 + metric.derivative_order]
        said = plan.numbers, plan.sizes, plan.periodic, len(plan.responses)
        asked = metric.boundary == "periodic", len([size for size in sizes if size])
        if said != (handed_over, sizes, asked[0], asked[1] if handed_over else 0):
            return False
        exact, unit = _inverse_gram(metric, n), np.eye(n)
        slack = 16 * (n + 4) * U * size_of(exact)
        if metric.derivative_order == 2:
            slack = (
                64 * (n + 4) * U * size_of(_inverse_gram(replace(metric, boundary="natural"), n))
            )
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
        "path and cycle; all members of β, c and d that are not 0",
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
            "no derivative, for five with a curvature, else for three; and the sharded gradient is "
            "the inverse of the form times g, to a few roundings per row."
        ),
        tex=r"k^{\text{sharded}}=M^{-1}g",
        scope="36 members of every kind, six splits, all unit vectors; against rational numbers",
        kind="numeric",
        check=_float64,
        variant=partial(_float64, numbers=(0, 1, 2, 5)),
        perturbed="With a derivative it asks for two.",
        page=PAGE,
    ),
)
