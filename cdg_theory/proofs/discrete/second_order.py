r"""Theorem 18 on n channels: exact runs at second order, definiteness, bounds, and the limit δ → 0.

That the sweeps are the inverse for every n stands in :mod:`cdg_theory.proofs.discrete.curvature`.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import sympy as sp

from cdg_theory.discrete import curvature, sweeps
from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric, Spacing
from cdg_theory.proofs.tools.algebra import RationalFunction, all_zero, row, vanish
from cdg_theory.proofs.tools.exact_matrices import gram_product, identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PAGE = "theory/second-order.md"

#: β, γ, δ: alone, without β, without γ, double root, complex, real, over 24 orders.
CORNERS = (
    (0.0, 0.0, 0.375),
    (0.0, 1.25, 0.5),
    (0.75, 0.0, 2.0),
    (1.0, 2.0, 1.0),
    (2.5, 0.25, 1.5),
    (0.25, 6.0, 0.75),
    (2.0**-40, 2.0**40, 1.0),
    (2.0**40, 1.0, 2.0**-40),
)


def _solves_exactly(bends: int = 1) -> bool:
    """Run the public function on fractions and multiply by M, whose curvature counts ``bends``."""
    draw = random.Random(18)
    for weights, n in product(CORNERS, range(2, 10)):
        for boundary, spacing in product(get_args(Boundary), get_args(Spacing)):
            alpha = draw.randint(1, 9) / 8
            metric = Metric(alpha, *weights, boundary=boundary, spacing=spacing)
            g = row(*(Fraction(draw.randint(-99, 99), 7) for _ in range(n)))
            s = n * n if spacing == "normalized" else 1
            a, beta, gamma, delta = map(Fraction, (alpha, *weights))
            terms = a, beta, gamma * s, bends * delta * s * s
            k = riemannian_gradient(g, metric)
            if not all_zero(gram_product(k, *terms, periodic=boundary == "periodic") - g):
                return False
    return True


def _definite(decides: Callable[[list[bool]], bool] = all) -> bool:
    r"""Check which modes decide, at weights that make one of them nearly 0: exact elimination.

    :math:`d(\ell-\ell_m)^2+\varepsilon` is the eigenvalue: lowest at mode m, where it is ±ε, and ε
    is small beside all the others. ``decides`` says of the signs which of them count.
    """
    alpha, d = Fraction(2, 7), Fraction(3, 5)
    for n, periodic in product((2, 3, 4, 5, 6), (False, True)):
        units = identity(n)
        turn = math.pi * (2 if periodic else 1) / n
        # To 16 digits; ε is 1e-3.
        ell = [Fraction(4 * math.sin(turn * m / 2) ** 2) for m in range(1, n)]
        distinct = ell[: n // 2] if periodic else ell
        for m, lowest in enumerate(distinct, 1):
            phase = 0.0 if periodic else 0.5
            wave = [Fraction(math.cos(turn * m * (i + phase))) for i in range(n)]
            v = row(*wave) - sum(wave) / n
            for eps in (Fraction(1, 1000), Fraction(-1, 1000)):
                weights = d * lowest**2 + eps, -2 * d * lowest, d
                signs = [weights[0] + (weights[1] + d * x) * x > 0 for x in distinct]
                M = gram_product(units, alpha, *weights, periodic=periodic)
                expected = decides(signs)
                if _is_definite(M) != expected or (v @ M @ v > 0) != expected:
                    return False
                if _is_definite(gram_product(units, -alpha, 1, 0, d, periodic=periodic)):
                    return False
    return True


def _is_definite(matrix: NDArray[Any]) -> bool:
    return bool(sp.Matrix(matrix.tolist()).is_positive_definite)


def _mesh(path_at_2: int = 64, cycle_at_2: int = 256) -> bool:
    r"""Check both ends of what :math:`s^2\ell_1^2` ranges over, and that mode 1 is the lowest."""
    n, c, d, ell, more = sp.symbols("n c d ell e", positive=True)
    ranges = [(2 * n, path_at_2, sp.pi**4), (n, cycle_at_2, 16 * sp.pi**4)]
    zeros = []
    for period, low, high in ranges:
        lowest = n**4 * (4 * sp.sin(sp.pi / period) ** 2) ** 2
        zeros += [lowest.subs(n, 2) - low, sp.limit(lowest, n, sp.oo) - high]
    # Weights ≥ 0: a larger eigenvalue of L gives a larger one of M.
    larger = ell + more
    growth = (c * larger + d * larger**2) - (c * ell + d * ell**2)
    grows = growth.expand().is_positive
    # What the ranges are multiplied by, from the code.
    scale = [Metric.biharmonic(1.0).rigidity(size) - size**4 for size in range(2, 9)]
    return bool(grows) and vanish(zeros) and not any(scale)


def _limit(share: Any = 1) -> bool:
    r"""Check the distance to the first-order member mode by mode, and the code's results at d → 0.

    :math:`0\le\frac1{\beta+c\ell}-\frac1{\beta+c\ell+d\ell^2}\le` ``share`` :math:`\cdot d/c^2`.
    """
    beta, c, d, ell = RationalFunction.symbols("beta c d ell")
    first = beta + c * ell
    distance = 1 / first - 1 / (first + d * ell * ell)
    if not (distance.is_positive and (share * d / (c * c) - distance).is_positive):
        return False
    draw = random.Random(18)
    for n, periodic in product((2, 3, 4), (False, True)):
        g = row(*(Fraction(draw.randint(-99, 99), 7) for _ in range(n)))
        factors = curvature.curvature_factors(beta, c, d, n, periodic=periodic)
        # Symbols as entries, so that the mean is one too.
        k = sweeps.solve_member(g + 0 * d, 1 + 0 * d, beta, factors)
        at_zero = row(*(x.at_zero(d) for x in k))
        flat = gram_product(at_zero, 1, beta, c, 0, periodic=periodic)
        if not (all(x.has_no_pole for x in k) and all_zero(flat - g)):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T18.solve-exact",
        title="The public function, run on fractions, leaves no residual",
        statement=(
            "M k − g is 0 without any rounding, at all corners of the cone: without fluctuation, "
            "without derivative, without both, with a double root, complex and real ones."
        ),
        tex=r"\alpha\bar k+\beta(k-\bar k)+cLk+dL^2k=g\quad\text{in}\ \mathbb Q",
        scope="8 kinds of weights, over 24 orders; n in 2…9, both boundaries and spacings, drawn g",
        kind="exact",
        check=_solves_exactly,
        variant=partial(_solves_exactly, bends=2),
        perturbed="The same with twice the curvature in M.",
        page=PAGE,
    ),
    Theorem(
        id="T18.discrete-definite",
        title="When the second-order form on n channels is definite: every mode counts",
        statement=(
            "The Gram matrix is positive definite exactly if α > 0 and β + γsℓ + δs²ℓ² > 0 at "
            "every mode. The mode where it is not breaks the form, while the first may be fine."
        ),
        tex=r"M\succ0\iff\alpha>0\ \text{and}\ \beta+\gamma s\ell_m+\delta s^2\ell_m^2>0"
        r"\quad\text{for all }m\ge1",
        scope="n in 2…6, both boundaries, the form lowest at each mode in turn, there ±10⁻³; exact "
        "elimination",
        kind="exact",
        check=_definite,
        variant=partial(_definite, decides=lambda signs: signs[0]),
        perturbed="The first mode decides.",
        page=PAGE,
    ),
    Theorem(
        id="T18.mesh",
        title="Bounds of the lowest eigenvalue at second order, for every n",
        statement=(
            "With normalized spacing the curvature adds at the lowest mode what lies between its "
            "value at n = 2 and its limit, so theorem 4's step bound is uniform in n; with unit "
            "spacing it falls like 1/n⁴."
        ),
        tex=(
            r"64\,\delta\le\delta(4n^2\sin^2\tfrac\pi{2n})^2<\pi^4\delta\ \text{(natural)},\qquad "
            r"256\,\delta\le\delta(4n^2\sin^2\tfrac\pi n)^2<16\pi^4\delta\ \text{(periodic)}"
        ),
        scope="all n ≥ 2, all weights ≥ 0, by T12.sinc",
        kind="symbolic",
        check=_mesh,
        variant=partial(_mesh, path_at_2=16, cycle_at_2=64),
        perturbed="The same with a quarter of the lower bounds as values at n = 2.",
        page=PAGE,
    ),
    Theorem(
        id="T18.discrete-limit",
        title="Without curvature in the limit, and no exception at the double root",
        statement=(
            "As δ → 0 the second-order gradient tends to the first-order member's, in operator "
            "norm and uniformly in n if γ > 0: no mode differs by more than δ/γ². The result is a "
            "rational function of the weights without a pole in the cone, so γ² = 4βδ is nothing "
            "special."
        ),
        tex=(
            r"0\le\frac1{\beta+c\ell}-\frac1{\beta+c\ell+d\ell^2}\le\frac d{c^2}"
            r"=\frac\delta{\gamma^2}"
        ),
        scope="the distance for all n and all ℓ > 0; the code's results on symbols β, c and d for "
        "n in {2, 3, 4}, both boundaries, drawn g",
        kind="symbolic",
        check=_limit,
        variant=partial(_limit, share=Fraction(1, 2)),
        perturbed="The same with half that distance.",
        page=PAGE,
    ),
)
